"""One look at the ledger for all who listen to events.

While nobody listens, nothing is asked. A job that somebody listens to is looked at. Where somebody listens to all,
those that have not ended are looked at, and those that ended since the look before. Looks are `EVERY_S` apart, and
further where a look takes long: they take a fifth of the time at most.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

import structlog

from cancellist.api.events.event_log import EventKind, EventLog, StreamEvent
from cancellist.jobs.errors import CancellistError, UnknownJobError
from cancellist.jobs.ledger import records, snapshots
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.views import json_views
from cancellist.jobs.model import JobRecord, JobState

EVERY_S: Final = 0.25
KEEP_ALIVE_S: Final = 15.0
_TIMES_A_LOOK = 4
_AGAIN_S = 1.0
_FORGET_AFTER_S = 60.0
_OVERLAP_MS = 1000
"""A job that ended just before a look may not have been in it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EventId:
    """The name of an event: the process that told it, its number there, and the server's clock at that look, in ms."""

    epoch: str
    seq: int
    at_ms: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}-{self.at_ms}"

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The id in a `Last-Event-ID`; None where it is none of ours."""
        match (text or "").split("-"):
            case [epoch, seq, at_ms] if all(part.isascii() and part.isdecimal() for part in (seq, at_ms)):
                return cls(epoch, int(seq[:18]), int(at_ms[:15]))
        return None


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event as a listener gets it; without an id where whoever is cut off after it must be told it again."""

    event: StreamEvent
    id: EventId | None


