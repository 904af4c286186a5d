from dataclasses import replace

import pytest

from cancellist.jobs.errors import JobStateError, UnknownJobError
from cancellist.jobs.ledger import accounts, claims, control, housekeeping, intake, records
from cancellist.jobs.ledger.claims import Settlement, Share, Wait
from cancellist.jobs.ledger.intake import SmallJob
from cancellist.jobs.model import JobRequest, JobState, Outcome
from cancellist.jobs.responses.retry import CallAgain, ReadState, RetryPolicy, Settle, after_reading
from cancellist.jobs.responses.status_read import Found
from tests.contract.steps import (
    AGAIN,
    READ,
    TERMS,
    A,
    ask,
    claim,
    deadline_passes,
    drained,
    entries,
    key,
    lease_passes,
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

HOUR_MS = 3_600_000
MAYBE_SENT = CallAgain(0.0, 1, 1, unclear_s=30.0)


@pytest.fixture
def written(ledger, monkeypatch):
    """(script, results that it wrote), in order."""
    seen, run = [], ledger.run

    async def watched(name, *args):
        before = await ledger.redis.xlen("cancellist:results")
        answer = await run(name, *args)
        seen.append((name, await ledger.redis.xlen("cancellist:results") - before))
        return answer

    monkeypatch.setattr(ledger, "run", watched)
    return seen


async def gate_of(ledger):
    return (await accounts.gate(ledger, A)).version


async def slice_all(ledger):
    while await housekeeping.slice_oldest(ledger, A):
        pass


async def many_small_jobs(ledger, count, **order):
    """Jobs of one reference each, made in few scripts."""
    await intake.prepare(ledger)
    made = []
    for first in range(0, count, 1000):
        pipe = ledger.redis.pipeline(transaction=False)
        for _ in range(first, min(count, first + 1000)):
            pipe.xadd("cancellist:intake", {"references": "x"})
        await pipe.execute()
        taken = await intake.read(ledger, ledger.redis, "c", count=1000, block_ms=1)
        jobs = [SmallJob(e.id, JobRequest(**order), refs(1, first + n), [], 0) for n, e in enumerate(taken)]
        await intake.seal_small(ledger, A, jobs, idempotency_keep_s=60, per_call=10)
    made = await ledger.redis.zrange("cancellist:jobs", 0, -1)
    assert len(made) == count
    return [job.decode() for job in made]


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


# aborting


async def test_what_was_never_sent_is_aborted_when_abort_answers(ledger):
    job = await submit(ledger, refs(25), malformed=2)
    assert await control.abort_job(ledger, job) is JobState.ABORTED
    assert await outcomes(ledger, job) == dict.fromkeys(refs(25), "aborted") | {"bad 1": "invalid", "bad 2": "invalid"}
    assert {e["attempts"] for e in await entries(ledger)} == {"0"}
    assert isinstance(await ask(ledger), Wait)
    record = await records.get(ledger, job)
    assert (record.pending, record.in_flight) == (0, 0)
    assert record.finished_at_ms
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 0


@pytest.mark.parametrize("held", [True, False])
async def test_a_held_or_a_paused_job_can_be_aborted(ledger, held):
    job = await submit(ledger, refs(5), start_at_ms=await ledger.now_ms() + HOUR_MS if held else None)
    if not held:
        await control.pause_job(ledger, job)
    assert await control.abort_job(ledger, job) is JobState.ABORTED
    await sweep(ledger)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(5), "aborted")


async def test_what_is_in_flight_when_a_job_is_aborted_ends_as_it_ends(ledger):
    job = await submit(ledger, refs(40))
    calling, refused, staged = await claim(ledger), await claim(ledger), await claim(ledger, mode="staged")
    assert await control.abort_job(ledger, job) is JobState.ABORTING
    assert (await records.get(ledger, job)).outcomes == {Outcome.ABORTED: 10}
    await settle(ledger, calling)
    await settle(ledger, refused, Settle(Outcome.REJECTED, 1, 200))
    assert await state_of(ledger, job) is JobState.ABORTING
    await release(ledger, staged)
    assert await state_of(ledger, job) is JobState.ABORTED
    assert (await records.get(ledger, job)).outcomes == {
        Outcome.ABORTED: 20, Outcome.CANCELLED: 10, Outcome.REJECTED: 10,
    }  # fmt: skip
    assert len(await outcomes(ledger, job)) == 40


