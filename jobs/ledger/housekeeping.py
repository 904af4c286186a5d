"""Housekeeping that any worker may do: the sweep, its slices, and the trimming of old records."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from cancellist.jobs.ledger.accounts import text
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.safety.safeguards import NONE, Safeguards

if TYPE_CHECKING:
    from cancellist.jobs.ledger.claims import Terms

SLICE = 500
"""References in one slice, which takes a few milliseconds of the server's time."""
UNSEALED_KEPT_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a sweep: whether another is due at once, claims taken over, and drains to enqueue.

    `sliceable` says that a job has work for `slice_oldest`, and `unkept` is a job that waits since no live worker can
    keep its records.
    """

    more: bool
    taken_over: int
    sliceable: bool
    drains: tuple[str, ...]
    unkept: str = ""


async def slices(ledger: Ledger, account: str, job: str) -> None:
    """Writes the results of a job's malformed lines, abort or expiry, slice by slice, until none is left."""
    while (await ledger.run("slice", account, job, SLICE))[1]:
        pass


async def slice_oldest(ledger: Ledger, account: str) -> bool:
    """Writes one slice for the job that waits longest; returns whether there was one."""
    return bool((await ledger.run("slice", account, "", SLICE))[0])


async def sweep(
    ledger: Ledger,
    account: str,
    worker: str,
    terms: "Terms",
    call_timeout_s: float,
    max_attempts: int = 8,
    *,
    safeguards: Safeguards = NONE,
    deallocates: bool = False,
) -> Swept:
    """Sweeps an account once. Several workers may sweep at the same time.

    `safeguards` are those of all its jobs: the ledger holds every job to them that is handed in from now on.
    `deallocates` says that the account's calls begin with a deallocation, so a dead worker may have made one.
    """
    document = {
        "worker": worker, "lease": terms.lease_ms, "call_timeout": round(call_timeout_s * 1000),
        "attempts": max_attempts, "unsealed": UNSEALED_KEPT_MS, "per_call": terms.per_call,
        "stop": safeguards.stop.packed(), "hold": safeguards.hold_ms,
        "host": terms.platform.host if terms.platform else "",
        "sandbox": terms.platform is not None and terms.platform.is_sandbox,
        "canary": safeguards.canary, "canary_above": safeguards.canary_above,
    }  # fmt: skip
    if safeguards.guard:
        document["guard"] = safeguards.guard.packed()
    if safeguards.snapshot:
        document["snapshot"] = 1
    if not terms.keeps_records:
        document["bare"] = 1
    if deallocates:
        document["deallocates"] = 1
    reply = await ledger.run("sweep", account, orjson.dumps(document))
    drains = tuple(text(name) for name in reply[4:])
    return Swept(bool(reply[0]), int(reply[1]), bool(reply[2]), drains, text(reply[3]))


async def trim(ledger: Ledger, account: str, *, results_keep_s: float, jobs_keep_s: float) -> tuple[int, int]:
    """Trims one slice of old results and job records; returns how many of each. Repeat it until both are 0."""
    reply = await ledger.run("trim", account, round(results_keep_s * 1000), round(jobs_keep_s * 1000))
    return int(reply[0]), int(reply[1])
