"""Keeps the record of each consignment before its call, for jobs that want it. What cannot be kept is not called.

Each record is read by a request of its own, one after another, in the slot of the claim: so no more calls are in flight
than allowed. Under a rate limit the ledger has granted a token for each (lua/shared/claims.lua), and they are spaced.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

import structlog

from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.status_read import Unread, judge_reading
from cancellist.jobs.responses.verdicts import OF_THE_CALLER, Untaken, Verdict
from cancellist.jobs.safety.snapshot import Entry, fit
from cancellist.worker.calls.deallocation import unread
from cancellist.worker.calls.log_throttle import LogThrottle
from cancellist.worker.platform.client import MaySend, PlatformClient
from cancellist.worker.snapshots.store import DIR_SETTING, NotKeptError, SnapshotStore

log = structlog.get_logger()

NOT_KEPT: Final = "its record could not be kept"
_WRONG_IN_A_ROW: Final = 3
_ERRORS: Final = 400


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept before a call.

    Attributes:
        stopped: the verdicts of references that must not be called now.
        answer: the answer that stopped some of them; None where all are kept.
        answered: whether that answer is about the references.
    """

    stopped: Mapping[str, Verdict] = field(default_factory=dict)
    answer: Answer | Failure | None = None
    answered: bool = False


class RecordKeeper:
    """Keeps the records of one account's consignments.

    Args:
        client: reads them.
        store: keeps them; None where this worker has no folder for them.
        account: its name.
        host: the platform's host.
    """

    def __init__(self, client: PlatformClient, store: SnapshotStore | None, account: str, host: str) -> None:
        self._client = client
        self._store = store
        self._account = account
        self._host = host
        self._throttle = LogThrottle()

    async def keep(self, claim: Claim, may_send: MaySend) -> Kept:
        """Reads and keeps the record of each reference that a job of the claim wants kept.

        A reference that two jobs of the claim name goes to no call unless its record is kept for each that wants it.
        """
        wanted = list(dict.fromkeys(r for part in claim.parts if part.job in claim.kept for r in part.piece.references))
        if self._store is None:
            return self._unkept(wanted, f"this worker has no {DIR_SETTING}", sent=False)
        try:
            await asyncio.to_thread(self._store.check)
        except NotKeptError as error:
            return self._unkept(wanted, str(error), sent=False)
        read = await self._read(wanted, claim.apart_us / 1e6, may_send)
        left = {reference for reference in wanted if reference not in read.stopped}
        unkept: dict[str, Verdict] = {}
        answer: Answer | Failure | None = read.answer
        for job in sorted(claim.kept):
            entries = self._entries(claim, job, read, left)
            try:
                if entries:
                    await asyncio.to_thread(self._store.keep, job, entries)
            except NotKeptError as error:
                failed = self._unkept([entry.reference for entry in entries], str(error), sent=True)
                unkept |= failed.stopped
                answer = answer or failed.answer
        return Kept({**unkept, **read.stopped}, answer, answered=read.answered or bool(left))

    def _entries(self, claim: Claim, job: str, read: "_Read", left: set[str]) -> list[Entry]:
        worker = self._store.worker if self._store else ""
        return [
            Entry(job, reference, at_ms, self._account, self._host, worker, part.piece.maybe_sent, record)
            for part in claim.parts
            if part.job == job
            for reference in part.piece.references
            if reference in left
            for at_ms, record in [read.records[reference]]
        ]

    async def _read(self, references: list[str], apart_s: float, may_send: MaySend) -> "_Read":
        read, wrong = _Read(), 0
        for n, reference in enumerate(references):
            began_at = monotonic()
            answer = await self._client.record(reference, may_send)
            record = fit(reference, answer)
            if record is not None:
                wrong = 0
                read.records[reference] = time.time_ns() // 1_000_000, record
            else:
                wrong += 1
                verdict, answered = _verdict(reference, answer)
                read.answer = _without_record(answer)
                read.stopped[reference] = verdict
                if _of_the_account(verdict):  # it may not call now: no reference was touched
                    return _Read(stopped=dict.fromkeys(references, verdict), answer=read.answer)
                read.answered = read.answered or answered
                if wrong >= _WRONG_IN_A_ROW:
                    untried = Untaken(f"{NOT_KEPT}: those of others could not be read", counted=False, sent=False)
                    read.stopped |= dict.fromkeys(references[n + 1 :], untried)
                    return read
            await asyncio.sleep(began_at + apart_s - monotonic())
        return read

    def _unkept(self, references: list[str], why: str, *, sent: bool) -> Kept:
        """Logs that no record of these can be kept, for a reason on this machine."""
        untold = self._throttle.due(("unkept", why))
        if untold is not None:
            log.error(
                "records could not be kept, so their consignments are not cancelled",
                account=self._account, references=len(references), reason=why,
                **({"like_it_before": untold} if untold else {}),
            )  # fmt: skip
        verdict = Untaken(f"{NOT_KEPT}: {why}", sent=sent)
        return Kept(dict.fromkeys(references, verdict), Failure(verdict.reason, written=False, withheld=True))


@dataclass(slots=True)
class _Read:
    """The records that were read, each with its time, and the verdicts of the references that are stopped."""

    records: dict[str, tuple[int, Mapping[str, object]]] = field(default_factory=dict)
    stopped: dict[str, Verdict] = field(default_factory=dict)
    answer: Answer | Failure | None = None
    answered: bool = False


def _verdict(reference: str, answer: Answer | Failure) -> tuple[Untaken, bool]:
    """The verdict of a reference whose record could not be read, and whether the answer was about it.

    It was only asked for, so the platform did not act.
    """
    dated = replace(answer, unmodified_s=None) if isinstance(answer, Answer) else answer
    reading = judge_reading(reference, dated, since_call_s=0.0)
    if isinstance(reading, Unread):
        return unread(reading, answer, NOT_KEPT), reading.answered
    status = answer.status if isinstance(answer, Answer) else None
    return Untaken(f"{NOT_KEPT}: HTTP {status}, and no record of it", status, asked=True), True


def _of_the_account(verdict: Untaken) -> bool:
    """Whether the caller was refused, or nothing was sent, so that no call may follow what was read."""
    return verdict.alone_after == OF_THE_CALLER or (verdict.status is None and not verdict.counted)


def _without_record(answer: Answer | Failure) -> Answer | Failure:
    """The answer without what may be somebody's record: it goes to logs and into the ledger."""
    return replace(answer, body=None) if isinstance(answer, Answer) and answer.status < _ERRORS else answer
