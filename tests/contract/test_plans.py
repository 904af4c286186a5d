"""Plans: a job that follows one is made of the very references, once, for the account and the platform of the plan."""

import asyncio

import orjson
import pytest

from cancellist.jobs.errors import CountMismatchError, IdempotencyConflictError, PlanError, UnknownPlanError
from cancellist.jobs.ledger import plans, records
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.intake import SmallJob
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.jobs.safety.safeguards import Safeguards
from tests.contract.steps import A, refs
from tests.support.waiting import until

HOST = "api.example.com"
OWN = Safeguards(platform=HOST)
REPORT = {"counts": {"references": 12}}


def draft(references, account=A, host=HOST):
    made = ReferenceSet()
    made.add(references)
    return Draft(account, made.digest(), made.count, host, "anna")


async def planned(ledger, references, *, keep_s=60.0, **options):
    return (await plans.keep(ledger, draft(references, **options), REPORT, keep_s=keep_s)).token


async def hand_in(ledger, references, *, safeguards=OWN, **order):
    submission = Submission(ledger, JobRequest(**order), safeguards)
    await submission.add(references)
    return await submission.seal(duplicates=0, idempotency_keep_s=60, per_call=10)


async def nothing_is_left(ledger):
    assert not await ledger.redis.zcard(ledger.keys.jobs)
    assert not [key async for key in ledger.redis.scan_iter("cancellist:job:*")]
    assert not int(await ledger.redis.hget(ledger.keys.totals, "unsealed") or 0)


async def test_a_job_of_the_planned_references_in_another_order_is_made_and_names_its_plan(ledger):
    token = await planned(ledger, refs(2500))
    sealed = await hand_in(ledger, refs(2500)[::-1], plan=token)
    plan = await plans.get(ledger, token)
    assert plan.job == sealed.job
    assert (await ledger.redis.hget(f"cancellist:job:{sealed.job}", "plan")).decode() == plan.digest
    assert plan.report == REPORT
    assert (await records.get(ledger, sealed.job)).total == 2500


async def test_the_token_itself_is_nowhere_on_the_server(ledger):
    token = await planned(ledger, refs(2))
    await hand_in(ledger, refs(2), plan=token)
    for key in [key async for key in ledger.redis.scan_iter("*")]:
        assert token.encode() not in key + await ledger.redis.dump(key)


