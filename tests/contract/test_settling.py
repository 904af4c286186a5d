from dataclasses import replace

import pytest

from cancellist.jobs.ledger import claims, control, housekeeping, records
from cancellist.jobs.ledger.claims import Settlement, Share, Wait
from cancellist.jobs.model import JobState, Outcome, Piece
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from tests.contract.steps import (
    AGAIN,
    CANCELLED,
    READ,
    TERMS,
    A,
    ask,
    claim,
    drained,
    entries,
    key,
    outcomes,
    refs,
    settle,
    submit,
    submitted,
    what_is_later_comes_due,
)

# results


async def test_a_result_has_the_fields_of_the_contract_and_no_empty_ones(ledger):
    job = await submit(ledger, refs(4))
    taken = await claim(ledger)
    steps = [
        WriteResult(Outcome.CANCELLED, 1, 200),
        WriteResult(Outcome.CANCELLED, 2, 201, "unusual words"),
        WriteResult(Outcome.ALREADY_CANCELLED, 3, 200, state="Cancelled"),
        WriteResult(Outcome.MANIFESTED, 4, 200, "too late", "InTransit"),
    ]
    shares = [Share(step, (ref,), 1) for step, ref in zip(steps, refs(4), strict=True)]
    await claims.settle(ledger, A, Settlement(taken.id, [shares]), None, TERMS)
    one, two, three, four = refs(4)
    assert await entries(ledger) == [
        {"job": job, "reference": one, "outcome": "cancelled", "status": "200", "attempts": "1"},
        {
            "job": job, "reference": two, "outcome": "cancelled", "status": "201", "attempts": "2",
            "message": "unusual words",
        },
        {
            "job": job, "reference": three, "outcome": "already_cancelled", "status": "200", "attempts": "3",
            "state": "Cancelled",
        },
        {
            "job": job, "reference": four, "outcome": "manifested", "status": "200", "attempts": "4",
            "message": "too late", "state": "InTransit",
        },
    ]  # fmt: skip


async def test_the_platforms_words_are_kept_as_they_are(ledger):
    await submit(ledger, refs(1))
    words = 'línea 1\nline "2"\t\\ ☃ {"a": [1]} \x00 end'
    await settle(ledger, await claim(ledger), WriteResult(Outcome.REJECTED, 1, 200, words, "Allocated"))
    assert (await entries(ledger))[0]["message"] == words


async def test_the_words_of_a_refusal_survive_the_way_to_the_read(ledger):
    await submit(ledger, refs(1))
    words = 'línea 1\nline "2"\t\\ ☃ {"a": [1]} end'
    await settle(ledger, await claim(ledger), replace(READ, refusal_words=words))
    piece = (await claim(ledger)).parts[0].piece
    assert (piece.refusal_status, piece.refusal_words) == (200, words)


async def test_the_counters_of_the_job_follow_its_results(ledger):
    job = await submit(ledger, refs(25))
    first = await claim(ledger)
    await claim(ledger)
    await settle(ledger, first)
    record = await records.get(ledger, job)
    assert (record.state, record.pending, record.in_flight) == (JobState.RUNNING, 5, 10)
    assert record.outcomes == {Outcome.CANCELLED: 10}
    assert record.settled == 10
    assert record.finished_at_ms is None
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 15


async def test_a_job_is_completed_by_its_last_result(ledger):
    job = await submit(ledger, refs(25))
    assert len(await drained(ledger)) == 3
    record = await records.get(ledger, job)
    assert (record.state, record.pending, record.in_flight) == (JobState.COMPLETED, 0, 0)
    assert record.outcomes == {Outcome.CANCELLED: 25}
    assert record.finished_at_ms >= record.started_at_ms
    assert await records.unfinished(ledger) == []
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 0


async def calls_end(ledger, job, *, after_ms):
    """Settles a call so long after the last, by shifting the job's start into the past."""
    await ledger.redis.hincrby(f"cancellist:job:{job}", "started_at", -after_ms)
    await settle(ledger, await claim(ledger))


