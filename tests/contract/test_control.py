from dataclasses import replace

import pytest

from cancellist.jobs.errors import JobStateError, UnknownJobError
from cancellist.jobs.ledger import accounts, control, housekeeping, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.model import JobState
from cancellist.jobs.responses.steps import CallAgain, ReadState
from tests.contract.steps import (
    AGAIN,
    HOUR_MS,
    READ,
    TERMS,
    A,
    ask,
    claim,
    drained,
    key,
    lease_passes,
    many_small_jobs,
    outcomes,
    refs,
    release,
    settle,
    slots,
    state_of,
    submit,
    sweep,
    what_is_later_comes_due,
)


async def gate_of(ledger):
    return (await accounts.gate(ledger, A)).version


# pausing and resuming


async def test_nothing_of_a_paused_job_is_claimed_and_its_rest_is_after_it_is_resumed(ledger):
    job = await submit(ledger, refs(20))
    await claim(ledger)
    assert await control.pause_job(ledger, job) is JobState.PAUSED
    assert await ask(ledger) == Wait(-1, "empty", 1, TERMS.limit)
    state, drains = await control.resume_job(ledger, job, TERMS.per_call)
    assert state is JobState.RUNNING
    assert len(drains) <= 1
    assert (await claim(ledger)).references == refs(10, 10)


async def test_other_jobs_go_on_while_one_is_paused(ledger):
    one, two = await submit(ledger, refs(20)), await submit(ledger, refs(20, 50))
    await control.pause_job(ledger, one)
    await drained(ledger)
    assert await state_of(ledger, two) is JobState.COMPLETED
    assert await outcomes(ledger, one) == {}


async def test_nothing_of_a_paused_account_is_claimed(ledger):
    await submit(ledger, refs(20))
    await control.pause_account(ledger, A)
    assert (await ask(ledger)).why == "paused"
    assert (await ask(ledger, mode="leave")).why == "left"
    assert (await accounts.gate(ledger, A)).paused
    await ledger.redis.delete(key("drains"))
    assert len(await control.resume_account(ledger, A, TERMS.per_call)) == 1
    assert not (await accounts.gate(ledger, A)).paused
    assert (await claim(ledger)).references == refs(10)


async def test_another_account_goes_on_while_one_is_paused(ledger):
    await submit(ledger, refs(20), account="north")
    await control.pause_account(ledger, A)
    assert (await claim(ledger, account="north")).references == refs(10)


async def test_what_a_paused_job_has_out_is_settled_and_what_comes_back_waits(ledger):
    job = await submit(ledger, refs(30))
    calling, retried, staged = await claim(ledger), await claim(ledger), await claim(ledger, mode="staged")
    await control.pause_job(ledger, job)
    await settle(ledger, calling)
    await settle(ledger, retried, AGAIN)
    await release(ledger, staged)
    assert isinstance(await ask(ledger), Wait)
    record = await records.get(ledger, job)
    assert (record.state, record.pending, record.in_flight, record.settled) == (JobState.PAUSED, 20, 0, 10)
    await control.resume_job(ledger, job, TERMS.per_call)
    await drained(ledger)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(30), "cancelled")


@pytest.mark.parametrize("step", [READ, CallAgain(60.0, 1, 1), ReadState(60.0, 1, 1, unclear_s=1.0)])
async def test_reads_and_what_comes_due_wait_too_while_a_job_is_paused(ledger, step):
    job = await submit(ledger, refs(5))
    await settle(ledger, await claim(ledger), step)
    await control.pause_job(ledger, job)
    await what_is_later_comes_due(ledger)
    await sweep(ledger)
    assert isinstance(await ask(ledger), Wait)
    await control.resume_job(ledger, job, TERMS.per_call)
    assert (await claim(ledger)).references


async def test_what_a_paused_job_lost_to_a_dead_worker_waits(ledger):
    job = await submit(ledger, refs(5))
    taken = await claim(ledger)
    await control.pause_job(ledger, job)
    await lease_passes(ledger, taken)
    assert (await sweep(ledger)).taken_over == 1
    assert isinstance(await ask(ledger), Wait)
    await control.resume_job(ledger, job, TERMS.per_call)
    assert (await claim(ledger)).parts[0].piece.maybe_sent


async def test_pausing_and_resuming_twice_is_as_once(ledger):
    job = await submit(ledger, refs(20))
    for _ in range(2):
        assert await control.pause_job(ledger, job) is JobState.PAUSED
    for _ in range(2):
        assert (await control.resume_job(ledger, job, TERMS.per_call))[0] is JobState.QUEUED
    assert len(await drained(ledger)) == 2


async def test_a_job_that_never_began_is_queued_again_when_it_is_resumed(ledger):
    job = await submit(ledger, refs(5))
    await control.pause_job(ledger, job)
    assert (await control.resume_job(ledger, job, TERMS.per_call))[0] is JobState.QUEUED


# held until a time


async def test_a_held_job_is_claimable_once_its_time_has_come(ledger):
    job = await submit(ledger, refs(5), start_at_ms=await ledger.now_ms() + HOUR_MS)
    assert await state_of(ledger, job) is JobState.HELD
    await sweep(ledger)
    assert isinstance(await ask(ledger), Wait)
    await ledger.redis.zadd(key("held"), {job: 1})
    await ledger.redis.delete(key("drains"))
    assert len((await sweep(ledger)).drains) == 1
    assert await state_of(ledger, job) is JobState.QUEUED
    assert (await claim(ledger)).references == refs(5)


