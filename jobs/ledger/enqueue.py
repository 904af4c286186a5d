"""From inputs to a job in the ledger: what every way in shares."""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cancellist.jobs.errors import InputError, LedgerError, LedgerRefusedError
from cancellist.jobs.ledger import drains, housekeeping, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.input_feed import Feed, Listed, Reading
from cancellist.jobs.ledger.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Priority
from cancellist.jobs.option_names import DEADLINE, START_AT
from cancellist.jobs.parsing.references import shown
from cancellist.jobs.times import parse_when_ms, rfc3339


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user asks for, apart from the references; times are still as they were written."""

    account: str
    reason: str | None
    requested_by: str | None
    priority: Priority
    deadline: str | None
    start_at: str | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was handed in; `same` where its idempotency key named it before.

    `untold` says why workers could not be told of it at once: it is handed in all the same.
    """

    job: str
    state: JobState
    total: int
    duplicates: int
    invalid: int
    blank: int
    same: bool
    untold: LedgerError | None = None

    def document(self) -> dict[str, Any]:
        """The contract's document of it."""
        return {
            "job": self.job,
            "state": self.state,
            "total": self.total,
            "duplicates": self.duplicates,
            "invalid": self.invalid,
            "blank": self.blank,
        }


def check_form(wanted: Wanted, now_ms: int) -> None:
    """Checks that times are times, before a server is asked; whether they are past, its clock says and not ours.

    Raises:
        InputError: one is none.
    """
    for when in filter(None, (wanted.deadline, wanted.start_at)):
        parse_when_ms(when, now_ms=now_ms)


def request_of(wanted: Wanted, at_ms: int) -> JobRequest:
    """The request that a user makes at this moment.

    Raises:
        InputError: its times cannot be met.
    """
    deadline_ms = parse_when_ms(wanted.deadline, now_ms=at_ms) if wanted.deadline else None
    start_at_ms = parse_when_ms(wanted.start_at, now_ms=at_ms) if wanted.start_at else None
    if deadline_ms is not None and deadline_ms <= at_ms:
        raise InputError(f"the deadline, {rfc3339(deadline_ms)}, is past: give a later {DEADLINE}")
    if deadline_ms is not None and start_at_ms is not None and start_at_ms >= deadline_ms:
        raise InputError(
            f"the start, {rfc3339(start_at_ms)}, is not before the deadline, {rfc3339(deadline_ms)}: "
            f"give an earlier {START_AT} or a later {DEADLINE}"
        )
    return JobRequest(
        account=wanted.account,
        reason=wanted.reason or None,
        requested_by=wanted.requested_by or None,
        priority=wanted.priority,
        deadline_ms=deadline_ms,
        start_at_ms=start_at_ms,
        idempotency_key=wanted.idempotency_key,
    )


async def fill(ledger: Ledger, wanted: JobRequest, feed: Feed) -> Submission:
    """Puts all that was given into a submission, of which nothing can be seen before it is sealed.

    Whatever goes wrong, nothing of it is left.

    Raises:
        InputError: the input cannot be used.
        LedgerError: the server does not take it.
    """
    submission = Submission(ledger, wanted)
    try:
        async with aclosing(feed.batches()) as batches:
            async for references, invalid in batches:
                await submission.add(references, invalid)
    except BaseException:
        await asyncio.shield(submission.discard())
        raise
    return submission


async def seal(
    ledger: Ledger, submission: Submission, wanted: JobRequest, feed: Feed, *, idempotency_keep_s: float, per_call: int
) -> Submitted:
    """Hands in what was filled as one job, and wakes the workers.

    Raises:
        IdempotencyConflictError: the key is bound to other content.
        LedgerError: the server does not take it.
    """
    sealed = await submission.seal(duplicates=feed.duplicates, idempotency_keep_s=idempotency_keep_s, per_call=per_call)
    if sealed is None:
        raise AssertionError("only a job of the intake stream can have been taken")
    state, untold = sealed.state, None
    try:
        await drains.enqueue(ledger, wanted.account, sealed.drains)
        if feed.invalid and not sealed.same:
            with contextlib.suppress(LedgerRefusedError):  # who may write no results leaves these to the workers
                await housekeeping.slices(ledger, wanted.account, sealed.job)
            state = (await records.get(ledger, sealed.job)).state
    except LedgerError as error:  # it is handed in, and its id must be told: else a second attempt makes a second job
        untold = error
    return Submitted(sealed.job, state, feed.total, feed.duplicates, feed.invalid, feed.blank, sealed.same, untold)


async def dry_run(wanted: JobRequest, feed: Feed, *, per_call: int, platform: str) -> dict[str, Any]:
    """Reads and checks all that was given, and answers the contract's document of what would be handed in.

    Raises:
        InputError: it cannot be used.
    """
    async with aclosing(feed.batches()) as batches:
        async for _ in batches:
            pass
    return {
        "dry_run": True,
        "job": None,
        "state": None,
        **_in_common([_understood(one) for one in feed.readings]),
        "total": feed.total,
        "duplicates": feed.duplicates,
        "invalid": feed.invalid,
        "blank": feed.blank,
        "malformed": [_malformed(one) for one in feed.listed],
        "files": [
            {
                "file": one.name,
                **_understood(one),
                "references": one.references,
                "invalid": one.invalid,
                "blank": one.blank,
                "notes": [shown(note) for note in one.reader.warnings],
            }
            for one in feed.readings
        ],
        "calls": math.ceil(feed.valid / per_call),
        "platform": platform,
        "account": wanted.account,
        "priority": wanted.priority,
        "reason": wanted.reason,
        "requested_by": wanted.requested_by,
        "deadline": rfc3339(wanted.deadline_ms),
        "start_at": rfc3339(wanted.start_at_ms),
        "idempotency_key": wanted.idempotency_key,
    }


def _understood(one: Reading) -> dict[str, Any]:
    """How a file is read."""
    reader = one.reader
    return {
        "form": reader.form,
        "gzip": reader.packed,
        "encoding": reader.encoding,
        "delimiter": reader.delimiter,
        "column": reader.column,
        "column_number": reader.position,
    }


def _in_common(understood: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What holds for all files; None where they differ."""
    first = understood[0]
    return {name: value if all(one[name] == value for one in understood) else None for name, value in first.items()}


def _malformed(one: Listed) -> dict[str, Any]:
    return {"file": one.file, "line": one.entry.line, "text": one.entry.text, "reason": one.entry.reason}