OTHERS = {
    "one less": (refs(11), {}, OWN, "12 references, and these are 11"),
    "one more": (refs(13), {}, OWN, "12 references, and these are 13"),
    "one exchanged": ([*refs(11), *refs(1, 50)], {}, OWN, "other references, though as many"),
    "another account": (refs(12), {"account": "north"}, OWN, "for account default, and this is north"),
    "another platform": (
        refs(12),
        {},
        Safeguards(platform="127.0.0.1:8089"),
        "api.example.com, and this one is at 127",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_whatever_differs_from_the_plan_is_refused_whole_and_the_plan_stays(ledger, name):
    references, order, safeguards, why = OTHERS[name]
    token = await planned(ledger, refs(12))
    with pytest.raises(PlanError, match=why) as refused:
        await hand_in(ledger, references, safeguards=safeguards, plan=token, idempotency_key="k", **order)
    assert refused.value.code == "stale_plan"
    await nothing_is_left(ledger)
    await hand_in(ledger, refs(12), plan=token, idempotency_key="k")


async def test_where_workers_run_it_is_their_platform_that_must_be_the_planned_one(ledger):
    elsewhere = Safeguards(platform="127.0.0.1:8089")
    token = await planned(ledger, refs(12))
    for found, refused in ((("evil.example.com",), True), ((HOST, "evil.example.com"), True), ((HOST, HOST), False)):
        noted = {f"w{n}": {"at": 1, "host": host} for n, host in enumerate(found)}
        await ledger.redis.hset(ledger.keys.state(A), "hosts", orjson.dumps(noted))
        if refused:
            with pytest.raises(PlanError, match=r"this one is at evil\.example\.com"):
                await hand_in(ledger, refs(12), plan=token)
        else:
            assert await hand_in(ledger, refs(12), plan=token, safeguards=elsewhere)


@pytest.mark.parametrize("token", ["pl_" + 32 * "0", "", "x" * 500, "pl_*", "\x00"])
async def test_a_token_of_no_plan_is_refused(ledger, token):
    with pytest.raises(UnknownPlanError):
        await plans.get(ledger, token)
    if token:
        with pytest.raises(PlanError, match="expired, or was never made"):
            await hand_in(ledger, refs(1), plan=token)
        await nothing_is_left(ledger)


async def test_an_expired_plan_is_gone_with_all_that_it_was(ledger):
    token = await planned(ledger, refs(12), keep_s=0.001)
    waiting = await plans.hand_in(ledger, draft(refs(3), host=""), {"references": refs(3)}, keep_s=60)
    name = ledger.keys.plan(plans.name_of(waiting.token))
    for key in (name, f"{name}:request"):
        assert await ledger.redis.pexpire(key, 1)
    await until(lambda: ledger.redis.keys("cancellist:plan:*"), lambda left: not left, 30)
    with pytest.raises(PlanError, match="expired"):
        await hand_in(ledger, refs(12), plan=token)
    assert await plans.take(ledger, [A], lease_ms=1000) is None
    assert not await ledger.redis.exists(ledger.keys.plans)
    await nothing_is_left(ledger)


async def test_of_many_at_once_one_job_is_made_by_a_plan(ledger):
    token = await planned(ledger, refs(30))
    answers = await asyncio.gather(*(hand_in(ledger, refs(30), plan=token) for _ in range(8)), return_exceptions=True)
    (made,) = [one for one in answers if not isinstance(one, Exception)]
    refused = [one for one in answers if one is not made]
    assert {type(one) for one in refused} == {PlanError}
    assert all(f"by job {made.job}" in str(one) for one in refused)
    assert [record.id for record in await records.newest(ledger, 10)] == [made.job]


async def test_the_same_submission_and_the_same_key_get_the_same_answer_again(ledger):
    token = await planned(ledger, refs(12))
    submission = Submission(ledger, JobRequest(plan=token, idempotency_key="k"), OWN)
    await submission.add(refs(12))
    first = await submission.seal(duplicates=0, idempotency_keep_s=60, per_call=10)
    again = await submission.seal(duplicates=0, idempotency_keep_s=60, per_call=10)
    assert (again.job, again.same) == (first.job, False)
    repeated = await hand_in(ledger, refs(12), plan=token, idempotency_key="k")
    assert (repeated.job, repeated.same) == (first.job, True)
    with pytest.raises(IdempotencyConflictError):
        await hand_in(ledger, refs(11), plan=token, idempotency_key="k")


async def test_a_refused_submission_is_refused_again_with_the_same_words(ledger):
    token = await planned(ledger, refs(12))
    submission = Submission(ledger, JobRequest(plan=token), OWN)
    await submission.add(refs(11))
    for _ in range(2):
        with pytest.raises(PlanError, match="these are 11"):
            await submission.seal(duplicates=0, idempotency_keep_s=60, per_call=10)


async def test_another_number_of_references_than_was_said_is_refused_whole(ledger):
    with pytest.raises(CountMismatchError) as refused:
        await hand_in(ledger, refs(1200), expect_count=1199)
    assert (refused.value.code, refused.value.expected, refused.value.found) == ("count_mismatch", 1199, 1200)
    assert "1,199 references were expected, and there are 1,200" in str(refused.value)
    await nothing_is_left(ledger)
    assert await hand_in(ledger, refs(1200), expect_count=1200)


# by the intake stream


async def entered(ledger, token, references, **options):
    entry = await ledger.redis.xadd(ledger.keys.intake, {"references": "\n".join(references), "plan": token})
    await ledger.redis.xreadgroup(GROUP, "w", {ledger.keys.intake: ">"})
    job = SmallJob(entry.decode(), JobRequest(plan=token), references, [], 0, "shop", **options)
    (word,), _ = await intake.seal_small(ledger, A, [job], OWN, idempotency_keep_s=60, per_call=10)
    again, _ = await intake.seal_small(ledger, A, [job], OWN, idempotency_keep_s=60, per_call=10)
    assert again == ["taken" if word == "sealed" else word]  # the job of a second script has another id
    return word


async def test_an_entry_of_the_intake_stream_uses_a_plan_and_is_refused_without(ledger):
    await intake.prepare(ledger)
    token = await planned(ledger, refs(12))
    assert await entered(ledger, token, refs(11)) == "stale_plan"
    assert await entered(ledger, token, refs(12)[::-1]) == "sealed"
    assert await entered(ledger, token, refs(12)) == "stale_plan"
    replies = [fields for _, fields in await ledger.redis.xrange(ledger.keys.replies("shop"))]
    assert [fields.get(b"error") for fields in replies] == [b"stale_plan", None, b"stale_plan"]
    assert b"these are 11" in replies[0][b"message"]
    assert b"used before" in replies[2][b"message"]
    rejected = await ledger.redis.xrange(ledger.keys.rejected)
    assert [fields[b"given.plan"] for _, fields in rejected] == [b"***", b"***"]


@pytest.mark.parametrize("name", ["plan", "Plan", " plan", "plan_token", "idempotency_key", "token"])
async def test_the_answer_to_a_malformed_entry_repeats_no_token_whatever_field_holds_it(ledger, name):
    await intake.prepare(ledger)
    token = await planned(ledger, refs(2))
    fields = {"references": token, name: f"see {token.upper()} {token}", token: "x"}
    await ledger.redis.xadd(ledger.keys.intake, fields)
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    await intake.reject(ledger, A, entry, f"unknown field '{token}'")
    ((_, answer),) = await ledger.redis.xrange(ledger.keys.rejected)
    assert token.encode() not in b" ".join([*answer, *answer.values()]).lower()
    assert b"given.references" in answer


# read by a worker


async def waiting(ledger, account=A):
    one = await plans.hand_in(ledger, draft(refs(3), account, ""), {"references": refs(3)}, keep_s=60)
    assert not one.ready
    return one.token


async def lease_passes(ledger, taken):
    await ledger.redis.zadd(ledger.keys.plans, {taken.name: 1})


async def test_a_plan_waits_until_a_worker_of_its_account_has_read(ledger):
    token = await waiting(ledger, "north")
    assert await plans.take(ledger, [A], lease_ms=9000) is None
    with pytest.raises(PlanError, match="report is not there yet"):
        await hand_in(ledger, refs(3), plan=token, account="north")
    taken = await plans.take(ledger, [A, "north"], lease_ms=9000)
    assert (taken.account, taken.request) == ("north", {"references": refs(3)})
    assert await plans.report(ledger, taken, HOST, REPORT)
    assert await plans.report(ledger, taken, HOST, REPORT)
    plan = await plans.get(ledger, token)
    assert (plan.ready, plan.report, plan.made_by, plan.account) == (True, REPORT, "anna", "north")
    assert plan.digest == (await plans.get(ledger, await planned(ledger, refs(3), account="north"))).digest
    assert await plans.take(ledger, ["north"], lease_ms=9000) is None
    assert await hand_in(ledger, refs(3), plan=token, account="north")


async def test_one_worker_reads_a_plan_and_another_takes_it_over_when_its_lease_has_passed(ledger):
    token = await waiting(ledger)
    first, *others = await asyncio.gather(*(plans.take(ledger, [A], lease_ms=9000) for _ in range(4)))
    assert [first, *others].count(None) == 3
    first = next(one for one in (first, *others) if one)
    assert await plans.renew(ledger, first, lease_ms=9000)
    await lease_passes(ledger, first)
    second = await plans.take(ledger, [A], lease_ms=9000)
    assert second.request == first.request
    assert not await plans.renew(ledger, first, lease_ms=9000)
    assert not await plans.report(ledger, first, "elsewhere", {"wrong": 1})
    await plans.give_back(ledger, first, after_ms=0)
    assert await plans.take(ledger, [A], lease_ms=9000) is None
    assert await plans.report(ledger, second, HOST, REPORT)
    assert (await plans.get(ledger, token)).report == REPORT


async def test_a_plan_that_is_given_back_is_taken_once_more(ledger):
    await waiting(ledger)
    taken = await plans.take(ledger, [A], lease_ms=9000)
    await plans.give_back(ledger, taken, after_ms=60_000)
    assert await plans.take(ledger, [A], lease_ms=9000) is None
    assert not await plans.report(ledger, taken, HOST, REPORT)
    await plans.give_back(ledger, await _due(ledger), after_ms=0)
    assert await plans.take(ledger, [A], lease_ms=9000)


async def _due(ledger):
    (name,) = await ledger.redis.zrange(ledger.keys.plans, 0, -1)
    await ledger.redis.zadd(ledger.keys.plans, {name: 1})
    return await plans.take(ledger, [A], lease_ms=9000)
