from dataclasses import replace

import pytest

from cancellist.jobs.errors import UnknownJobError
from cancellist.jobs.ledger import housekeeping, records, results
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.responses.steps import WriteResult
from tests.contract.steps import (
    TERMS,
    A,
    ask,
    claim,
    drained,
    entries,
    refs,
    settle,
    state_of,
    submit,
    submitted,
)

WIDE = replace(TERMS, limit=50, per_call=100)
KEPT_S = 3600
NODE = 100
"""A stream is trimmed by whole nodes, of 100 entries by default: up to so many old ones may stay."""


async def trim(ledger, results_keep_s=0, jobs_keep_s=KEPT_S):
    """Trims until nothing is left to trim; answers how many results and jobs went in each script."""
    # a result of this very millisecond is not older than a keep of 0 s
    now = await ledger.now_ms()
    while await ledger.now_ms() <= now + 1:
        pass
    slices = []
    while any(done := await housekeeping.trim(ledger, A, results_keep_s=results_keep_s, jobs_keep_s=jobs_keep_s)):
        slices.append(done)
    return slices


async def results_left(ledger):
    return await ledger.redis.xlen("cancellist:results")


async def done_job(ledger, count, first=0):
    job = await submit(ledger, refs(count, first), per_call=100)
    while await state_of(ledger, job) is not JobState.COMPLETED:
        await settle(ledger, await claim(ledger, terms=WIDE), terms=WIDE)
    return job


async def collected(ledger, job):
    return [result async for _, page in results.of_job(ledger, job) for result in page]


# results


async def test_results_go_when_they_are_older_than_they_are_kept(ledger):
    await done_job(ledger, 1000)
    await trim(ledger)
    assert await results_left(ledger) <= NODE


async def test_results_stay_while_they_are_to_be_kept(ledger):
    await done_job(ledger, 1000)
    assert await trim(ledger, results_keep_s=KEPT_S) == []
    assert await results_left(ledger) == 1000


async def test_no_script_trims_more_than_2000_results(ledger):
    await done_job(ledger, 5000)
    slices = await trim(ledger)
    assert max(count for count, _ in slices) <= 2000
    assert await results_left(ledger) <= NODE


async def test_no_result_of_an_unfinished_job_is_trimmed(ledger):
    job = await submit(ledger, refs(1010))
    for _ in range(10):
        await settle(ledger, await claim(ledger, terms=WIDE))
    assert await trim(ledger) == []
    assert len(await collected(ledger, job)) == 1000
    await settle(ledger, await claim(ledger, terms=WIDE))
    assert await state_of(ledger, job) is JobState.COMPLETED
    await trim(ledger)
    assert await results_left(ledger) <= NODE


async def test_what_is_older_than_an_unfinished_job_is_trimmed(ledger):
    await done_job(ledger, 1000)
    await trim(ledger, KEPT_S)
    young = await submit(ledger, refs(310, 5000))
    for _ in range(3):
        await settle(ledger, await claim(ledger, terms=WIDE))
    await trim(ledger)
    assert len(await collected(ledger, young)) == 300
    assert await results_left(ledger) <= 300 + NODE


async def test_what_a_registered_group_has_not_read_is_not_trimmed(ledger):
    await done_job(ledger, 1000)
    await ledger.redis.xgroup_create("cancellist:results", "mine", id="0")
    assert await trim(ledger) == []
    assert await results_left(ledger) == 1000


async def test_what_a_group_has_read_and_acknowledged_is_trimmed_up_to_there(ledger):
    await done_job(ledger, 1000)
    await ledger.redis.xgroup_create("cancellist:results", "mine", id="0")
    ((_, rows),) = await ledger.redis.xreadgroup("mine", "c", {"cancellist:results": ">"}, count=450)
    await ledger.redis.xack("cancellist:results", "mine", *(entry for entry, _ in rows))
    await trim(ledger)
    assert 550 <= await results_left(ledger) <= 550 + NODE
    ((_, rest),) = await ledger.redis.xreadgroup("mine", "c", {"cancellist:results": ">"}, count=1000)
    assert len(rest) == 550