async def test_samples_tell_how_many_results_there_were_when_and_the_sum_of_their_times(ledger):
    job = await submit(ledger, refs(50))
    taken = await claim(ledger)
    await ledger.redis.hincrby(f"cancellist:job:{job}", "started_at", -1000)
    await settle(ledger, taken)
    for _ in range(3):
        await calls_end(ledger, job, after_ms=1000)
    samples = (await records.get(ledger, job)).samples
    assert [sample.count for sample in samples] == [10, 20, 30, 40]
    for sample, at in zip(samples, (1000, 2000, 3000, 4000), strict=True):
        assert at <= sample.at_ms < at + 500
    assert samples[0].sum_ms == 10 * samples[0].at_ms
    assert samples[3].sum_ms == sum(10 * sample.at_ms for sample in samples)


async def test_calls_that_end_together_make_two_samples_of_which_the_last_is_of_the_last_result(ledger):
    job = await submit(ledger, refs(100))
    taken = [await claim(ledger) for _ in range(9)]
    await ledger.redis.hincrby(f"cancellist:job:{job}", "started_at", -1000)
    for claimed in taken:
        await settle(ledger, claimed)
    samples = (await records.get(ledger, job)).samples
    assert samples[0].count == 10
    assert samples[-1].count == 90
    assert len(samples) <= 2 + (samples[-1].at_ms - samples[0].at_ms) // 50


async def test_samples_are_bounded_and_the_fewer_the_older(ledger):
    job = await submit(ledger, refs(600))
    await calls_end(ledger, job, after_ms=100)
    for _ in range(58):
        await calls_end(ledger, job, after_ms=200)
    samples = (await records.get(ledger, job)).samples
    assert samples[-1].count == 590
    assert 20 <= len(samples) <= 33
    ages = [samples[-1].at_ms - sample.at_ms for sample in samples]
    assert ages == sorted(ages, reverse=True)
    assert sum(age < 5000 for age in ages) > sum(age >= 5000 for age in ages)


async def test_samples_count_the_calls_that_have_brought_results_each_once_whatever_pieces_it_had(ledger):
    job = await submit(ledger, refs(200))
    for pieces in (1, 2):  # the second call has what the first left of a piece, and some of the next
        taken = await claim(ledger, terms=replace(TERMS, per_call=60))
        assert len(taken.parts) == pieces
        await ledger.redis.hincrby(f"cancellist:job:{job}", "started_at", -1000)
        await settle(ledger, taken)
    newest = (await records.get(ledger, job)).samples[-1]
    assert (newest.count, newest.calls) == (120, 2)


async def test_calls_are_not_counted_any_more_once_an_earlier_version_has_settled_one(ledger):
    job = await submit(ledger, refs(40))
    await calls_end(ledger, job, after_ms=1000)
    sampled = (await ledger.redis.hget(f"cancellist:job:{job}", "sampled")).split()
    await ledger.redis.hset(f"cancellist:job:{job}", "sampled", b" ".join(sampled[:2]))
    await calls_end(ledger, job, after_ms=1000)
    assert [sample.calls for sample in (await records.get(ledger, job)).samples] == [0, 0]


async def test_a_moment_tells_calls_claims_and_when_the_last_of_what_waits_for_its_time_may_go_on(ledger):
    one, other = await submit(ledger, refs(20)), await submit(ledger, refs(10, 30))
    taken = [await claim(ledger) for _ in range(3)]
    by_job = {claimed.parts[0].job: claimed for claimed in taken}
    for job, delays_s in ((one, (20.0, 5.0)), (other, (50.0,))):
        for claimed, delay_s in zip([c for c in taken if c.parts[0].job == job], delays_s, strict=True):
            again = replace(AGAIN, delay_s=delay_s)
            shares = [Share(again, None, len(claimed.references))]
            assert (await claims.settle(ledger, A, Settlement(claimed.id, [shares]), None, TERMS))[0]
    assert set(by_job) == {one, other}
    seen = await records.moment(ledger, [A], [one, other, "unknown"])
    assert {job: round((due - seen.at_ms) / 1000) for job, due in seen.due_ms.items()} == {one: 20, other: 50}
    assert (seen.calls, seen.claims) == ({A: 3}, {A: 0})  # slots are given back apart
    assert {job: record.pending for job, record in seen.jobs.items()} == {one: 20, other: 10}