async def test_a_start_in_the_past_holds_nothing(ledger):
    job = await submit(ledger, refs(5), start_at_ms=1)
    assert await state_of(ledger, job) is JobState.QUEUED
    assert (await claim(ledger)).references == refs(5)


async def test_a_held_job_that_is_paused_and_resumed_is_held_again(ledger):
    job = await submit(ledger, refs(5), start_at_ms=await ledger.now_ms() + HOUR_MS)
    assert await control.pause_job(ledger, job) is JobState.PAUSED
    assert (await control.resume_job(ledger, job, TERMS.per_call))[0] is JobState.HELD
    assert isinstance(await ask(ledger), Wait)
    await ledger.redis.zadd(key("held"), {job: 1})
    await sweep(ledger)
    assert (await claim(ledger)).references == refs(5)


async def test_a_held_job_that_is_paused_when_its_time_comes_begins_when_it_is_resumed(ledger):
    job = await submit(ledger, refs(5), start_at_ms=await ledger.now_ms() + HOUR_MS)
    await control.pause_job(ledger, job)
    await ledger.redis.zadd(key("held"), {job: 1})
    await ledger.redis.hset(f"cancellist:job:{job}", "start_at", 1)
    await sweep(ledger)
    assert isinstance(await ask(ledger), Wait)
    assert (await control.resume_job(ledger, job, TERMS.per_call))[0] is JobState.QUEUED
    assert (await claim(ledger)).references == refs(5)


async def test_all_jobs_whose_time_has_come_begin_with_one_round_of_sweeping(ledger):
    jobs = await many_small_jobs(ledger, 250, start_at_ms=await ledger.now_ms() + HOUR_MS)
    await ledger.redis.zadd(key("held"), dict.fromkeys(jobs, 1))
    while (await sweep(ledger)).more:
        pass
    assert await ledger.redis.zcard(key("held")) == 0
    assert await ledger.redis.zcard(key("calls")) == 250


# the gate


async def test_the_gates_version_rises_whenever_what_is_staged_must_not_start(ledger):
    one, two = await submit(ledger, refs(30)), await submit(ledger, refs(30, 100))
    versions = [await gate_of(ledger)]
    taken = await claim(ledger)
    assert taken.gate == versions[0]
    for act in (
        control.pause_job(ledger, one),
        control.pause_account(ledger, A),
        control.abort_job(ledger, two),
        settle(ledger, taken, AGAIN, hold_ms=50),
    ):
        await act
        versions.append(await gate_of(ledger))
    assert versions == sorted(set(versions)), versions
    assert await accounts.gate_version(ledger, A) == versions[-1]


async def test_the_gate_tells_the_calls_in_flight_over_all_workers(ledger):
    await submit(ledger, refs(90))
    held = [await claim(ledger, drain=f"d{n}") for n in range(2)]
    await claim(ledger, mode="staged")
    assert (await accounts.gate(ledger, A)).calls_in_flight == await slots(ledger) == 2
    await settle(ledger, held[0])
    assert (await accounts.gate(ledger, A)).calls_in_flight == 1


@pytest.mark.parametrize("word", ["pause", "resume", "abort"])
async def test_a_control_that_the_jobs_state_forbids_is_refused_with_the_reason(ledger, word):
    async def act(job):
        match word:
            case "pause":
                return await control.pause_job(ledger, job)
            case "resume":
                return await control.resume_job(ledger, job, TERMS.per_call)
            case _:
                return await control.abort_job(ledger, job)

    with pytest.raises(UnknownJobError, match="nosuchjob"):
        await act("nosuchjob")
    done = await submit(ledger, refs(5))
    await drained(ledger)
    with pytest.raises(JobStateError, match=f"{done} is completed"):
        await act(done)
    gone = await submit(ledger, refs(5))
    await control.abort_job(ledger, gone)
    if word != "abort":
        with pytest.raises(JobStateError, match=f"{gone} is aborted"):
            await act(gone)


@pytest.mark.parametrize("pieces", [10, 20, 28])
async def test_an_abort_ends_though_what_may_have_been_sent_waits_to_be_read(ledger, pieces):
    terms = replace(TERMS, limit=50, per_call=100)
    job = await submit(ledger, refs(pieces * 100))
    for _ in range(pieces):
        await settle(ledger, await claim(ledger, terms=terms), CallAgain(60.0, 1, 1, unclear_s=60.0), terms=terms)
    await ledger.run("abort", A, job)
    rounds = 0
    while (await ledger.run("slice", A, job, housekeeping.SLICE))[1]:
        rounds += 1
        assert rounds < 100
    assert (await records.get(ledger, job)).pending == pieces * 100


async def test_a_group_of_an_aborted_job_leaves_nothing_behind(ledger):
    job = await submit(ledger, refs(20))
    await settle(ledger, await claim(ledger), CallAgain(0.0, 0, 1, group=0))
    await control.pause_job(ledger, job)
    await ask(ledger)
    await control.abort_job(ledger, job)
    assert await ledger.redis.hlen(key("groups")) == 0
    assert await ledger.redis.zcard(key("alone")) == 0
    assert (await records.get(ledger, job)).state is JobState.ABORTED
