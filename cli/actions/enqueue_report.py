"""From a file to a job in the ledger: what `enqueue` and `demo` share."""

import asyncio
import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cancellist.cli.actions import input_file
from cancellist.cli.actions.input_file import Feed, Listed, Reading
from cancellist.cli.output import wording
from cancellist.cli.terminal import say
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError, LedgerError, LedgerRefusedError
from cancellist.jobs.ledger import drains, housekeeping, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Priority
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
    """A job that was handed in; `same` where its idempotency key named it before."""

    job: str
    state: JobState
    total: int
    duplicates: int
    invalid: int
    blank: int
    same: bool

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


def now_ms() -> int:
    """This machine's clock, for what is checked before there is a server."""
    return time.time_ns() // 1_000_000


def check_form(wanted: Wanted) -> None:
    """Checks that times are times, before a server is asked; whether they are past, its clock says and not ours.

    Raises:
        InputError: one is none.
    """
    for when in filter(None, (wanted.deadline, wanted.start_at)):
        parse_when_ms(when, now_ms=now_ms())


def order(wanted: Wanted, at_ms: int) -> JobRequest:
    """The order that a user asks for at this moment.

    Raises:
        InputError: its times cannot be met.
    """
    deadline_ms = parse_when_ms(wanted.deadline, now_ms=at_ms) if wanted.deadline else None
    start_at_ms = parse_when_ms(wanted.start_at, now_ms=at_ms) if wanted.start_at else None
    if deadline_ms is not None and deadline_ms <= at_ms:
        raise InputError(f"the deadline, {rfc3339(deadline_ms)}, is past: give a later --deadline")
    if deadline_ms is not None and start_at_ms is not None and start_at_ms >= deadline_ms:
        raise InputError(
            f"the start, {rfc3339(start_at_ms)}, is not before the deadline, {rfc3339(deadline_ms)}: "
            "give an earlier --start-at or a later --deadline"
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


async def submit(ledger: Ledger, wanted: JobRequest, feed: Feed, settings: Settings) -> Submitted:
    """Hands in all that a file holds as one job, and wakes the workers.

    Raises:
        InputError: the file cannot be used; nothing of it can be seen.
        IdempotencyConflictError: the key is bound to other content.
        LedgerError: the server does not take it.
    """
    submission = Submission(ledger, wanted)
    try:
        async for references, invalid in feed.batches():
            await submission.add(references, invalid)
        input_file.tell(feed)
    except BaseException as error:
        await asyncio.shield(submission.discard())
        if isinstance(error, asyncio.CancelledError):
            say("interrupted: nothing was handed in")
        raise
    sealed = await submission.seal(
        duplicates=feed.duplicates,
        idempotency_keep_s=settings.idempotency_keep,
        per_call=settings.of(wanted.account).max_references_per_call,
    )
    if sealed is None:
        raise AssertionError("only a job of the intake stream can have been taken")
    state = sealed.state
    try:
        await drains.enqueue(ledger, wanted.account, sealed.drains)
        if feed.invalid and not sealed.same:
            with contextlib.suppress(LedgerRefusedError):  # who may write no results leaves these to the workers
                await housekeeping.slices(ledger, wanted.account, sealed.job)
            state = (await records.get(ledger, sealed.job)).state
    except LedgerError as error:  # it is handed in, and its id must be told: else a second attempt makes a second job
        say(f"job {sealed.job} is handed in; workers could not be told at once: {error}")
    return Submitted(sealed.job, state, feed.total, feed.duplicates, feed.invalid, feed.blank, sealed.same)


async def dry_run(wanted: JobRequest, feed: Feed, settings: Settings) -> dict[str, Any]:
    """Reads and checks all that a file holds, and says what would be handed in.

    Raises:
        InputError: the file cannot be used.
    """
    async for _ in feed.batches():
        pass
    input_file.tell(feed)
    own = settings.of(wanted.account)
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
        "calls": math.ceil(feed.valid / own.max_references_per_call),
        "platform": own.api_url,
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


def tell_submitted(submitted: Submitted) -> None:
    """Says what became of a file."""
    if submitted.same:
        say(f"job {submitted.job} was handed in before under this idempotency key, with the same content; it stands")
        return
    notes = [f"{wording.count(submitted.duplicates)} duplicates left out"] if submitted.duplicates else []
    notes += [f"{wording.count(submitted.invalid)} malformed, never sent"] if submitted.invalid else []
    notes += [f"{wording.count(submitted.blank)} blank, passed over"] if submitted.blank else []
    say(
        f"job {submitted.job} is {submitted.state} with {wording.references(submitted.total)}"
        + (f" ({', '.join(notes)})" if notes else "")
    )
