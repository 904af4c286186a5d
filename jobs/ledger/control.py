"""Pausing, resuming and aborting; the sweep and its slices; the account's gate."""

from cancellist.jobs.errors import JobStateError
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.accounts import text
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.housekeeping import slices
from cancellist.jobs.model import JobRecord, JobState


async def pause_job(ledger: Ledger, job: str) -> JobState:
    """Pauses a job; nothing of it is claimed any more.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended.
    """
    record = await records.get(ledger, job)
    state = text(await ledger.run("pause", record.order.account, job))
    return _expect(record, state, JobState.PAUSED, "paused")


async def pause_account(ledger: Ledger, account: str) -> None:
    """Pauses an account: none of its jobs is claimed any more."""
    await ledger.run("pause", account, "")


async def resume_job(ledger: Ledger, job: str, per_call: int) -> tuple[JobState, list[str]]:
    """Resumes a paused job; answers its state and the drains to enqueue.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended.
    """
    record = await records.get(ledger, job)
    reply = await ledger.run("resume", record.order.account, job, per_call)
    state = JobState(text(reply[0]))
    if state.ended or state is JobState.ABORTING:
        raise JobStateError(job, state, "resumed")
    return state, [text(name) for name in reply[1:]]


async def resume_account(ledger: Ledger, account: str, per_call: int) -> list[str]:
    """Resumes an account, and has an open breaker probe at once; answers the drains to enqueue."""
    from cancellist.jobs.ledger import flow_state  # noqa: PLC0415 - flow control, which nothing else here needs

    await flow_state.probe(ledger, account)
    reply = await ledger.run("resume", account, "", per_call)
    return [text(name) for name in reply[1:]]


async def abort_job(ledger: Ledger, job: str) -> JobState:
    """Aborts a job: what was never sent is `aborted` when this answers; what is in flight ends as it ends.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended otherwise.
    """
    record = await records.get(ledger, job)
    state = text(await ledger.run("abort", record.order.account, job))
    if state == JobState.ABORTED:
        return JobState.ABORTED
    _expect(record, state, JobState.ABORTING, "aborted")
    await slices(ledger, record.order.account, job)
    return (await records.get(ledger, job)).state


def _expect(record: JobRecord, state: str, wanted: JobState, word: str) -> JobState:
    if state == wanted:
        return wanted
    raise JobStateError(record.id, state, word)