async def test_malformed_lines_are_no_part_of_the_pace(ledger):
    job = (await submitted(ledger, refs(20), malformed=30)).job
    await housekeeping.slices(ledger, A, job)
    await settle(ledger, await claim(ledger))
    assert [sample.count for sample in (await records.get(ledger, job)).samples] == [10]


async def test_a_resent_settle_leaves_the_samples_as_they_are(ledger):
    job = await submit(ledger, refs(30))
    taken = await claim(ledger)
    await settle(ledger, taken)
    before = (await records.get(ledger, job)).samples
    await settle(ledger, taken)
    assert (await records.get(ledger, job)).samples == before


async def test_the_clock_of_a_job_stands_while_it_is_paused(ledger):
    job = await submit(ledger, refs(30))
    await settle(ledger, await claim(ledger))
    first = (await records.get(ledger, job)).samples[-1].at_ms
    await control.pause_job(ledger, job)
    for name in ("started_at", "paused_at"):
        await ledger.redis.hincrby(f"cancellist:job:{job}", name, -60_000)
    await control.resume_job(ledger, job, 10)
    await control.resume_job(ledger, job, 10)
    assert (await records.get(ledger, job)).idle_ms >= 60_000
    await settle(ledger, await claim(ledger))
    assert (await records.get(ledger, job)).samples[-1].at_ms < first + 2000


async def test_the_clock_of_a_job_stands_while_its_account_is_paused(ledger):
    job = await submit(ledger, refs(30))
    await settle(ledger, await claim(ledger))
    first = (await records.get(ledger, job)).samples[-1].at_ms
    await control.pause_account(ledger, A)
    await ledger.redis.hincrby(f"cancellist:job:{job}", "started_at", -60_000)
    await ledger.redis.hincrby(key("state"), "paused", -60_000)
    await control.resume_account(ledger, A, 10)
    await settle(ledger, await claim(ledger))
    assert (await records.get(ledger, job)).samples[-1].at_ms < first + 2000


@pytest.mark.parametrize(("held_ms", "counts"), [(60_000, False), (2_000, True)])
async def test_the_clock_of_a_job_stands_during_a_long_hold_but_not_during_a_short_one(ledger, held_ms, counts):
    job = await submit(ledger, refs(30))
    await settle(ledger, await claim(ledger))
    record = await records.get(ledger, job)
    await ledger.redis.hset(key("state"), "hold_until", await ledger.now_ms())
    await ledger.redis.hincrby(f"cancellist:job:{job}", "started_at", -held_ms)
    await settle(ledger, await claim(ledger))
    passed = (await records.get(ledger, job)).samples[-1].at_ms - record.samples[-1].at_ms
    assert (passed >= held_ms) is counts
    assert passed < held_ms + 2000


# back into the queue


async def test_one_claim_may_go_many_ways(ledger):
    job = await submit(ledger, refs(6))
    taken = await claim(ledger)
    a, b, c, d, e, f = refs(6)
    shares = [
        Share(CANCELLED, (a, f), 2),
        Share(CallAgain(0.0, 1, 1), (b,), 1),
        Share(CallAgain(60.0, 1, 1, unclear_s=30.0), (c,), 1),
        Share(READ, (d,), 1),
        Share(WriteResult(Outcome.REJECTED, 1, 200), (e,), 1),
    ]
    await claims.settle(ledger, A, Settlement(taken.id, [shares], (taken.id,)), None, TERMS)
    assert await outcomes(ledger, job) == {a: "cancelled", f: "cancelled", e: "rejected"}
    record = await records.get(ledger, job)
    assert (record.pending, record.in_flight) == (3, 0)
    both = [await claim(ledger), await claim(ledger)]
    assert {(one.kind, *one.references) for one in both} == {("reads", d), ("calls", b)}
    waited = await ask(ledger)
    assert isinstance(waited, Wait)
    assert 59_000 < waited.wait_ms <= 60_000