class Sampler:
    """Looks at jobs while somebody listens, and hands what changed to all who do, until `stopping` is set."""

    def __init__(
        self, ledger: Ledger, stopping: asyncio.Event, *, every_s: float = EVERY_S, keep_alive_s: float = KEEP_ALIVE_S
    ) -> None:
        self._ledger = ledger
        self._stopping = stopping
        self._every_s = every_s
        self._keep_alive_s = keep_alive_s
        self._events = EventLog()
        self._epoch = secrets.token_hex(4)
        self._listeners: Counter[str | None] = Counter()
        self._last_left_s: float | None = None
        self._ended: dict[str, int] = {}
        self._at_ms = self._all_at_ms = 0
        self._begun = self._done = 0
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def listen(
        self, job: str | None, last: str | None = None, over: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[SentEvent | None, None]:
        """Events of one job, or of all; None where there was nothing to tell for a while.

        They follow the event named `last` where this process still has all that came after it. Else all is told anew,
        by snapshots. The stream of one job ends with the job, or where there is no such job any more. Each ends once
        `over` says so, which is asked after each look.
        """
        known = EventId.parse(last)
        seq = known.seq if known and known.epoch == self._epoch else None
        since_ms = known.at_ms - _OVERLAP_MS if known else await self._ledger.now_ms()
        told: list[SentEvent]
        with self._listening(job):
            while not self._stopping.is_set() and not over():
                if seq is not None and self._events.holds(seq):
                    seq, told = self._events.last, self._since(job, seq)
                elif await self._until(self._looked(), over):
                    seq, told = await self._anew(job, since_ms)
                    if not told:
                        return
                else:
                    told = []
                for one in told:
                    if over():
                        return
                    yield one
                    since_ms = one.id.at_ms - _OVERLAP_MS if one.id else since_ms
                    if job is not None and one.event.kind is EventKind.END:
                        return
                if not told:
                    yield None
                await self._until(self._newer(job, seq), over)

    def _looked(self) -> Callable[[], bool]:
        """Whether a look is done that begins from now on."""
        begun = self._begun
        return lambda: self._done > begun

    def _newer(self, job: str | None, seq: int | None) -> Callable[[], bool]:
        """Whether there is something to tell that came after this event."""
        if seq is None:
            return lambda: True

        def come() -> bool:
            return not self._events.holds(seq) or self._events.latest(job) > seq

        return come

    def _since(self, job: str | None, seq: int) -> list[SentEvent]:
        return [SentEvent(event, self._id(event.seq)) for event in self._events.after(seq, job)]

    async def _anew(self, job: str | None, since_ms: int) -> tuple[int, list[SentEvent]]:
        """All there is to tell, as of the newest event, and the number of that; the last alone has an id.

        That is how jobs stand, and which have ended since a time. Empty where there is no such job.
        """
        seq, standing = self._events.last, dict(self._events.documents)
        if job is None:
            events = [StreamEvent(seq, "", EventKind.RESET, {"jobs": len(standing)})]
            ended = await records.finished_since(self._ledger, since_ms)
            events += [
                StreamEvent(seq, one.record.id, EventKind.END, json_views.job_view(one))
                for one in await snapshots.look_at(self._ledger, ended)
            ]
            events += [StreamEvent(seq, name, EventKind.SNAPSHOT, document) for name, document in standing.items()]
        elif job in standing:
            events = [StreamEvent(seq, job, EventKind.SNAPSHOT, standing[job])]
        else:
            try:
                seen = await snapshots.look(self._ledger, job)
            except UnknownJobError:
                return seq, []
            kind = EventKind.END if seen.record.state.ended else EventKind.SNAPSHOT
            events = [StreamEvent(seq, job, kind, json_views.job_view(seen))]
        *before, newest = events
        return seq, [*(SentEvent(event, None) for event in before), SentEvent(newest, self._id(seq))]

    def _id(self, seq: int) -> EventId:
        return EventId(self._epoch, seq, self._at_ms)

    async def _until(self, come: Callable[[], bool], over: Callable[[], bool]) -> bool:
        """Waits until something has come; False where nothing did for a while, or the listening is about to end."""
        try:
            async with asyncio.timeout(self._keep_alive_s), self._news:
                await self._news.wait_for(lambda: come() or over() or self._stopping.is_set())
        except TimeoutError:
            return False
        return not over() and not self._stopping.is_set()

    @contextmanager
    def _listening(self, job: str | None) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        if not self._listeners and self._last_left_s and loop.time() - self._last_left_s > _FORGET_AFTER_S:
            self._events.clear()
        self._listeners[job] += 1
        if self._task is None:
            self._task = loop.create_task(self._look_on(), name="event sampler")
        try:
            yield
        finally:
            self._listeners -= Counter({job: 1})
            if not self._listeners:
                self._last_left_s = loop.time()
                self._task.cancel()
                self._task = None

    async def _look_on(self) -> None:
        """Looks again and again, until the process is about to end."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began_s, pause_s = loop.time(), self._every_s
            self._begun += 1
            number = self._begun
            try:
                await self._look()
                self._done = number
            except CancellistError as error:
                log.warning("jobs cannot be looked at for events", code=error.code, reason=str(error))
                pause_s = _AGAIN_S
            except Exception:
                log.exception("a look at jobs failed")
                pause_s = _AGAIN_S
            async with self._news:
                self._news.notify_all()
            took_s = loop.time() - began_s
            try:
                async with asyncio.timeout(max(pause_s - took_s, _TIMES_A_LOOK * took_s)):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        async with self._news:
            self._news.notify_all()

    async def _look(self) -> None:
        """Looks at those jobs that somebody listens to, and notes what changed of them."""
        at_ms = await self._ledger.now_ms()
        tracked = set(self._events.documents)
        found = {one.id: one for one in await self._found(tracked, at_ms) if one.state is not JobState.SEALING}
        fresh = [one for job, one in found.items() if job not in self._ended]
        for seen in await snapshots.look_at(self._ledger, fresh):
            ended = seen.record.state.ended
            self._events.see(json_views.job_view(seen), ended=ended)
            if ended:
                self._ended[seen.record.id] = at_ms
        for job in tracked - found.keys():
            self._events.forget(job)
        self._ended = {
            job: since for job, since in self._ended.items() if at_ms - since <= 2 * _OVERLAP_MS or self._listeners[job]
        }
        self._at_ms = at_ms

    async def _found(self, tracked: set[str], at_ms: int) -> list[JobRecord]:
        """The records of those jobs that somebody listens to."""
        if not self._listeners[None]:
            wanted = sorted(job for job in self._listeners if job is not None and job not in self._ended)
            return await records.of(self._ledger, wanted)
        going = await records.unfinished(self._ledger)
        ended = await records.finished_since(self._ledger, (self._all_at_ms or at_ms) - _OVERLAP_MS)
        self._all_at_ms = at_ms
        left = sorted(tracked - {one.id for one in (*going, *ended)})
        return [*going, *ended, *await records.of(self._ledger, left)]
