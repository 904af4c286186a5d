"""Makes a new job of those references of an ended job that have certain outcomes."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from cancellist.jobs.errors import (
    IdempotencyConflictError,
    InputError,
    JobStateError,
    NoReferencesError,
    ResultsGoneError,
    RetriedBeforeError,
    UnknownJobError,
)
from cancellist.jobs.ledger import records, results
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting import enqueue
from cancellist.jobs.ledger.submitting.enqueue import Submitted, Wanted
from cancellist.jobs.model import DONE, UNFINISHED, JobRecord, JobRequest, JobState, Outcome, Priority
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.safety.safeguards import Safeguards

CHOSEN: Final = UNFINISHED
"""The outcomes that are retried unless others are named."""
_NEVER: Final = {
    **dict.fromkeys(DONE, "nothing is left to cancel"),
    Outcome.INVALID: "it is no reference and is never sent",
    Outcome.MANIFESTED: "the platform says that it is too late for them; hand them in as a file if you are sure",
}
"""Outcomes that cannot be retried, and why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants of the new job. None is as in the old job, but there is no time unless it is given.

    Attributes:
        submitted_by: who hands it in, where that is known.
        override_reason: why the guards are passed, by a caller with the role `approve`; None where they are not.
    """

    reason: str | None = None
    requested_by: str | None = None
    priority: Priority | None = None
    deadline: str | None = None
    start_at: str | None = None
    submitted_by: str | None = None
    override_reason: str | None = None
    host: str | None = None
    """The only host that the new job may be called at; unset: that of the old job, where it has one."""
    snapshot: bool = False
    """Whether the record of each reference is kept before its call; also where the old job has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry that can be made.

    Attributes:
        record: the job whose references are retried.
        outcomes: of its results.
        asked: what the user wants of the new job.
    """

    record: JobRecord
    outcomes: frozenset[Outcome]
    asked: Asked

    @property
    def key(self) -> str:
        """The idempotency key of the new job: the same references of the same job are retried once."""
        return f"retry:{self.record.id}:{','.join(sorted(self.outcomes))}"

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many references have each outcome, where any has."""
        found = {outcome: self.record.outcomes.get(outcome, 0) for outcome in Outcome if outcome in self.outcomes}
        return {outcome: count for outcome, count in found.items() if count}

    @property
    def wanted(self) -> Wanted:
        """The new job without its references."""
        old, asked = self.record.order, self.asked
        return Wanted(
            account=old.account,
            reason=old.reason if asked.reason is None else asked.reason,
            requested_by=asked.requested_by or old.requested_by,
            priority=asked.priority or old.priority,
            deadline=asked.deadline,
            start_at=asked.start_at,
            idempotency_key=self.key,
            submitted_by=asked.submitted_by,
            overridden_by=asked.submitted_by if asked.override_reason else None,
            override_reason=asked.override_reason,
            snapshot=asked.snapshot,
            host=asked.host or old.host,
        )


def chosen(outcomes: Iterable[Outcome]) -> frozenset[Outcome]:
    """The outcomes to retry: these, or the usual ones where there are none.

    Raises:
        InputError: one of them makes no sense.
    """
    found = frozenset(outcomes)
    for outcome in Outcome:
        if outcome in found and outcome in _NEVER:
            others = ", ".join(one for one in Outcome if one not in _NEVER)
            raise InputError(f"{outcome} cannot be retried: {_NEVER[outcome]} (retried are {others})")
    return found or CHOSEN


async def plan(ledger: Ledger, job: str, outcomes: Iterable[Outcome], asked: Asked) -> Retry:
    """Looks whether a job can be retried; nothing is made yet.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has not ended.
        NoReferencesError: none of its references has such an outcome.
        InputError: an outcome makes no sense, or a time cannot be met.
    """
    picked = chosen(outcomes)
    record = await records.get(ledger, job)
    if record.state is JobState.SEALING:
        raise UnknownJobError(job)
    if not record.state.ended:
        raise JobStateError(job, record.state, "retried", hint="wait until it has ended, or abort it")
    retry = Retry(record, picked, asked)
    if not retry.counts:
        named = ", ".join(outcome for outcome in Outcome if outcome in picked)
        raise NoReferencesError(f"no reference of job {job} is {named}: there is nothing to retry")
    enqueue.request_of(retry.wanted, await ledger.now_ms())
    return retry