async def test_what_no_call_took_is_aborted_when_it_comes_back(ledger):
    job = await submit(ledger, refs(10))
    taken = await claim(ledger)
    await control.abort_job(ledger, job)
    await settle(ledger, taken, CallAgain(5.0, 0, 1))
    assert await outcomes(ledger, job) == dict.fromkeys(refs(10), "aborted")
    assert {e["attempts"] for e in await entries(ledger)} == {"1"}
    assert await state_of(ledger, job) is JobState.ABORTED


async def test_what_may_have_been_sent_is_read_before_it_is_aborted(ledger):
    job = await submit(ledger, refs(2))
    await settle(ledger, await claim(ledger), MAYBE_SENT)
    now = await ledger.now_ms()
    assert await control.abort_job(ledger, job) is JobState.ABORTING
    assert await outcomes(ledger, job) == {}
    waited = await ask(ledger)
    assert now + 28_000 < now + waited.wait_ms <= now + 30_000
    await what_is_later_comes_due(ledger)
    one, two = await claim(ledger), await claim(ledger)
    assert (one.kind, two.kind) == ("reads", "reads")
    assert one.parts[0].piece.maybe_sent
    await settle(ledger, one, CallAgain(0.0, 1, 1, cleared=True))
    await settle(ledger, two, Settle(Outcome.CANCELLED, 1, 200, None, "Cancelled"))
    assert await outcomes(ledger, job) == {one.references[0]: "aborted", two.references[0]: "cancelled"}
    assert await state_of(ledger, job) is JobState.ABORTED


@pytest.mark.parametrize("delay_s", [0.0, 60.0])
async def test_what_may_have_been_sent_and_comes_back_after_the_abort_is_read_too(ledger, delay_s):
    job = await submit(ledger, refs(5))
    taken = await claim(ledger)
    await control.abort_job(ledger, job)
    await settle(ledger, taken, replace(MAYBE_SENT, delay_s=delay_s))
    assert await outcomes(ledger, job) == {}
    assert isinstance(await ask(ledger), Wait)
    await what_is_later_comes_due(ledger)
    assert {(await claim(ledger, terms=replace(TERMS, limit=9))).kind for _ in range(5)} == {"reads"}


async def test_what_a_dead_worker_held_of_an_aborted_job_is_read(ledger):
    job = await submit(ledger, refs(1))
    taken = await claim(ledger)
    await control.abort_job(ledger, job)
    await lease_passes(ledger, taken)
    await sweep(ledger)
    assert await outcomes(ledger, job) == {}
    await what_is_later_comes_due(ledger)
    assert (await claim(ledger)).kind == "reads"


async def test_what_waits_for_its_time_is_aborted_or_read(ledger):
    job = await submit(ledger, refs(20))
    await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1))
    await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1, unclear_s=30.0))
    await control.abort_job(ledger, job)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(10), "aborted")
    await what_is_later_comes_due(ledger)
    assert (await claim(ledger)).kind == "reads"


async def test_what_was_read_back_as_open_is_aborted_with_the_state_that_was_read(ledger):
    await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), replace(MAYBE_SENT, unclear_s=0.001))
    (job,) = await records.unfinished(ledger)
    await control.abort_job(ledger, job.id)
    await what_is_later_comes_due(ledger)
    taken = await claim(ledger)
    step = after_reading(taken.parts[0].piece, Found("Allocated", 200), RetryPolicy(), 0.5, 0.0)
    await settle(ledger, taken, step)
    (result,) = await entries(ledger)
    assert (result["outcome"], result.get("status"), result.get("state")) == ("aborted", "200", "Allocated")


