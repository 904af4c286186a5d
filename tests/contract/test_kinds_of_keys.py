"""A key that holds another kind of value refuses a script as a whole: nothing is left half done.

A scenario runs most scripts. Before each run, each key that the run writes is given another kind of value in turn.
"""

from typing import Any

import pytest
from redis.asyncio import Redis

from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.ledger import approvals, changes, control, housekeeping, plans, receipts, records, reinstatements
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.intake import SmallJob
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.model import JobRequest, Priority
from cancellist.jobs.safety.guard import Guard
from cancellist.jobs.safety.safeguards import Safeguards
from cancellist.jobs.webhooks.endpoint import EventType
from tests.contract.steps import READ, A, add_and_seal, claim, drained, refs, settle, submit, submitted, sweep
from tests.contract.test_webhooks import DELIVERED, FAILED, add, attempt, take_in

Contents = dict[bytes, tuple[bytes, int]]
"""Keys, each with its dumped value and the ms that are left to it."""
HARMLESS = {
    "claim": "what it has written by then is that a drain lives, and that a job runs",
    "webhook_remove": "it deletes the keys, whatever they hold",
}
LISTED = b"cancellist:accounts"
"""An account may be listed before it has a job."""
AUDITED = {"intake": "a job is made whether that can be noted in the audit log or not"}


