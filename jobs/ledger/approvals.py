"""Approvals: others than who handed a job in let it start, or reject it."""

from typing import Any

import orjson

from cancellist.jobs.errors import ApprovalMismatchError, ForbiddenError, JobStateError, LedgerError
from cancellist.jobs.ledger import audit, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.housekeeping import slices
from cancellist.jobs.ledger.pieces import unpack_piece
from cancellist.jobs.ledger.server.connection import translated


async def approve(ledger: Ledger, job: str, by: str, *, count: int, digest: str, per_call: int) -> list[str]:
    """Approves a job that waits for it; returns the drains to enqueue. Approving again changes nothing.

    Args:
        ledger: the ledger.
        job: its id.
        by: who approves.
        count: the references that would be cancelled, as who approves has seen them.
        digest: the digest of the job's content, likewise.
        per_call: references a call, to work out how many drains the job can use.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it waits for no approval.
        ForbiddenError: who approves has handed it in.
        ApprovalMismatchError: it has another count or digest.
    """
    return await _run(ledger, job, {"act": "approve", "by": by, "count": count, "digest": digest}, per_call)


async def take_back(ledger: Ledger, job: str, by: str, per_call: int) -> list[str]:
    """Takes back an approval before the job has started; returns the drains to enqueue.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has started or ended, or this person has not approved it.
    """
    return await _run(ledger, job, {"act": "take_back", "by": by}, per_call)


async def reject(ledger: Ledger, job: str, by: str, reason: str) -> None:
    """Rejects a job that waits for approval, or has it and has not started: it is aborted.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has started or ended, or needs no approval.
    """
    account = (await records.get(ledger, job)).order.account
    await _run(ledger, job, {"act": "reject", "by": by, "reason": reason}, 1)
    await slices(ledger, account, job)


async def examples(ledger: Ledger, job: str, most: int = 5) -> list[str]:
    """Some references that a job would cancel: its first ones, and its last."""
    with translated():
        ends = [await ledger.redis.lrange(f"{ledger.keys.job(job)}:calls", at, at) for at in (0, -1)]
    pieces = [unpack_piece(end[0]).references for end in ends if end]
    if not pieces:
        return []
    return list(dict.fromkeys([*pieces[0][: most - 1], pieces[-1][-1]]))


async def _run(ledger: Ledger, job: str, document: dict[str, Any], per_call: int) -> list[str]:
    account = (await records.get(ledger, job)).order.account
    async with audit.recorded(ledger, document["act"].replace("_", " "), job=job, account=account) as act:
        if "count" in document:
            act.about = f"{document['count']} references"
        reply = await ledger.run("approve", account, job, orjson.dumps(document), per_call)
        word, state, *drains = (part.decode() for part in reply)
        _check(job, word, state, document["by"])
    return drains


def _check(job: str, word: str, state: str, by: str) -> None:
    """Raises what the script's answer means."""
    match word:
        case "done":
            pass
        case "state":
            raise JobStateError(job, state, "approved or rejected: it waits for no approval")
        case "none":
            raise JobStateError(job, state, f"changed so: {by} has not approved it")
        case "lapsed":
            raise JobStateError(job, state, "approved: it was not approved in time, and is aborted")
        case "own":
            raise ForbiddenError(f"{by} handed job {job} in, so another person must approve it")
        case "mismatch":
            raise ApprovalMismatchError(job)
        case other:
            raise LedgerError(f"the server answered {other!r} to an approval of job {job}")