async def test_the_reads_of_an_aborted_job_go_on(ledger):
    job = await submit(ledger, refs(10))
    await settle(ledger, await claim(ledger), READ)
    assert await control.abort_job(ledger, job) is JobState.ABORTING
    taken = await claim(ledger)
    assert taken.kind == "reads"
    await settle(ledger, taken, Settle(Outcome.ALREADY_CANCELLED, 1, 200, None, "Cancelled"))
    assert set((await outcomes(ledger, job)).values()) == {"already_cancelled"}


async def test_aborting_again_changes_nothing(ledger):
    job = await submit(ledger, refs(15))
    taken = await claim(ledger)
    for _ in range(2):
        assert await control.abort_job(ledger, job) is JobState.ABORTING
    await settle(ledger, taken)
    for _ in range(2):
        assert await control.abort_job(ledger, job) is JobState.ABORTED
    assert len(await outcomes(ledger, job)) == 15


async def test_a_long_job_is_aborted_in_slices_of_at_most_2000_references(ledger, written):
    job = await submit(ledger, refs(10_000))
    assert await control.abort_job(ledger, job) is JobState.ABORTED
    assert max(count for _, count in written) <= 2000
    assert sum(count for _, count in written) == 10_000
    assert set((await outcomes(ledger, job)).values()) == {"aborted"}


async def test_an_abort_whose_caller_died_is_finished_by_whoever_sweeps(ledger):
    job = await submit(ledger, refs(3000))
    await ledger.run("abort", A, job)
    await ledger.run("slice", A, job, housekeeping.SLICE)
    assert (await sweep(ledger)).sliceable
    await slice_all(ledger)
    assert not (await sweep(ledger)).sliceable
    assert await state_of(ledger, job) is JobState.ABORTED
    assert len(await outcomes(ledger, job)) == 3000


async def test_slices_by_several_at_once_write_each_result_once(ledger):
    one, two = await submit(ledger, refs(2500)), await submit(ledger, refs(2500), malformed=600)
    for job in (one, two):
        await ledger.run("abort", A, job)
    for turn in range(12):
        await ledger.run("slice", A, (one, two, "")[turn % 3], 700)
    await slice_all(ledger)
    assert len(await outcomes(ledger, one)) == 2500
    assert len(await outcomes(ledger, two)) == 3100


async def test_a_slice_looks_at_no_more_than_2000_references_that_are_to_be_read(ledger):
    job = await submit(ledger, refs(6000))
    terms = replace(TERMS, per_call=1000)
    later = ReadState(600.0, 1, 1, unclear_s=30.0)
    for _ in range(6):
        taken = await claim(ledger, terms=terms)
        shares = [[Share(later, (ref,), 1) for ref in part.piece.references] for part in taken.parts]
        await claims.settle(ledger, A, Settlement(taken.id, shares, (taken.id,)), None, terms)
    await ledger.run("abort", A, job)
    await ledger.redis.config_resetstat()
    await ledger.run("slice", A, job, housekeeping.SLICE)
    pages = (await ledger.redis.info("commandstats")).get("cmdstat_hscan", {"calls": 0})["calls"]
    assert pages * 5 <= 2000


async def test_a_job_of_malformed_lines_is_written_in_slices(ledger, written):
    job = await submit(ledger, [], malformed=3000)
    await slice_all(ledger)
    assert max(count for _, count in written) <= 2000
    assert set((await outcomes(ledger, job)).values()) == {"invalid"}
    assert await state_of(ledger, job) is JobState.COMPLETED


# deadlines


async def test_past_its_deadline_what_was_never_sent_is_expired_unsent(ledger):
    job = await submit(ledger, refs(25), deadline_ms=await ledger.now_ms() + HOUR_MS)
    await settle(ledger, await claim(ledger))
    await deadline_passes(ledger, job)
    assert isinstance(await ask(ledger), Wait)
    assert (await sweep(ledger)).sliceable
    await slice_all(ledger)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(10), "cancelled") | dict.fromkeys(refs(15, 10), "expired")
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_claim_takes_nothing_past_its_deadline_though_nobody_has_swept(ledger):
    late = await submit(ledger, refs(10), deadline_ms=await ledger.now_ms() + HOUR_MS)
    other = await submit(ledger, refs(10, 50))
    await ledger.redis.hset(f"cancellist:job:{late}", "deadline", 1)
    assert [part.job for part in (await claim(ledger)).parts] == [other]
    await slice_all(ledger)
    assert set((await outcomes(ledger, late)).values()) == {"expired"}


