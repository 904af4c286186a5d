from dataclasses import replace

import pytest
from redis.exceptions import ResponseError

from cancellist.jobs.ledger import accounts, claims, control, failed_calls, housekeeping, records
from cancellist.jobs.ledger.claims import Claim, Settlement, Share, Wait
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.model import JobState, Outcome, Piece
from cancellist.jobs.responses.retry import CallAgain, ReadState, Settle
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
    new_ask,
    outcomes,
    refs,
    release,
    settle,
    slots,
    state_of,
    submit,
    submitted,
    what_is_later_comes_due,
)


async def everything(ledger):
    """All that the server holds, but for clocks and the scripts' cache."""
    found = {}
    for name in await ledger.redis.keys("*"):
        found[name] = await ledger.redis.dump(name)
    return found


# results


async def test_a_result_has_the_fields_of_the_contract_and_no_empty_ones(ledger):
    job = await submit(ledger, refs(4))
    taken = await claim(ledger)
    steps = [
        Settle(Outcome.CANCELLED, 1, 200),
        Settle(Outcome.CANCELLED, 2, 201, "unusual words"),
        Settle(Outcome.ALREADY_CANCELLED, 3, 200, state="Cancelled"),
        Settle(Outcome.MANIFESTED, 4, 200, "too late", "InTransit"),
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
    await settle(ledger, await claim(ledger), Settle(Outcome.REJECTED, 1, 200, words, "Allocated"))
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
        Share(Settle(Outcome.REJECTED, 1, 200), (e,), 1),
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


# settling again, or too late


async def test_a_resent_settle_gets_its_first_answer_and_its_next_claim(ledger):
    job = await submit(ledger, refs(40))
    taken, then = await claim(ledger), new_ask()
    first = await settle(ledger, taken, then=then)
    before = await everything(ledger)
    again = await settle(ledger, taken, then=then)
    assert first[0] is True
    assert again[0] is True
    assert again[1].parts == first[1].parts
    assert again[1].has_slot == first[1].has_slot
    after = await everything(ledger)
    leases = {key(name).encode() for name in ("drains", "claims", "slots")}
    assert {k: v for k, v in after.items() if k not in leases} == {k: v for k, v in before.items() if k not in leases}
    assert len(await outcomes(ledger, job)) == 10


async def test_a_resent_settle_is_recognised_for_two_leases(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await settle(ledger, taken)
    left_ms = await ledger.redis.pttl(key(f"done:{taken.id}"))
    assert TERMS.lease_ms < left_ms <= 2 * TERMS.lease_ms


async def test_a_resent_settle_with_another_verdict_changes_nothing(ledger):
    job = await submit(ledger, refs(10))
    taken = await claim(ledger)
    await settle(ledger, taken)
    assert await settle(ledger, taken, AGAIN) == (True, None)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(10), "cancelled")
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_claim_that_was_given_back_is_settled_no_more(ledger):
    job = await submit(ledger, refs(10))
    taken = await claim(ledger)
    await release(ledger, taken)
    assert (await settle(ledger, taken))[0] is False
    assert await outcomes(ledger, job) == {}
    assert (await claim(ledger)).references == refs(10)


async def test_a_claim_that_never_was_is_not_settled_and_the_next_is_handed_out_all_the_same(ledger):
    await submit(ledger, refs(10))
    taken, answer = await claims.settle(ledger, A, Settlement("nobody", []), new_ask(), TERMS)
    assert taken is False
    assert answer.references == refs(10)


async def test_the_next_claim_comes_in_the_same_round_trip(ledger):
    await submit(ledger, refs(15))
    taken, answer = await settle(ledger, await claim(ledger), then=new_ask())
    assert taken
    assert isinstance(answer, Claim)
    assert answer.references == refs(5, 10)
    assert await settle(ledger, answer, then=new_ask()) == (True, Wait(-1, "empty", 0, TERMS.limit))


async def test_what_a_settle_puts_back_may_be_in_its_next_claim(ledger):
    await submit(ledger, refs(10))
    _, answer = await settle(ledger, await claim(ledger), AGAIN, then=new_ask())
    assert answer.references == refs(10)
    assert answer.parts[0].piece.attempts == 1


async def test_a_settle_writes_results_of_a_job_that_was_paused_meanwhile(ledger):
    job = await submit(ledger, refs(10))
    taken = await claim(ledger)
    await control.pause_job(ledger, job)
    assert (await settle(ledger, taken))[0]
    assert await state_of(ledger, job) is JobState.COMPLETED


# settlements that do not cover the claim

A10, B10 = refs(10), refs(10, 50)
MISFITS = {
    "no part": [],
    "a part is missing": [[Share(CANCELLED, None, 5)]],
    "a part is empty": [[Share(CANCELLED, None, 5)], []],
    "too few": [[Share(CANCELLED, None, 5)], [Share(CANCELLED, tuple(B10[:4]), 4)]],
    "too many": [[Share(CANCELLED, None, 5)], [Share(CANCELLED, None, 5), Share(AGAIN, (B10[0],), 1)]],
    "all twice": [[Share(CANCELLED, None, 5)], [Share(CANCELLED, None, 5), Share(AGAIN, None, 5)]],
    "one twice": [[Share(CANCELLED, None, 5)], [Share(CANCELLED, (*B10[:4], B10[0]), 5)]],
    "another's": [[Share(CANCELLED, None, 5)], [Share(CANCELLED, (*B10[:4], A10[0]), 5)]],
    "miscounted": [[Share(CANCELLED, None, 5)], [Share(CANCELLED, tuple(B10[:4]), 5)]],
}


@pytest.mark.parametrize("parts", MISFITS.values(), ids=MISFITS)
async def test_a_settlement_that_does_not_cover_its_claim_is_an_error_and_changes_nothing(ledger, parts):
    await submit(ledger, A10[:5])
    await submit(ledger, B10[:5])
    taken = await claim(ledger)
    before = await everything(ledger)
    with pytest.raises(ResponseError):
        await claims.settle(ledger, A, Settlement(taken.id, parts), None, TERMS)
    assert await everything(ledger) == before
    assert (await settle(ledger, taken))[0]


async def test_the_slot_too_stays_where_a_settlement_does_not_cover_its_claim(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    before = await everything(ledger)
    with pytest.raises(ResponseError):
        await claims.settle(ledger, A, Settlement(taken.id, [[]], (taken.id,), {}, 5000), None, TERMS)
    assert await slots(ledger) == 1
    assert await everything(ledger) == before


# holding the account


async def test_a_settle_may_hold_the_account_for_a_while(ledger):
    await submit(ledger, refs(40))
    first, second = await claim(ledger), await claim(ledger)
    gate = (await accounts.gate(ledger, A)).version
    _, answer = await settle(ledger, first, AGAIN, hold_ms=5000, then=new_ask())
    assert answer.why == "held"
    assert 4000 < answer.wait_ms <= 5000
    assert (await accounts.gate(ledger, A)).version > gate
    assert (await settle(ledger, second))[0]
    await ledger.redis.hset(key("state"), "hold_until", 1)
    assert (await claim(ledger)).references


async def test_a_short_hold_does_not_cut_a_long_one_short(ledger):
    await submit(ledger, refs(40))
    first, second = await claim(ledger), await claim(ledger)
    await settle(ledger, first, hold_ms=60_000)
    await settle(ledger, second, hold_ms=100)
    assert (await ask(ledger)).wait_ms > 50_000


# size


async def test_a_settle_with_its_next_claim_touches_at_most_2000_references(ledger):
    terms = replace(TERMS, per_call=1000)
    await submit(ledger, refs(500, 9000))
    await settle(ledger, await claim(ledger, terms=terms), CallAgain(60.0, 1, 1))
    job = await submit(ledger, refs(2500))
    taken = await claim(ledger, terms=terms)
    assert len(taken.references) == 1000
    await what_is_later_comes_due(ledger)
    waiting = await ledger.redis.zcard(key("later"))
    _, answer = await settle(ledger, taken, then=new_ask(terms=terms), terms=terms)
    promoted = waiting - await ledger.redis.zcard(key("later"))
    settled = len(await outcomes(ledger, job))
    assert settled + len(answer.references) + promoted * 100 <= 2000, (settled, len(answer.references), promoted)


async def test_retries_wait_longer_once_the_accounts_budget_for_them_is_spent(ledger):
    await submit(ledger, refs(400))
    due = []
    for _ in range(14):
        taken = await claim(ledger)
        shares = [[Share(replace(AGAIN, delay_s=0.5, attempts=1), None, len(p.piece.references))] for p in taken.parts]
        settlement = Settlement(taken.id, shares, (taken.id,), {}, slow_s=20.0)
        now = await ledger.now_ms()
        await claims.settle(ledger, A, settlement, None, TERMS)
        latest = await ledger.redis.zrevrange(key("later"), 0, 0, withscores=True)
        due.append(round((latest[0][1] - now) / 1000))
    assert due[:10] == [0 if wait == 0 else 1 for wait in due[:10]]
    assert due[10:] == [20] * 4


async def test_calls_that_go_well_earn_retries(ledger):
    await submit(ledger, refs(400))
    await ledger.redis.hset(key("state"), "retry_budget", "0.0")
    for _ in range(5):
        await settle(ledger, await claim(ledger))
    assert float(await ledger.redis.hget(key("state"), "retry_budget")) == 1.0


PROMISES_NOTHING = {
    "a list refused whole": CallAgain(0.0, 0, 1, group=0),
    "unclear for the last time": ReadState(0.0, 8, 8, unclear_s=1.0),
    "failed": Settle(Outcome.FAILED, 8, 404),
}


@pytest.mark.parametrize("step", PROMISES_NOTHING.values(), ids=PROMISES_NOTHING)
async def test_a_call_that_did_not_go_well_earns_no_retries(ledger, step):
    await submit(ledger, refs(10))
    await ledger.redis.hset(key("state"), "retry_budget", "0.0")
    await settle(ledger, await claim(ledger), step)
    assert float(await ledger.redis.hget(key("state"), "retry_budget")) == 0.0


async def test_a_call_that_was_refused_has_gone_well_and_its_reads_earn_nothing(ledger):
    await submit(ledger, refs(1))
    await ledger.redis.hset(key("state"), "retry_budget", "0.0")
    await settle(ledger, await claim(ledger), READ)
    assert float(await ledger.redis.hget(key("state"), "retry_budget")) == 0.2
    await settle(ledger, await claim(ledger), replace(READ, reads=1))
    await settle(ledger, await claim(ledger), Settle(Outcome.UNCONFIRMED, 1))
    assert float(await ledger.redis.hget(key("state"), "retry_budget")) == 0.2


async def test_what_was_tried_is_told_to_the_job_that_it_was_tried_for(ledger):
    one, two = await submit(ledger, refs(2)), await submit(ledger, refs(2, 1))
    taken = await claim(ledger)
    named = {part.job: part.piece.references for part in taken.parts}
    call = TroubledCall("calls", 503, "busy", "c-1", 12, named)
    await settle(ledger, taken, AGAIN, trouble=call)
    first, shared, last = refs(3)
    told = {
        (job, reference): [t async for t in failed_calls.of_reference(ledger, A, job, reference)]
        for job in (one, two)
        for reference in (first, shared, last)
    }
    assert [len(told[one, reference]) for reference in (first, shared, last)] == [1, 1, 0]
    assert [len(told[two, reference]) for reference in (first, shared, last)] == [0, 1, 1]
    seen = told[two, last][0]
    assert (seen.status, seen.correlation_id, seen.references) == (503, "c-1", 3)


async def test_what_a_call_has_taught_is_learnt_once_however_often_it_is_settled(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    shares = [[Share(CANCELLED, None, len(p.piece.references))] for p in taken.parts]
    told = Settlement(taken.id, shares, (), {}, hold_ms=60_000, hold_why="asked to wait", learnt=("no", "open"))
    for _ in range(3):
        assert (await claims.settle(ledger, A, told, None, TERMS))[0]
    assert await ledger.redis.hget(key("words"), "no") == b"open 1"
    gate = await accounts.gate(ledger, A)
    assert (gate.version, gate.hold_why) == (1, "asked to wait")
