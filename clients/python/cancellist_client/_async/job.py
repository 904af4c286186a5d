"""A job that was handed in: how it stands, its results, and what can be done with it."""

import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final, Self

from cancellist_client._async.transport import HTTP, AsyncTransport
from cancellist_client.errors import (
    CancellistError,
    JobHalted,
    JobTimeout,
    ResultsGone,
    UnsupportedError,
)
from cancellist_client.models import JobState, JobStatus, Result
from cancellist_client.options import KEEP, Keep, When, changes, options
from cancellist_client.retrying import may_pass
from cancellist_client.waiting import Deadline, async_sleep

_PAGE: Final = 1000
_QUIET_S: Final = 45.0
"""Events keep the connection alive every 15 seconds: a stream that says nothing for so long is dead."""
_TOO_SHORT_S: Final = 0.5
"""What is left of a wait that is not worth a stream."""
_FIRST_POLL_S: Final = 0.1
_LONGEST_POLL_S: Final = 5.0
_AWAY_S: Final = 60.0
"""For how long a wait puts up with a server that is away."""


class AsyncJob:
    """A job.

    Attributes:
        entry: its entry of the intake stream, where it was handed in by Redis.
    """

    def __init__(
        self, transport: AsyncTransport, job: str | None, *, entry: str | None, status: JobStatus | None
    ) -> None:
        self._transport = transport
        self._id = job
        self._status = status
        self.entry = entry

    def __repr__(self) -> str:
        if self._id is None:
            return f"<{type(self).__name__} of entry {self.entry}>"
        return f"<{type(self).__name__} {self._id}{f' {self._status.state}' if self._status else ''}>"

    @property
    def id(self) -> str:
        """Its id.

        Raises:
            UnsupportedError: it was handed in by Redis, and `identify` was not called.
        """
        if self._id is None:
            raise UnsupportedError(
                f"the job of entry {self.entry} gets its id when a worker takes it in: call identify(); "
                f"{HTTP} at once, and the job's document there has `intake_entry`"
            )
        return self._id

    async def identify(self, timeout: float = 30) -> str:  # noqa: ASYNC109 - its twin has no other way
        """Its id, which it has at once by HTTP; by Redis, a worker's answer to its entry is waited for.

        Raises:
            InputError: the entry was refused, and there is no job.
            ApiError: it was refused for another reason.
            JobTimeout: no worker has answered within so many seconds; the entry is stored all the same.
        """
        if self._id is None:
            self._id = await self._transport.answered(str(self.entry), timeout)
        if self._id is None:
            raise JobTimeout(f"no worker has answered entry {self.entry} within {timeout:g} seconds", job=self)
        return self._id

    @property
    def status(self) -> JobStatus:
        """How it stood when it was last looked at."""
        if self._status is None:
            raise UnsupportedError(f"job {self.id} was not looked at: call refresh()")
        return self._status

    @property
    def state(self) -> JobState:
        """Its state when it was last looked at."""
        return self.status.state

    async def refresh(self) -> Self:
        """Looks at it again."""
        return self._seen(await self._transport.job(self.id))

    async def wait(self, timeout: float | None = None) -> Self:  # noqa: ASYNC109 - its twin has no other way
        """Waits until it has ended; it follows the server's events, or asks from time to time where there are none.

        A server that is away is waited for, for a minute.

        Raises:
            JobHalted: it halted, and does not go on by itself; the error carries the job.
            JobTimeout: it has not ended within so many seconds; the error carries the job.
        """
        deadline, polls = Deadline(timeout), 0
        away: Deadline | None = None
        follows = self._transport.has_events
        if self._has_halted():  # somebody may have continued it since it was seen
            await self.refresh()
        while not self._has_ended():
            if self._has_halted():
                why = self.status.document["halted"]["why"]
                raise JobHalted(f"job {self.id} is halted: {why}", job=self)
            left = deadline.left()
            if left <= 0 and polls:
                raise JobTimeout(f"job {self.id} is {self._known()} after {timeout:g} seconds", job=self)
            if follows and left > _TOO_SHORT_S:
                follows = await self._follow(deadline)
                away = None if follows else away
                continue
            try:
                self._seen(await self._transport.job(self.id, within=max(left, _TOO_SHORT_S)))
                away = None
            except CancellistError as error:
                away = away or Deadline(_AWAY_S)
                if not may_pass(error) or away.left() <= 0:
                    raise
            polls += 1
            if not self._has_ended():
                await async_sleep(max(0.0, min(_poll_s(polls), deadline.left())))
        return self

    async def results(self, outcome: str | Iterable[str] | None = None) -> AsyncIterator[Result]:
        """Its results so far, in the order in which they were written.

        A page that was cut is asked for again, so nothing is missed and nothing comes twice.

        Args:
            outcome: only these, one or several; None is all.

        Raises:
            ResultsGone: results were trimmed; those that are left came before.
        """
        outcomes = [outcome] if isinstance(outcome, str) else list(outcome or ())
        cursor: str | None = None
        gone = 0
        while True:
            page = await self._transport.results(self.id, [str(one) for one in outcomes], cursor, _PAGE)
            for result in page.results:
                yield result
            gone = max(gone, page.gone)
            if page.next is None or page.next == cursor:
                break
            cursor = page.next
        if gone:
            raise ResultsGone(
                f"{gone:,} results of job {self.id} were trimmed; the others were given", code="results_gone"
            )

    async def pause(self) -> Self:
        """Pauses it; calls in flight end by themselves."""
        return self._seen(await self._transport.act(self.id, "pause"))

    async def resume(self) -> Self:
        """Resumes it."""
        return self._seen(await self._transport.act(self.id, "resume"))

    async def abort(self) -> Self:
        """Aborts it: what no call has taken becomes `aborted`."""
        return self._seen(await self._transport.act(self.id, "abort"))

    async def retry(
        self,
        outcomes: str | Iterable[str] | None = None,
        *,
        reason: str | None = None,
        requested_by: str | None = None,
        priority: str | None = None,
        deadline: When | None = None,
        start_at: When | None = None,
        snapshot: bool = False,
        override: str | None = None,
        host: str | None = None,
    ) -> "AsyncJob":
        """Hands in those of its references that have these outcomes as a new job; each job names the other.

        The same references are handed in again once: asked again, it is the same job.

        Args:
            outcomes: one or several; None is `failed`, `unconfirmed`, `expired` and `aborted`.
            reason: why; None is as in this job.
            requested_by: who wants it; None is the token's name.
            priority: None is as in this job.
            deadline: None is none.
            start_at: None is at once.
            snapshot: whether the record of each reference is kept before its call; also where this job has it.
            override: why the guards of the account are passed; needs a token with the role `approve`.
            host: the name of a platform that was never called before: so it is confirmed.

        Raises:
            JobStateError: it has not ended.
            InputError: none of its references has such an outcome, or an outcome makes no sense.
            IdempotencyConflict: it was retried before with another reason or priority.
            ResultsGone: results that it takes were trimmed.
        """
        words = [outcomes] if isinstance(outcomes, str) else list(outcomes or ())
        wanted = options(
            reason=reason,
            requested_by=requested_by,
            priority=priority,
            deadline=deadline,
            start_at=start_at,
            snapshot=snapshot,
            override=override,
            host=host,
        )
        document = await self._transport.retry(self.id, [str(one) for one in words], wanted)
        return AsyncJob(self._transport, document["job"], entry=None, status=JobStatus.of_document(document))

    async def update(self, *, priority: str | None = None, deadline: When | Keep | None = KEEP) -> Self:
        """Changes it while it has not ended. What waits takes its new place at once.

        Args:
            priority: the new one; None is as it is.
            deadline: the new one; None takes it back.

        Raises:
            JobStateError: it has ended, or its deadline has passed.
            InputError: the deadline is past, or not after the start.
        """
        return self._seen(await self._transport.update(self.id, changes(priority, deadline)))

    async def _follow(self, deadline: Deadline) -> bool:
        """Follows events until it has ended, the stream is cut, or time is short; False where none came."""
        quiet = min(_QUIET_S, deadline.left() / 2)
        came = False
        try:
            async with aclosing(self._transport.events(self.id, quiet)) as events:
                async for document in events:
                    came = True
                    if self._seen(document).status.ended or self._has_halted() or deadline.left() < quiet:
                        return True
        except CancellistError as error:
            if not (isinstance(error, UnsupportedError) or may_pass(error)):
                raise
        return came

    def _seen(self, document: Mapping[str, Any]) -> Self:
        self._status = JobStatus.of_document(document)
        return self

    def _has_ended(self) -> bool:
        """Whether it has ended, and its whole document is known; what a submission answers is a part of it."""
        return self._status is not None and self._status.ended and self._status.pending is not None

    def _has_halted(self) -> bool:
        """Whether it was seen halted, and why; what a submission answers does not say why."""
        return self._status is not None and self._status.document.get("halted") is not None

    def _known(self) -> str:
        return self._status.state if self._status else "not known"


def _poll_s(polls: int) -> float:
    """How long to wait before asking again: longer each time, and not all at once."""
    return min(_LONGEST_POLL_S, _FIRST_POLL_S * 1.5**polls) * random.uniform(0.75, 1.0)
