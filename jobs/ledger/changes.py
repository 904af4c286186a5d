"""Changes the priority or the deadline of a job that has not ended."""

from dataclasses import dataclass
from typing import Any

import orjson

from cancellist.jobs.errors import JobChangedError, JobStateError, LedgerError, UnknownJobError
from cancellist.jobs.ledger import audit, housekeeping, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting import enqueue
from cancellist.jobs.model import JobRecord, JobState, Priority


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed. None stays as it is; a deadline is the user's text."""

    priority: Priority | None = None
    deadline: str | None = None
    no_deadline: bool = False


async def update(ledger: Ledger, job: str, change: Change, *, revision: int | None = None) -> None:
    """Changes a job. What waits takes its new place at once, and calls that have started end as they end.

    Args:
        ledger: the ledger.
        job: its id.
        change: what to change.
        revision: where it is given, the job must not have been changed since it had this revision.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended, is being aborted, or is past the deadline that is to be moved.
        JobChangedError: it has another revision.
        InputError: the new deadline is past, or not after the start.
    """
    record = await records.get(ledger, job)
    if record.state is JobState.SEALING:
        raise UnknownJobError(job)
    account = record.order.account
    async with audit.recorded(ledger, "update", job=job, account=account) as act:
        document = _document(record, change, await ledger.now_ms())
        act.about = " ".join(f"{name}={document[name]}" for name in ("priority", "deadline") if name in document)
        if revision is not None:
            document["revision"] = revision
        word, state, more = await ledger.run("update", account, job, orjson.dumps(document))
        _check(job, word.decode(), state.decode())
    if more:
        await housekeeping.slices(ledger, account, job)


def _check(job: str, word: str, state: str) -> None:
    """Raises what the script's answer means."""
    match word:
        case "done":
            pass
        case "state":
            raise JobStateError(job, state, "changed")
        case "past":
            hint = "once it has ended, `cancellist retry` hands in what is expired"
            raise JobStateError(job, "past its deadline", "given another", hint=hint)
        case "stale":
            raise JobChangedError(job)
        case other:
            raise LedgerError(f"the server answered {other!r} to a change of job {job}")


def _document(record: JobRecord, change: Change, now_ms: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if change.priority is not None:
        document |= {"priority": change.priority.value, "class": change.priority.rank}
    if change.no_deadline:
        document["deadline"] = 0
    elif change.deadline is not None:
        document["deadline"] = enqueue.deadline_ms(change.deadline, record.order.start_at_ms, now_ms)
    return document