async def test_what_is_in_flight_at_the_deadline_ends_as_it_ends(ledger):
    job = await submit(ledger, refs(50), deadline_ms=await ledger.now_ms() + HOUR_MS)
    terms = replace(TERMS, limit=9)
    calling, untaken, staged, unclear = [await claim(ledger, terms=terms) for _ in range(4)]
    await deadline_passes(ledger, job)
    await sweep(ledger)
    await slice_all(ledger)
    await settle(ledger, calling)
    await settle(ledger, untaken, CallAgain(1.0, 1, 1))
    await release(ledger, staged)
    await settle(ledger, unclear, MAYBE_SENT)
    expected = dict.fromkeys(refs(10), "cancelled") | dict.fromkeys(refs(20, 10) + refs(10, 40), "expired")
    assert await outcomes(ledger, job) == expected
    await what_is_later_comes_due(ledger)
    for _ in range(10):
        taken = await claim(ledger)
        assert taken.kind == "reads"
        await settle(ledger, taken, CallAgain(0.0, 1, 1, cleared=True))
    assert await outcomes(ledger, job) == expected | dict.fromkeys(refs(10, 30), "expired")
    assert await state_of(ledger, job) is JobState.COMPLETED


@pytest.mark.parametrize("held", [True, False])
async def test_a_held_or_a_paused_job_expires_as_well(ledger, held):
    now = await ledger.now_ms()
    start = now + 2 * HOUR_MS if held else None
    job = await submit(ledger, refs(5), deadline_ms=now + HOUR_MS, start_at_ms=start)
    if not held:
        await control.pause_job(ledger, job)
    await deadline_passes(ledger, job)
    await sweep(ledger)
    await slice_all(ledger)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(5), "expired")
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_deadline_that_has_passed_at_submission_expires_all(ledger):
    job = await submit(ledger, refs(5), deadline_ms=1)
    assert isinstance(await ask(ledger), Wait)
    await sweep(ledger)
    await slice_all(ledger)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(5), "expired")


async def test_a_long_job_expires_in_slices_of_at_most_2000_references(ledger, written):
    job = await submit(ledger, refs(5000), deadline_ms=await ledger.now_ms() + HOUR_MS)
    await deadline_passes(ledger, job)
    await sweep(ledger)
    await slice_all(ledger)
    assert max(count for _, count in written) <= 2000
    assert sum(count for _, count in written) == 5000


async def test_a_claim_passes_over_at_most_2000_references_of_jobs_past_their_deadline(ledger):
    jobs = await many_small_jobs(ledger, 3000)
    pipe = ledger.redis.pipeline(transaction=False)
    for job in jobs:
        pipe.hset(f"cancellist:job:{job}", "deadline", 1)
    await pipe.execute()
    await ask(ledger)
    assert 3000 - await ledger.redis.zcard(key("calls")) <= 2000


async def test_many_deadlines_that_pass_at_once_are_seen_to_in_one_round_of_sweeping(ledger):
    jobs = await many_small_jobs(ledger, 250)
    pipe = ledger.redis.pipeline(transaction=False)
    for job in jobs:
        pipe.hset(f"cancellist:job:{job}", "deadline", 1)
    pipe.zadd(key("deadlines"), dict.fromkeys(jobs, 1))
    await pipe.execute()
    while (await sweep(ledger)).more:
        pass
    await slice_all(ledger)
    assert {e["outcome"] for e in await entries(ledger)} == {"expired"}
    assert len(await entries(ledger)) == 250


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
async def test_what_cannot_be_done_is_refused_with_the_reason(ledger, word):
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
