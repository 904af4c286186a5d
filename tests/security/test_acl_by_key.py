"""Rights that lack one kind of key: handing in is whole or not at all, and no entry of the intake is lost."""

import contextlib

import pytest

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import housekeeping, plans
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest
from cancellist.jobs.safety.guard import Guard
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.jobs.safety.safeguards import Safeguards
from tests.contract.steps import HOUR_MS, TERMS, A, refs
from tests.support.ledgers import opened_ledger

WRITTEN = (
    "format", "totals", "jobs", "open", "finished", "ended", "accounts", "plan:*", "job:*", "audit", "intake",
    "intake:rejected", "replies:*", "account:*:state", "account:*:calls", "account:*:drains", "account:*:held",
    "account:*:approvals", "account:*:deadlines", "account:*:unsealed", "account:*:slices", "account:*:idempotency:*",
    "account:*:done:*",
)  # fmt: skip
ABOVE = Safeguards(guard=Guard(approve_above=1, approvals_required=1))
CASES = ("plain", "key", "plan", "held", "guarded", "answered")


@contextlib.asynccontextmanager
async def without(ledger, url, lacking):
    """The ledger of a user who may run every command, and read all, and write all but one kind of key."""
    keys = [f"%RW~cancellist:{name}" for name in WRITTEN if name != lacking]
    await ledger.redis.execute_command(
        "ACL",
        "SETUSER",
        "part",
        "reset",
        "on",
        "nopass",
        "+@all",
        "&*",
        "%R~cancellist:*",
        *keys,
        "(+eval +evalsha ~cancellist:*)",
    )
    try:
        async with opened_ledger(url.replace("unix://", "unix://part:x@")) as part:
            yield part
    finally:
        await ledger.redis.execute_command("ACL", "DELUSER", "part")


async def order(ledger, case):
    now = await ledger.now_ms()
    if case == "plan":
        found = ReferenceSet()
        found.add(refs(30))
        made = await plans.keep(ledger, Draft(A, found.digest(), found.count, ""), {"x": 1}, keep_s=60)
        return JobRequest(plan=made.token)
    if case == "held":
        return JobRequest(start_at_ms=now + HOUR_MS, deadline_ms=now + 2 * HOUR_MS)
    return JobRequest(idempotency_key="k" if case == "key" else None)


async def everything(ledger):
    keys = sorted([key async for key in ledger.redis.scan_iter("*")])
    return {key: await ledger.redis.dump(key) for key in keys if key != b"cancellist:accounts"}


async def entered(ledger):
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    return entry.id


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lacking", WRITTEN)
async def test_a_small_entry_becomes_a_job_or_stays_with_nothing_changed(ledger, any_server, lacking, case):
    entry, request = await entered(ledger), await order(ledger, case)
    job = intake.SmallJob(entry, request, refs(30), [], 0, reply_to="shop" if case == "answered" else "")
    before = await everything(ledger)
    async with without(ledger, any_server.url, lacking) as part:
        try:
            words, _ = await intake.seal_small(
                part, A, [job], ABOVE if case == "guarded" else Safeguards(), idempotency_keep_s=60, per_call=10
            )
        except LedgerError:
            assert await everything(ledger) == before
            return
    assert words == ["sealed"]
    await _is_whole(ledger)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lacking", WRITTEN)
async def test_a_large_entry_becomes_a_job_or_stays(ledger, any_server, lacking, case):
    entry, request = await entered(ledger), await order(ledger, case)
    reply_to = "shop" if case == "answered" else ""
    async with without(ledger, any_server.url, lacking) as part:
        one = Submission(part, request, ABOVE if case == "guarded" else Safeguards())
        try:
            await one.add(refs(30))
            sealed = await one.seal(
                duplicates=0, idempotency_keep_s=60, per_call=10, intake=(GROUP, entry), reply_to=reply_to
            )
        except LedgerError:
            assert (await ledger.redis.xpending("cancellist:intake", GROUP))["pending"] == 1
            assert await ledger.redis.xlen("cancellist:intake") == 1
            states = [
                await ledger.redis.hget(key, "state") for key in await ledger.redis.keys("cancellist:job:????????????")
            ]
            assert states in ([], [b"sealing"])
            assert await ledger.redis.zcard("cancellist:account:default:unsealed") == len(states)
            return
    assert sealed
    await _is_whole(ledger)


async def _is_whole(ledger):
    """The job can be drained or waits, and its entry is gone."""
    assert await ledger.redis.xlen("cancellist:intake") == 0
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0)
    (job,) = await ledger.redis.zrange("cancellist:jobs", 0, -1)
    state = await ledger.redis.hget(b"cancellist:job:" + job, "state")
    if state == b"queued":
        assert await ledger.redis.zcard("cancellist:account:default:calls") == 1
    else:
        assert state == b"held"
        assert await ledger.redis.zscore("cancellist:account:default:held", job) or await ledger.redis.zscore(
            "cancellist:account:default:approvals", job
        )
