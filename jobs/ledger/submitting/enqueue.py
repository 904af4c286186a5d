"""Makes one job from inputs. Every way to hand in a job uses these functions."""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from cancellist.jobs.errors import InputError, LedgerError, LedgerRefusedError
from cancellist.jobs.escaping import shown
from cancellist.jobs.ledger import audit, drains, hosts, housekeeping, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting.input_feed import Entries, Feed, FileReading, MalformedEntry
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Priority
from cancellist.jobs.option_names import DEADLINE, START_AT
from cancellist.jobs.safety.safeguards import Safeguards
from cancellist.jobs.times import parse_span_s, parse_when_ms, rfc3339


@dataclass(frozen=True, slots=True)
class Wanted:
    """A user's request without the references. Times are still the user's text."""

    account: str
    reason: str | None
    requested_by: str | None
    priority: Priority
    deadline: str | None
    start_at: str | None
    idempotency_key: str | None
    hold: str | None = None
    submitted_by: str | None = None
    max_refused: str | None = None
    max_unconfirmed: str | None = None
    canary: int | None = None
    snapshot: bool = False
    """Whether the record of each reference is kept before its call."""
    overridden_by: str | None = None
    """Who passes the guards of the account: a caller with the role `approve`. `override_reason` has why."""
    override_reason: str | None = None
    host: str | None = None
    """The name of the host: so a person confirms one that was never called before. The job is called at no other."""
    plan: str | None = field(default=None, repr=False)
    expect_count: int | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was handed in; `same` says that its idempotency key named it before.

    `untold` is the error for which workers could not be woken at once. The job is handed in all the same.
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
        """The contract's JSON document of it."""
        return {
            "job": self.job,
            "state": self.state,
            "total": self.total,
            "duplicates": self.duplicates,
            "invalid": self.invalid,
            "blank": self.blank,
        }


def check_form(wanted: Wanted, now_ms: int) -> None:
    """Checks the form of the times before the server is asked. Whether they are past is for the server's clock to say.

    Raises:
        InputError: a text is no time.
    """
    for when in filter(None, (wanted.deadline, wanted.start_at)):
        parse_when_ms(when, now_ms=now_ms)


def request_of(wanted: Wanted, at_ms: int) -> JobRequest:
    """Converts a user's request; spans count from `at_ms`.

    Raises:
        InputError: the deadline is past, or not after the start.
    """
    start_at_ms = parse_when_ms(wanted.start_at, now_ms=at_ms) if wanted.start_at else None
    hold_ms = round(parse_span_s(wanted.hold) * 1000) if wanted.hold else 0
    begins_ms = max(start_at_ms or 0, at_ms + hold_ms) if start_at_ms or hold_ms else None
    by_ms = deadline_ms(wanted.deadline, begins_ms, at_ms) if wanted.deadline else None
    return JobRequest(
        account=wanted.account,
        reason=wanted.reason or None,
        requested_by=wanted.requested_by or None,
        priority=wanted.priority,
        deadline_ms=by_ms,
        start_at_ms=start_at_ms,
        idempotency_key=wanted.idempotency_key,
        hold_ms=hold_ms,
        submitted_by=wanted.submitted_by,
        max_refused=wanted.max_refused,
        max_unconfirmed=wanted.max_unconfirmed,
        canary=wanted.canary or 0,
        snapshot=wanted.snapshot,
        overridden_by=wanted.overridden_by,
        override_reason=wanted.override_reason,
        plan=wanted.plan,
        expect_count=wanted.expect_count,
        host=hosts.as_named(wanted.host),
    )


def deadline_ms(text: str, start_at_ms: int | None, at_ms: int) -> int:
    """A user's deadline for a job that starts then; a span counts from `at_ms`.

    Raises:
        InputError: it is past, or not after the start.
    """
    by_ms = parse_when_ms(text, now_ms=at_ms)
    if by_ms <= at_ms:
        raise InputError(f"the deadline, {rfc3339(by_ms)}, is past: give a later {DEADLINE}")
    if start_at_ms is not None and start_at_ms >= by_ms:
        raise InputError(
            f"the start, {rfc3339(start_at_ms)}, is not before the deadline, {rfc3339(by_ms)}: "
            f"give an earlier {START_AT} or a later {DEADLINE}"
        )
    return by_ms


async def fill(ledger: Ledger, wanted: JobRequest, feed: Entries, safeguards: Safeguards) -> Submission:
    """Puts all references of the inputs into a submission. Nothing is visible before it is sealed.

    After an error nothing of it is left.

    Raises:
        InputError: an input cannot be used.
        LedgerError: the server cannot take the references.
    """
    submission = Submission(ledger, wanted, safeguards)
    try:
        async with aclosing(feed.batches()) as batches:
            async for references, invalid in batches:
                await submission.add(references, invalid)
    except BaseException:
        await asyncio.shield(submission.discard())
        raise
    return submission


async def seal(
    ledger: Ledger,
    submission: Submission,
    wanted: JobRequest,
    feed: Entries,
    *,
    idempotency_keep_s: float,
    per_call: int,
) -> Submitted:
    """Seals a submission as one job, and wakes the workers.

    Raises:
        IdempotencyConflictError: the key is bound to other content.
        GuardError: a guard of the account refuses the job.
        PlanError: they are not the references that were planned.
        CountMismatchError: there are more or fewer than were said to be.
        LedgerError: the server cannot take the job.
    """
    async with audit.recorded(ledger, "retry" if wanted.retry_of else "enqueue", account=wanted.account) as act:
        sealed = await submission.seal(
            duplicates=feed.duplicates, idempotency_keep_s=idempotency_keep_s, per_call=per_call
        )
        if sealed is None:
            raise AssertionError("only a job of the intake stream can have been taken")
        overridden = f", guards overridden by {wanted.overridden_by}" if wanted.overridden_by else ""
        act.about = "it was handed in before" if sealed.same else f"{feed.total} references{overridden}"
        act.job = sealed.job
    state, untold = sealed.state, None
    try:
        await drains.schedule(ledger, wanted.account, sealed.drains)
        if feed.invalid and not sealed.same:
            with contextlib.suppress(LedgerRefusedError):  # workers write them where this user may not
                await housekeeping.slices(ledger, wanted.account, sealed.job)
            state = (await records.get(ledger, sealed.job)).state
    except LedgerError as error:  # the job exists: without its id the user would hand it in a second time
        untold = error
    return Submitted(sealed.job, state, feed.total, feed.duplicates, feed.invalid, feed.blank, sealed.same, untold)


async def dry_run(wanted: JobRequest, feed: Feed, *, per_call: int, platform: str) -> dict[str, Any]:
    """Reads and checks all inputs; returns the contract's JSON document of the job that they would make.

    Raises:
        InputError: an input cannot be used.
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


def _understood(one: FileReading) -> dict[str, Any]:
    """The form in which a file was read."""
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
    """The values that all files share; None where they differ."""
    first = understood[0]
    return {name: value if all(one[name] == value for one in understood) else None for name, value in first.items()}


def _malformed(one: MalformedEntry) -> dict[str, Any]:
    return {"file": one.file, "line": one.entry.line, "text": one.entry.text, "reason": one.entry.reason}