async def test_a_coalesced_reference_goes_its_own_way_in_each_job(ledger):
    one, two = await submit(ledger, refs(2)), await submit(ledger, refs(2))
    taken = await claim(ledger)
    a, b = refs(2)
    shares = [
        [Share(CANCELLED, None, 2)],
        [Share(CANCELLED, (b,), 1), Share(AGAIN, (a,), 1)],
    ]
    await claims.settle(ledger, A, Settlement(taken.id, shares, (taken.id,)), None, TERMS)
    assert await outcomes(ledger, one) == {a: "cancelled", b: "cancelled"}
    assert await outcomes(ledger, two) == {b: "cancelled"}
    again = await claim(ledger)
    assert [(part.job, list(part.piece.references)) for part in again.parts] == [(two, [a])]


async def test_what_goes_back_carries_its_history(ledger):
    await submit(ledger, refs(1))
    now = await ledger.now_ms()
    await settle(ledger, await claim(ledger), CallAgain(0.0, 1, 1, unclear_s=30.0))
    piece = (taken := await claim(ledger)).parts[0].piece
    assert (piece.attempts, piece.named, piece.maybe_sent, piece.refusal_status) == (1, 1, True, None)
    assert 29_000 <= piece.unclear_until_ms - now <= 31_000
    await settle(ledger, taken, ReadState(0.0, 1, 2, refusal_status=200, refusal_words="no"))
    second = (taken := await claim(ledger)).parts[0].piece
    assert second == replace(piece, named=2, refusal_status=200, refusal_words="no", called_ms=second.called_ms)
    assert now <= piece.called_ms <= second.called_ms
    await settle(ledger, taken, ReadState(0.0, 1, 2, reads=1, refusal_status=200, refusal_words="no"))
    taken = await claim(ledger)
    assert taken.parts[0].piece == replace(second, reads=1)
    await settle(ledger, taken, CallAgain(0.0, 1, 2, cleared=True))
    assert (await claim(ledger)).parts[0].piece == Piece(piece.references, 1, 2, called_ms=second.called_ms)


async def test_a_later_doubt_never_shortens_an_earlier_one(ledger):
    await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), CallAgain(0.0, 1, 1, unclear_s=60.0))
    first = (taken := await claim(ledger)).parts[0].piece.unclear_until_ms
    await settle(ledger, taken, CallAgain(0.0, 2, 2, unclear_s=1.0))
    taken = await claim(ledger)
    assert taken.parts[0].piece.unclear_until_ms == first
    await settle(ledger, taken, AGAIN)
    assert (await claim(ledger)).parts[0].piece.unclear_until_ms == first


async def test_what_waits_for_its_time_is_claimable_from_then_on(ledger):
    await submit(ledger, refs(5))
    await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1))
    assert isinstance(await ask(ledger), Wait)
    await what_is_later_comes_due(ledger)
    taken = await claim(ledger)
    assert taken.references == refs(5)
    assert taken.parts[0].piece.attempts == 1


async def test_what_comes_due_goes_before_what_was_never_tried(ledger):
    await submit(ledger, refs(30))
    await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1))
    await what_is_later_comes_due(ledger)
    assert (await claim(ledger)).references == refs(10)


async def test_a_read_is_of_one_reference(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await settle(ledger, taken, READ)
    reads = [await claim(ledger, terms=replace(TERMS, limit=20)) for _ in range(10)]
    assert {one.kind for one in reads} == {"reads"}
    assert [one.references for one in reads] == [[reference] for reference in refs(10)]
    assert all(one.parts[0].piece.refusal_words == "no" for one in reads)