async def test_what_a_group_has_read_and_not_acknowledged_is_not_trimmed(ledger):
    await done_job(ledger, 1000)
    await ledger.redis.xgroup_create("cancellist:results", "mine", id="0")
    ((_, rows),) = await ledger.redis.xreadgroup("mine", "c", {"cancellist:results": ">"}, count=1000)
    await ledger.redis.xack("cancellist:results", "mine", *(entry for n, (entry, _) in enumerate(rows) if n != 300))
    await trim(ledger)
    assert await ledger.redis.xrange("cancellist:results", rows[300][0], rows[300][0])
    assert 700 <= await results_left(ledger) <= 700 + NODE


async def test_the_slowest_of_several_groups_decides(ledger):
    await done_job(ledger, 1000)
    for group, count in (("fast", 1000), ("slow", 250), ("middling", 600)):
        await ledger.redis.xgroup_create("cancellist:results", group, id="0")
        ((_, rows),) = await ledger.redis.xreadgroup(group, "c", {"cancellist:results": ">"}, count=count)
        await ledger.redis.xack("cancellist:results", group, *(entry for entry, _ in rows))
    await trim(ledger)
    assert 750 <= await results_left(ledger) <= 750 + NODE


async def test_a_group_that_begins_at_the_end_keeps_only_what_is_to_come(ledger):
    await done_job(ledger, 1000)
    await ledger.redis.xgroup_create("cancellist:results", "mine", id="$")
    await done_job(ledger, 300, first=5000)
    await trim(ledger)
    assert 300 <= await results_left(ledger) <= 300 + NODE


async def test_trimming_an_empty_ledger_is_no_error(ledger):
    assert await trim(ledger) == []
    await ledger.redis.xgroup_create("cancellist:results", "mine", id="0", mkstream=True)
    assert await trim(ledger) == []


async def test_what_is_left_of_a_trimmed_job_can_be_read(ledger):
    job = await done_job(ledger, 1000)
    await trim(ledger)
    left = [entry["reference"] for entry in await entries(ledger)]
    assert [result.reference for result in await collected(ledger, job)] == left


# jobs


async def test_the_record_of_an_ended_job_goes_when_it_is_older_than_it_is_kept(ledger):
    job = await done_job(ledger, 20)
    kept = await done_job(ledger, 20, first=100)
    await ledger.redis.zadd("cancellist:finished", {job: 1})
    assert await trim(ledger, KEPT_S) == [(0, 1)]
    assert await ledger.redis.keys(f"cancellist:job:{job}*") == []
    assert [record.id for record in await records.newest(ledger)] == [kept]
    with pytest.raises(UnknownJobError, match=job):
        await records.get(ledger, job)


async def test_the_record_of_an_unfinished_job_never_goes(ledger):
    job = await submit(ledger, refs(20))
    await settle(ledger, await claim(ledger))
    await ledger.redis.hset(f"cancellist:job:{job}", "created_at", 1)
    assert await trim(ledger, KEPT_S, 0) == []
    assert await state_of(ledger, job) is JobState.RUNNING


async def test_many_old_jobs_go_in_slices(ledger):
    jobs = [await submit(ledger, []) for _ in range(250)]
    await ledger.redis.zadd("cancellist:finished", dict.fromkeys(jobs, 1))
    slices = await trim(ledger, KEPT_S)
    assert sum(count for _, count in slices) == 250
    assert max(count for _, count in slices) <= 100
    assert await records.newest(ledger) == []


async def test_a_key_that_outlives_its_job_still_answers_it(ledger):
    first = await submitted(ledger, refs(5), idempotency_key="k")
    await drained(ledger)
    await ledger.redis.zadd("cancellist:finished", {first.job: 1})
    await trim(ledger, KEPT_S)
    again = await submitted(ledger, refs(5), idempotency_key="k")
    assert (again.job, again.state, again.same) == (first.job, JobState.COMPLETED, True)


async def test_nothing_of_a_job_stays_behind_but_its_results(ledger):
    job = await submit(ledger, refs(30), malformed=2, idempotency_key="k", deadline_ms=await ledger.now_ms() + 10**7)
    await housekeeping.slices(ledger, A, job)
    await settle(ledger, await claim(ledger), WriteResult(Outcome.REJECTED, 1, 200, "no", "Allocated"))
    await drained(ledger)
    await ledger.redis.zadd("cancellist:finished", {job: 1})
    await trim(ledger, KEPT_S)
    assert await ask(ledger)
    for name in await ledger.redis.keys("*"):
        if await ledger.redis.type(name) == b"zset":
            assert not [m for m in await ledger.redis.zrange(name, 0, -1) if job.encode() in m], name
        assert job.encode() not in name
