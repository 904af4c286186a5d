"""Events become deliveries once, none is left out, and what became of each is kept within bounds."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from cancellist.jobs.errors import InputError, SettingsError, UnknownWebhookError
from cancellist.jobs.ledger import control, housekeeping
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.ledger.webhooks.events import DeliveryAttempt
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.responses.steps import WriteResult
from cancellist.jobs.webhooks import signature
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.endpoint import MOST_DELIVERIES, DeliveryState, EndpointOrder, EndpointState, EventType
from cancellist.jobs.webhooks.schedule import FAILS_FOR_MS, AttemptVerdict
from tests.contract.steps import A, bad, claim, drained, many_small_jobs, refs, settle, state_of, submit, submitted

KEYS = (b"k" * 32,)
URL = "https://hooks.example/in?token=secret"
DELIVERED = DeliveryAttempt(AttemptVerdict.DELIVERED, 200, "", None)
FAILED = DeliveryAttempt(AttemptVerdict.FAILED, 500, "HTTP 500", 300.0)
ONE = Terms(limit=3, per_call=1, linger_ms=0)
ENDED, RESULTS = EventType.JOB_ENDED, EventType.JOB_RESULTS


async def add(ledger, *types, outcomes=(), account=None):
    wanted = EndpointOrder.of(URL, types, outcomes, account, Allowed())
    return (await endpoints.add(ledger, wanted, KEYS)).endpoint.id


async def take_in(ledger, endpoint):
    """Takes in until nothing is left to take."""
    while (await events.take_in(ledger, await endpoints.get(ledger, endpoint))).more:
        pass


async def kept(ledger, endpoint):
    return (await endpoints.deliveries(ledger, endpoint, limit=MOST_DELIVERIES)).deliveries


async def body(ledger, endpoint, name):
    return orjson.loads((await events.to_send(ledger, endpoint, name)).body)


async def attempt(ledger, endpoint, what, name=None):
    """Records an attempt of a delivery, of the first that waits."""
    name = name or (await events.due(ledger, endpoint, most=1, by_ms=None))[0]
    return await events.record(ledger, endpoint, await endpoints.delivery(ledger, endpoint, name), what)


async def test_without_a_webhook_the_end_of_a_job_is_noted_nowhere(ledger):
    await submit(ledger, refs(2))
    await drained(ledger)
    assert not await ledger.redis.exists("cancellist:ended")
    assert await ledger.redis.hget("cancellist:totals", "ended") is None


async def test_each_way_a_job_ends_is_told_once_with_its_document(ledger):
    before = await submit(ledger, refs(1))
    await drained(ledger)
    endpoint = await add(ledger)
    completed = await submit(ledger, refs(3, 10))
    aborted = await submit(ledger, refs(3, 20))
    await control.abort_job(ledger, aborted)
    await drained(ledger)
    invalid = (await submitted(ledger, [], malformed=2)).job
    await housekeeping.slices(ledger, A, invalid)
    empty = (await submitted(ledger, [])).job
    jobs = [completed, aborted, invalid, empty]
    assert [await state_of(ledger, job) for job in jobs] == [
        JobState.COMPLETED, JobState.ABORTED, JobState.COMPLETED, JobState.COMPLETED,
    ]  # fmt: skip
    for _ in range(2):
        await take_in(ledger, endpoint)
        found = await kept(ledger, endpoint)
        assert sorted(one.job for one in found) == sorted(jobs), f"{before} ended before"
    for one in found:
        event = await body(ledger, endpoint, one.id)
        assert event["type"] == "job.ended"
        assert event["timestamp"] == event["data"]["finished_at"]
        assert event["data"]["job"] == one.job
    totals = {one.job: (await body(ledger, endpoint, one.id))["data"]["outcomes"] for one in found}
    assert totals[completed] == {"cancelled": 3}
    assert totals[aborted] == {"aborted": 3}


async def test_two_that_take_in_at_once_make_each_delivery_once(ledger):
    endpoint = await add(ledger, ENDED, RESULTS)
    jobs = await many_small_jobs(ledger, 60)
    await drained(ledger)
    seen = await endpoints.get(ledger, endpoint)
    await asyncio.gather(*(events.take_in(ledger, seen) for _ in range(4)))
    await asyncio.gather(*(take_in(ledger, endpoint) for _ in range(4)))
    found = await kept(ledger, endpoint)
    assert sorted(one.job for one in found if one.type == ENDED) == sorted(jobs)
    told = [one for one in found if one.type == RESULTS]
    named = [
        result["reference"] for one in told for result in (await body(ledger, endpoint, one.id))["data"]["results"]
    ]
    assert sorted(named) == sorted(refs(60))
    assert len({one.id for one in found}) == len(found)


async def test_chosen_outcomes_and_accounts_are_told_and_no_others(ledger):
    failed = await add(ledger, outcomes=[Outcome.INVALID])
    other = await add(ledger, ENDED, RESULTS, account="other")
    job = (await submitted(ledger, refs(3), malformed=2)).job
    await housekeeping.slices(ledger, A, job)
    await drained(ledger)
    await take_in(ledger, failed)
    await take_in(ledger, other)
    (one,) = await kept(ledger, failed)
    results = (await body(ledger, failed, one.id))["data"]["results"]
    assert [result["outcome"] for result in results] == ["invalid", "invalid"]
    assert results[0]["reference"] == bad(1)[0].text
    assert not await kept(ledger, other)
    assert (await endpoints.get(ledger, other)).ended_seen == 1, "it is past what it is not told"


async def test_while_as_many_wait_as_are_kept_events_wait_where_they_are(ledger):
    endpoint = await add(ledger)
    jobs = await many_small_jobs(ledger, MOST_DELIVERIES + 30)
    await ledger.redis.zadd(ledger.keys.ended, {job: number for number, job in enumerate(jobs, 1)})
    await take_in(ledger, endpoint)
    assert (await endpoints.get(ledger, endpoint)).waiting == MOST_DELIVERIES
    assert await ledger.redis.zcard(ledger.keys.webhook(endpoint, "log")) == MOST_DELIVERIES
    first = (await events.due(ledger, endpoint, most=1, by_ms=None))[0]
    for _ in range(40):
        await attempt(ledger, endpoint, DELIVERED)
    await take_in(ledger, endpoint)
    now = await endpoints.get(ledger, endpoint)
    assert (now.waiting, now.delivered, now.ended_seen) == (MOST_DELIVERIES - 10, 40, len(jobs))
    assert len(await kept(ledger, endpoint)) == MOST_DELIVERIES
    with pytest.raises(UnknownWebhookError):  # what was delivered first is forgotten first, with its body
        await endpoints.delivery(ledger, endpoint, first)
    assert await ledger.redis.hlen(ledger.keys.webhook(endpoint, "bodies")) == MOST_DELIVERIES


async def test_an_attempt_is_recorded_once_and_goes_by_the_schedule(ledger):
    endpoint = await add(ledger)
    await events.test(ledger, endpoint)
    (one,) = await kept(ledger, endpoint)
    assert await events.record(ledger, endpoint, one, FAILED) == EndpointState.ENABLED
    assert await events.record(ledger, endpoint, one, DELIVERED) == "", "it was recorded before"
    now = await ledger.now_ms()
    tried = await endpoints.delivery(ledger, endpoint, one.id)
    assert (tried.state, tried.attempts, tried.tries, tried.status, tried.why) == ("waiting", 1, 1, 500, "HTTP 500")
    assert 290_000 < tried.due_at_ms - now <= 300_000
    assert await events.due(ledger, endpoint, most=9, by_ms=now) == []
    await events.record(ledger, endpoint, tried, replace(FAILED, probe=True))
    probed = await endpoints.delivery(ledger, endpoint, one.id)
    assert (probed.attempts, probed.tries, probed.due_at_ms) == (1, 2, tried.due_at_ms), "a probe burns nothing"
    await events.record(ledger, endpoint, probed, replace(FAILED, delay_s=None))
    ended = await endpoints.delivery(ledger, endpoint, one.id)
    assert (ended.state, ended.due_at_ms) == (DeliveryState.FAILED, None)
    assert (await endpoints.get(ledger, endpoint)).failed == 1
    assert await endpoints.replay(ledger, endpoint) == 1
    assert await endpoints.replay(ledger, endpoint) == 0
    again = await endpoints.delivery(ledger, endpoint, one.id)
    assert (again.state, again.attempts) == (DeliveryState.WAITING, 0)


async def test_a_success_after_many_failures_makes_all_that_wait_due(ledger):
    endpoint = await add(ledger)
    for _ in range(6):
        await events.test(ledger, endpoint)
    names = [one.id for one in await kept(ledger, endpoint)]
    for name in names:
        await attempt(ledger, endpoint, FAILED, name)
    assert await events.due(ledger, endpoint, most=9, by_ms=await ledger.now_ms()) == []
    await attempt(ledger, endpoint, DELIVERED, names[0])
    due = await events.due(ledger, endpoint, most=9, by_ms=await ledger.now_ms())
    assert sorted(due) == sorted(names[1:])
    await attempt(ledger, endpoint, FAILED, names[1])
    await attempt(ledger, endpoint, DELIVERED, names[2])
    later = await endpoints.delivery(ledger, endpoint, names[1])
    assert later.due_at_ms > await ledger.now_ms(), "one that fails among others keeps to its schedule"


async def test_410_disables_at_once_and_five_days_of_failure_do_and_enabling_goes_on_where_it_stopped(ledger):
    endpoint = await add(ledger, ENDED, RESULTS)
    await events.test(ledger, endpoint)
    gone = DeliveryAttempt(AttemptVerdict.GONE, 410, "HTTP 410: it wants no more", 5.0)
    assert await attempt(ledger, endpoint, gone) == EndpointState.DISABLED
    found = await endpoints.get(ledger, endpoint)
    assert (found.state, found.why, found.waiting) == ("disabled", "HTTP 410: it wants no more", 1)
    job = await submit(ledger, refs(2))
    await drained(ledger)
    await take_in(ledger, endpoint)
    assert len(await kept(ledger, endpoint)) == 1
    with pytest.raises(InputError, match="disabled"):
        await events.test(ledger, endpoint)
    enabled = await endpoints.enable(ledger, endpoint)
    assert (enabled.state, enabled.why, enabled.failing_since_ms) == (EndpointState.ENABLED, None, None)
    await take_in(ledger, endpoint)
    assert [one.job for one in await kept(ledger, endpoint)].count(job) == 2

    await attempt(ledger, endpoint, FAILED)
    long_ago = await ledger.now_ms() - FAILS_FOR_MS
    await ledger.redis.hset(ledger.keys.webhook(endpoint), "failing_since", long_ago + 60_000)
    assert await attempt(ledger, endpoint, FAILED) == EndpointState.ENABLED
    await ledger.redis.hset(ledger.keys.webhook(endpoint), "failing_since", long_ago)
    assert await attempt(ledger, endpoint, FAILED) == EndpointState.DISABLED
    assert "5 days" in (await endpoints.get(ledger, endpoint)).why


async def test_going_back_in_time_tells_the_same_jobs_by_the_same_ids(ledger):
    endpoint = await add(ledger, ENDED, RESULTS)
    early = await submit(ledger, refs(1))
    await drained(ledger)
    await ledger.redis.zadd(ledger.keys.finished, {early: 1000})
    late = [await submit(ledger, refs(1, at)) for at in (10, 20)]
    await drained(ledger)
    await take_in(ledger, endpoint)
    first = {one.id: one for one in await kept(ledger, endpoint)}
    for name in first:
        await attempt(ledger, endpoint, DELIVERED, name)
    for _ in range(2):
        await endpoints.rewind(ledger, endpoint, await ledger.now_ms() - 60_000)
    await take_in(ledger, endpoint)
    waiting = [one for one in await kept(ledger, endpoint) if one.state is DeliveryState.WAITING]
    assert sorted(one.job for one in waiting if one.type == ENDED) == sorted(late)
    assert {one.id for one in waiting if one.type == ENDED} <= first.keys()
    told = [one for one in waiting if one.type == RESULTS]
    named = [result["job"] for one in told for result in (await body(ledger, endpoint, one.id))["data"]["results"]]
    assert sorted(named) == sorted([early, *late])


async def test_results_that_are_to_be_told_are_not_trimmed_but_for_a_disabled_one_and_then_it_is_told(ledger):
    endpoint = await add(ledger, RESULTS)
    await submit(ledger, refs(300))
    await drained(ledger)
    at_ms = await ledger.now_ms()
    while await ledger.now_ms() <= at_ms + 1:
        pass
    assert await housekeeping.trim(ledger, A, results_keep_s=0, jobs_keep_s=3600) == (0, 0)
    await ledger.redis.hset(ledger.keys.webhook(endpoint), "state", "disabled")
    trimmed, _ = await housekeeping.trim(ledger, A, results_keep_s=0, jobs_keep_s=3600)
    assert trimmed > 0
    since, until = (await endpoints.enable(ledger, endpoint)).missed_ms
    assert since <= until <= await ledger.now_ms()
    await submit(ledger, refs(1, 900))
    await drained(ledger)
    await take_in(ledger, endpoint)
    bodies = [await body(ledger, endpoint, one.id) for one in await kept(ledger, endpoint)]
    assert sum(len(one["data"]["results"]) for one in bodies) == 301 - trimmed


async def test_ends_whose_records_are_gone_are_counted(ledger):
    endpoint = await add(ledger)
    jobs = [await submit(ledger, refs(1, at)) for at in range(3)]
    await drained(ledger)
    await ledger.redis.unlink(f"cancellist:job:{jobs[0]}")
    await take_in(ledger, endpoint)
    assert (await endpoints.get(ledger, endpoint)).jobs_missed == 1
    assert sorted(one.job for one in await kept(ledger, endpoint)) == sorted(jobs[1:])
    while any(await housekeeping.trim(ledger, A, results_keep_s=0, jobs_keep_s=0)):
        pass
    assert await ledger.redis.zcard(ledger.keys.ended) == 0, "it goes with the records"


async def test_a_secret_is_nowhere_in_redis_and_a_rotation_is_made_once(ledger):
    made = await endpoints.add(ledger, EndpointOrder.of(URL, [], [], None, Allowed()), KEYS)
    endpoint = made.endpoint.id
    rotated = await endpoints.rotate(ledger, endpoint, KEYS)
    assert rotated.endpoint.version == 2
    assert rotated.secret == signature.shown(signature.secret(KEYS[0], endpoint, 2)) != made.secret
    same = signature.fingerprint(signature.secret(KEYS[0], endpoint, 2))
    assert await ledger.run("webhook_rotate", A, endpoint, 1, same) == 1, "a repeat of the same request"
    assert await ledger.run("webhook_rotate", A, endpoint, 1, "another") == 0
    held = b"".join([await ledger.redis.dump(name) for name in await ledger.redis.keys("*")])
    for one in (made.secret, rotated.secret):
        assert one.removeprefix("whsec_").encode()[:20] not in held
        assert signature.secret(KEYS[0], endpoint, 2) not in held
    with pytest.raises(SettingsError, match="WEBHOOK_KEY"):
        await endpoints.rotate(ledger, endpoint, ())


async def test_the_lease_is_one_workers_until_it_is_given_back_or_passes(ledger):
    assert await events.lease(ledger, "a", 60_000) == (False, 0), "nobody has it while there is no webhook"
    await add(ledger)
    assert await events.lease(ledger, "a", 60_000) == (True, 1)
    assert await events.lease(ledger, "b", 60_000) == (False, 1)
    await events.lease(ledger, "b", 0)
    assert await events.lease(ledger, "a", 60_000) == (True, 1)
    await events.lease(ledger, "a", 0)
    assert await events.lease(ledger, "b", 60_000) == (True, 1)


async def test_of_one_that_is_removed_nothing_is_left_and_what_is_on_its_way_changes_nothing(ledger):
    endpoint = await add(ledger)
    one = await events.test(ledger, endpoint)
    before = await endpoints.get(ledger, endpoint)
    await submit(ledger, refs(1))
    await drained(ledger)
    await endpoints.remove(ledger, endpoint)
    assert await events.record(ledger, endpoint, one, FAILED) == ""
    await events.take_in(ledger, before)
    assert not await ledger.redis.keys("cancellist:webhook*")
    for what in (endpoints.remove, endpoints.enable, endpoints.get, endpoints.replay, events.test):
        with pytest.raises(UnknownWebhookError):
            await what(ledger, endpoint)
    with pytest.raises(UnknownWebhookError):
        await endpoints.rewind(ledger, endpoint, 1)


async def test_each_halt_of_a_job_is_told_once_with_why_and_then_its_end(ledger):
    endpoint, ended_alone = await add(ledger), await add(ledger, ENDED)
    job = await submit(ledger, refs(4), max_refused="0")
    for count in (1, 2):
        await settle(ledger, await claim(ledger, terms=ONE), WriteResult(Outcome.MANIFESTED, 1, 200), terms=ONE)
        for _ in range(2):
            await take_in(ledger, endpoint)
            found = [one for one in await kept(ledger, endpoint) if one.type == EventType.JOB_HALTED]
            assert len(found) == count
        told = await body(ledger, endpoint, found[0].id)
        assert (told["type"], told["timestamp"]) == ("job.halted", told["data"]["halted"]["at"])
        assert (told["data"]["job"], told["data"]["outcomes"]) == (job, {"manifested": count})
        await control.continue_job(ledger, job, 1)
    await control.abort_job(ledger, job)
    await drained(ledger)
    await endpoints.rewind(ledger, endpoint, 0)
    for one, types in ((endpoint, ["job.ended", "job.halted", "job.halted"]), (ended_alone, ["job.ended"])):
        await take_in(ledger, one)
        assert sorted(one.type for one in await kept(ledger, one)) == types