async def made_before(ledger: Ledger, retry: Retry) -> Submitted | None:
    """The job that was made of the same references before; None where there is none.

    Raises:
        RetriedBeforeError: it has another reason or priority than is asked for now.
    """
    for record in reversed(await records.several(ledger, retry.record.retried_by)):
        if record.order.idempotency_key == retry.key:
            return _same(retry, record)
    return None


def _same(retry: Retry, record: JobRecord) -> Submitted:
    asked, own = retry.asked, record.order
    for differs, wanted, found in (("reason", asked.reason, own.reason), ("priority", asked.priority, own.priority)):
        if wanted is not None and (wanted or None) != found:
            raise RetriedBeforeError(retry.record.id, record.id, differs)
    return Submitted(record.id, record.state, record.total, 0, 0, 0, same=True)


async def make(
    ledger: Ledger,
    retry: Retry,
    safeguards: Safeguards,
    *,
    idempotency_keep_s: float,
    per_call: int,
    on_page: Callable[[], Awaitable[None]] | None = None,
) -> Submitted:
    """Makes the new job, or returns the one that was made before. After an error nothing of it is left.

    Args:
        ledger: the ledger.
        retry: what to make.
        safeguards: those of its account.
        idempotency_keep_s: how long its key stays bound; it is also found by the old job's record.
        per_call: references a call, to work out how many drains the job can use.
        on_page: called again and again while results are read.

    Raises:
        InputError: a time cannot be met.
        ResultsGoneError: some of the results were trimmed.
        RetriedBeforeError: as `made_before`.
        GuardError: a guard of the account refuses it.
        LedgerError: the server cannot take the job.
    """
    if before := await made_before(ledger, retry):
        return before
    request: JobRequest = enqueue.request_of(retry.wanted, await ledger.now_ms())
    request = replace(request, retry_of=retry.record.id)
    left = _References(ledger, retry, on_page)
    old = retry.record.order
    again = safeguards.of_retry(retry.record.stop, old.canary, snapshot=old.snapshot)
    submission = await enqueue.fill(ledger, request, left, again)
    try:
        return await enqueue.seal(
            ledger, submission, request, left, idempotency_keep_s=idempotency_keep_s, per_call=per_call
        )
    except IdempotencyConflictError as conflict:  # another has just made it, perhaps in somebody else's name
        return _same(retry, await records.get(ledger, conflict.job))


class _References:
    """The references to retry, as entries that are handed in. Each has one result, so none comes twice."""

    duplicates = invalid = blank = 0

    def __init__(self, ledger: Ledger, retry: Retry, on_page: Callable[[], Awaitable[None]] | None) -> None:
        self._ledger = ledger
        self._retry = retry
        self._on_page = on_page
        self.total = 0

    async def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """Reads the results page by page, until every reference that the job has counted was found.

        Raises:
            ResultsGoneError: some of them were trimmed.
        """
        job, missing = self._retry.record.id, Counter(self._retry.counts)
        async with aclosing(results.of_job(self._ledger, job)) as pages:
            async for _, page in pages:
                if self._on_page:
                    await self._on_page()
                found = [result for result in page if result.outcome in self._retry.outcomes]
                missing.subtract(result.outcome for result in found)
                self.total += len(found)
                if found:
                    yield [result.reference for result in found], []
                if not any(missing.values()):
                    return
        raise ResultsGoneError(
            f"results of job {job} were trimmed, so its references are no longer known: nothing was handed in",
            hint="hand them in as a file",
        )
