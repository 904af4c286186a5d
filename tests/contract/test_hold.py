"""The hold: a job waits before it starts, so that it can be taken back whole."""

from dataclasses import replace

import pytest

from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import control, housekeeping, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.ledger.submitting import enqueue, intake
from cancellist.jobs.ledger.submitting.enqueue import Wanted
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Outcome, Priority
from cancellist.jobs.safety.safeguards import Safeguards
from tests.contract.steps import (
    HOUR_MS,
    TERMS,
    A,
    ask,
    claim,
    drained,
    entries,
    key,
    refs,
    seal,
    settle,
    state_of,
    submit,
    sweep,
)

WANTED = Wanted(A, None, None, Priority.NORMAL, None, None, None)
MINUTE_MS = 60_000


async def hold_passes(ledger, job):
    await ledger.redis.hset(f"cancellist:job:{job}", "hold_until", 1)
    await ledger.redis.zadd(key("held"), {job: 1})


async def until_ms(ledger, job):
    return (await records.get(ledger, job)).hold_until_ms


async def test_a_held_job_starts_once_its_hold_is_over(ledger):
    before = await ledger.now_ms()
    job = await submit(ledger, refs(3), hold_ms=5 * MINUTE_MS)
    assert await state_of(ledger, job) is JobState.HELD
    assert before <= await until_ms(ledger, job) - 5 * MINUTE_MS <= await ledger.now_ms()
    assert isinstance(await ask(ledger), Wait)
    await sweep(ledger)
    assert await state_of(ledger, job) is JobState.HELD
    await hold_passes(ledger, job)
    await sweep(ledger)
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_it_can_be_taken_back_whole(ledger):
    job = await submit(ledger, refs(30), hold_ms=MINUTE_MS)
    assert await control.abort_job(ledger, job) is JobState.ABORTED
    assert [entry["outcome"] for entry in await entries(ledger)] == [Outcome.ABORTED] * 30


async def test_the_longer_of_start_and_hold_counts(ledger):
    now = await ledger.now_ms()
    late = await submit(ledger, refs(3), hold_ms=MINUTE_MS, start_at_ms=now + HOUR_MS)
    soon = await submit(ledger, refs(3, 100), hold_ms=HOUR_MS, start_at_ms=now + MINUTE_MS)
    for job in (late, soon):
        assert HOUR_MS <= await ledger.redis.zscore(key("held"), job) - now <= HOUR_MS + MINUTE_MS
        record = await records.get(ledger, job)
        assert HOUR_MS <= record.starts_at_ms - now <= HOUR_MS + MINUTE_MS


async def test_a_job_that_is_paused_and_resumed_is_held_again(ledger):
    job = await submit(ledger, refs(3), hold_ms=MINUTE_MS)
    ends = await until_ms(ledger, job)
    await control.pause_job(ledger, job)
    assert (await control.resume_job(ledger, job, 10))[0] is JobState.HELD
    assert await ledger.redis.zscore(key("held"), job) == ends


@pytest.mark.parametrize(("own", "accounts"), [(MINUTE_MS, 0), (0, MINUTE_MS), (MINUTE_MS, 1), (1, MINUTE_MS)])
async def test_a_request_can_lengthen_the_hold_of_its_account_and_not_shorten_it(ledger, own, accounts):
    one = Submission(ledger, JobRequest(hold_ms=own), Safeguards(hold_ms=accounts))
    await one.add(refs(3))
    job = (await seal(one)).job
    assert MINUTE_MS - 1000 < await until_ms(ledger, job) - await ledger.now_ms() <= MINUTE_MS


async def test_a_hold_that_workers_have_noted_holds_every_job_whichever_way_it_comes(ledger):
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=Safeguards(hold_ms=MINUTE_MS))
    await submit(ledger, refs(3))
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    small = intake.SmallJob(entry.id, JobRequest(), refs(3, 200), [], 0)
    await intake.seal_small(ledger, A, [small], idempotency_keep_s=60, per_call=10)
    for job in await ledger.redis.zrange("cancellist:jobs", 0, -1):
        assert await state_of(ledger, job.decode()) is JobState.HELD
    await sweep(ledger)
    free = await submit(ledger, refs(3, 400))
    await settle(ledger, await claim(ledger))
    assert await state_of(ledger, free) is JobState.COMPLETED


def test_a_deadline_within_the_hold_is_refused():
    with pytest.raises(InputError, match="is not before the deadline"):
        enqueue.request_of(replace(WANTED, hold="2h", deadline="+1h"), 1_000)
    assert enqueue.request_of(replace(WANTED, hold="30m", deadline="+1h"), 1_000).hold_ms == 30 * MINUTE_MS


@pytest.mark.parametrize("own", [0, 1000, 2 * MINUTE_MS])
async def test_a_job_that_came_before_any_worker_is_held_once_as_it_is_about_to_start(ledger, own):
    job = await submit(ledger, refs(3), hold_ms=own)
    if own:
        await hold_passes(ledger, job)
        await sweep(ledger)
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=Safeguards(hold_ms=MINUTE_MS))
    if own < MINUTE_MS:
        assert isinstance(await ask(ledger), Wait)
        assert await state_of(ledger, job) is JobState.HELD
        assert 0 <= await until_ms(ledger, job) - await ledger.now_ms() <= MINUTE_MS
        await hold_passes(ledger, job)
        await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=Safeguards(hold_ms=MINUTE_MS))
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED
