"""Pause, resume, continue and abort."""

from collections.abc import Awaitable, Callable

from cancellist.jobs.errors import JobStateError
from cancellist.jobs.ledger import audit, records
from cancellist.jobs.ledger.accounts import text
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.housekeeping import slices
from cancellist.jobs.model import JobRecord, JobState

LettingGoOn = Callable[[Ledger, str, int], Awaitable[tuple[JobState, list[str]]]]
"""Lets a job go on (`resume_job`, `continue_job`): the ledger, the job, and how many references a call may name."""


async def pause_job(ledger: Ledger, job: str) -> JobState:
    """Pauses a job: none of its references is claimed until it is resumed. Pausing again changes nothing.

    Raises:
        UnknownJobError: no such job.
        JobStateError: the job has ended, or is being aborted.
    """
    record = await records.get(ledger, job)
    async with audit.recorded(ledger, "pause", job=job, account=record.order.account):
        state = text(await ledger.run("pause", record.order.account, job))
        return _expect(record, state, JobState.PAUSED, "paused")


async def pause_account(ledger: Ledger, account: str) -> None:
    """Pauses an account: none of its references is claimed until it is resumed. Pausing again changes nothing."""
    async with audit.recorded(ledger, "pause", account=account):
        await ledger.run("pause", account, "")


async def resume_job(ledger: Ledger, job: str, per_call: int) -> tuple[JobState, list[str]]:
    """Resumes a paused or halted job; returns its state and the drains to enqueue. Other jobs stay as they are.

    Raises:
        UnknownJobError: no such job.
        JobStateError: the job has ended, or is being aborted.
    """
    record = await records.get(ledger, job)
    async with audit.recorded(ledger, "resume", job=job, account=record.order.account):
        reply = await ledger.run("resume", record.order.account, job, per_call, "")
        state = JobState(text(reply[0]))
        if state.ended or state is JobState.ABORTING:
            raise JobStateError(job, state, "resumed")
    return state, [text(name) for name in reply[1:]]


async def continue_job(ledger: Ledger, job: str, per_call: int) -> tuple[JobState, list[str]]:
    """Lets a halted job go on; its failure stop counts from here on. Returns its state and the drains to enqueue.

    Raises:
        UnknownJobError: no such job.
        JobStateError: the job is not halted.
    """
    record = await records.get(ledger, job)
    async with audit.recorded(ledger, "continue", job=job, account=record.order.account):
        if record.state is not JobState.HALTED:
            raise JobStateError(job, record.state, "continued: only a halted job can be")
        reply = await ledger.run("resume", record.order.account, job, per_call, "1")
    return JobState(text(reply[0])), [text(name) for name in reply[1:]]


async def resume_account(ledger: Ledger, account: str, per_call: int) -> list[str]:
    """Resumes an account, and lets an open breaker probe at once; returns the drains to enqueue."""
    from cancellist.jobs.ledger import flow_state  # noqa: PLC0415 - flow control, which nothing else here needs

    async with audit.recorded(ledger, "resume", account=account):
        await flow_state.probe(ledger, account)
        reply = await ledger.run("resume", account, "", per_call, "")
    return [text(name) for name in reply[1:]]


async def abort_job(ledger: Ledger, job: str) -> JobState:
    """Aborts a job; returns its state. Aborting again changes nothing.

    References that were never sent have the result `aborted` on return. Calls in flight end with their own results.

    Raises:
        UnknownJobError: no such job.
        JobStateError: the job is completed.
    """
    record = await records.get(ledger, job)
    async with audit.recorded(ledger, "abort", job=job, account=record.order.account):
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