class Tried(Ledger):
    """A ledger that tries each run of a script with each key that it writes of another kind, before the run itself.

    Attributes:
        scripts_tried: the scripts that were tried.
        half_done: what a run has written though a key was of another kind: script, key, and the keys written.
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.scripts_tried: set[str] = set()
        self.half_done: list[tuple[str, bytes, list[bytes]]] = []

    async def run(self, name: str, account: str, *args: str | bytes | int) -> Any:
        before = await self._contents()
        reply = await super().run(name, account, *args)
        after = await self._contents()
        for key in written(before, after):
            if name in HARMLESS or (name in AUDITED and key.endswith(b":audit")):
                continue
            is_text = b"string" in {await self._kind(before, key), await self._kind(after, key)}
            await self._put(before)
            await self.redis.delete(key)
            await (self.redis.rpush(key, "another's") if is_text else self.redis.set(key, "another's"))
            found = await self._contents()
            try:
                await super().run(name, account, *args)
            except LedgerUnfitError:
                left = [one for one in written(found, await self._contents()) if one != LISTED]
            else:
                left = [b"it ran"]
            if left:
                self.half_done.append((name, key, left))
            self.scripts_tried.add(name)
        await self._put(after)
        return reply

    async def _contents(self) -> Contents:
        return {key: (await self.redis.dump(key), await self.redis.pttl(key)) for key in await self.redis.keys("*")}

    async def _put(self, contents: Contents) -> None:
        await self.redis.flushdb()
        async with self.redis.pipeline(transaction=True) as pipe:
            for key, (value, left_ms) in contents.items():
                pipe.restore(key, max(0, left_ms), value)
            await pipe.execute()

    async def _kind(self, contents: Contents, key: bytes) -> bytes:
        if key not in contents:
            return b"none"
        await self._put({key: contents[key]})
        kind: bytes = await self.redis.type(key)
        return kind


def written(before: Contents, after: Contents) -> list[bytes]:
    """The keys that hold something else afterwards."""
    return sorted(key for key in {*before, *after} if before.get(key, (b"",))[0] != after.get(key, (b"",))[0])


async def jobs(ledger: Ledger) -> str:
    """What befalls a job from its seal to its receipt, and another that is aborted."""
    job = await submit(ledger, refs(5), malformed=2, idempotency_key="k", deadline_ms=9_999_999_999_999)
    await changes.update(ledger, job, Change(priority=Priority.URGENT))
    await control.pause_job(ledger, job)
    await control.resume_job(ledger, job, 10)
    await settle(ledger, await claim(ledger), READ)
    await drained(ledger)
    await housekeeping.slices(ledger, A, job)
    await sweep(ledger)
    await receipts.make(ledger, job, None)
    await control.abort_job(ledger, await submit(ledger, refs(5), retry_of=job))
    return job


async def webhooks(ledger: Ledger) -> None:
    """What befalls a webhook, of which the end of a job is to be told."""
    hook = await add(ledger, EventType.JOB_ENDED)
    await submit(ledger, refs(2))
    await drained(ledger)
    await take_in(ledger, hook)
    await attempt(ledger, hook, FAILED)
    name = (await events.due(ledger, hook, most=1, by_ms=None))[0]
    await attempt(ledger, hook, DELIVERED, name)
    await endpoints.replay(ledger, hook, name)
    await events.test(ledger, hook)
    await endpoints.enable(ledger, hook)


async def plans_(ledger: Ledger) -> None:
    """What befalls a plan that a worker reads, and one of a reinstatement."""
    kept = await plans.keep(ledger, Draft(A, "c", 2, "host", "anna"), {}, keep_s=60)
    await reinstatements.approvals(ledger, A, kept.token, "bo")
    await plans.hand_in(ledger, Draft(A, "c", 2, "host", "anna"), {"sample": 1}, keep_s=60)
    taken = await plans.take(ledger, [A], lease_ms=1000)
    assert taken
    await plans.give_back(ledger, taken, after_ms=0)
    taken = await plans.take(ledger, [A], lease_ms=1000)
    assert taken
    await plans.report(ledger, taken, "host", {})


async def entries(ledger: Ledger) -> None:
    """An entry of the intake stream that becomes a job, and is answered."""
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    small = SmallJob(entry.id, JobRequest(idempotency_key="e"), refs(1, 50), [], 0)
    await intake.seal_small(ledger, A, [small], idempotency_keep_s=60, per_call=10)


async def approved(ledger: Ledger) -> None:
    """A job that waits for two others, who approve it, take that back, and reject it."""
    asked = Safeguards(guard=Guard(approve_above=1, approvals_required=2))
    handed_in = Submission(ledger, JobRequest(submitted_by="anna"), asked)
    await handed_in.add(refs(4, 100), [])
    job = (await handed_in.seal(duplicates=0, idempotency_keep_s=60, per_call=10)).job
    digest = (await records.get(ledger, job)).digest or ""
    for who in ("bo", "carl"):
        await approvals.approve(ledger, job, who, count=4, digest=digest, per_call=10)
    await approvals.take_back(ledger, job, "bo", 10)
    await approvals.reject(ledger, job, "bo", "no")


SCENARIOS = {
    jobs: {"seal", "update", "pause", "resume", "settle", "slice", "sweep", "receipt", "abort"},
    webhooks: {"webhook_add", "webhook_make", "webhook_record", "webhook_replay", "webhook_enable"},
    plans_: {"plan_make", "plan_take", "plan_lease", "plan_report", "reinstate_approve"},
    entries: {"intake"},
    approved: {"approve"},
}


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_key_of_another_kind_refuses_a_script_whole(ledger, scenario):
    tried = Tried(ledger.redis)
    await scenario(tried)
    assert tried.half_done == []
    assert tried.scripts_tried >= SCENARIOS[scenario]


@pytest.mark.parametrize("part", ["", ":calls", ":invalid"])
async def test_references_are_added_to_no_key_of_another_kind(ledger, part):
    handed_in = Submission(ledger, JobRequest())
    name = f"cancellist:job:{handed_in.job}{part}"
    await ledger.redis.sadd(name, "another's")
    before = sorted(await ledger.redis.keys("*"))
    with pytest.raises(LedgerUnfitError, match=name):
        await add_and_seal(handed_in, refs(3))
    assert sorted(await ledger.redis.keys("*")) == before


async def test_no_result_is_written_that_could_not_be_counted(ledger):
    job = (await submitted(ledger, refs(3))).job
    taken = await claim(ledger)
    await ledger.redis.set(f"cancellist:job:{job}:runs", "another's")
    for _ in range(2):
        with pytest.raises(LedgerUnfitError):
            await settle(ledger, taken)
    assert not await ledger.redis.xlen("cancellist:results")
    await ledger.redis.delete(f"cancellist:job:{job}:runs")
    assert (await settle(ledger, taken))[0]
    assert await ledger.redis.xlen("cancellist:results") == 3
