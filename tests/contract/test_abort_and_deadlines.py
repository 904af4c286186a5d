"""Aborting and deadlines: what was never sent ends at once, what may have been sent ends as it ends."""

from dataclasses import replace

import pytest

from cancellist.jobs.ledger import claims, control, housekeeping, records
from cancellist.jobs.ledger.claims import Settlement, Share, Wait
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.responses.after_reading import after_reading
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.jobs.responses.status_read import Found
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from tests.contract.steps import (
    HOUR_MS,
    READ,
    TERMS,
    A,
    ask,
    claim,
    deadline_passes,
    entries,
    key,
    lease_passes,
    many_small_jobs,
    outcomes,
    refs,
    release,
    settle,
    state_of,
    submit,
    sweep,
    what_is_later_comes_due,
)

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


async def slice_all(ledger):
    while await housekeeping.slice_oldest(ledger, A):
        pass


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
    await settle(ledger, refused, WriteResult(Outcome.REJECTED, 1, 200))
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
    await settle(ledger, two, WriteResult(Outcome.CANCELLED, 1, 200, None, "Cancelled"))
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
    await settle(ledger, taken, WriteResult(Outcome.ALREADY_CANCELLED, 1, 200, None, "Cancelled"))
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
