import asyncio
from dataclasses import replace

import pytest

from cancellist.jobs.ledger import accounts, claims, control, housekeeping, records
from cancellist.jobs.ledger.claims import Claim, Wait
from cancellist.jobs.model import JobState, Outcome, Piece
from cancellist.jobs.responses.retry import CallAgain, RetryPolicy, after_call, after_reading
from cancellist.jobs.responses.status_read import Found
from cancellist.jobs.responses.verdicts import Unclear
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
    lease_passes,
    new_ask,
    outcomes,
    refs,
    release,
    settle,
    slots,
    state_of,
    submit,
    submitted,
    sweep,
    what_is_later_comes_due,
)


async def away(ledger, ms=3000):
    """Nobody swept for so long."""
    await ledger.redis.hset(key("state"), "swept_at", await ledger.now_ms() - ms)


# takeover


async def test_a_claim_whose_lease_passed_is_taken_over_and_marked_as_maybe_sent(ledger):
    job = await submit(ledger, refs(20))
    await lease_passes(ledger, await claim(ledger))
    now = await ledger.now_ms()
    assert (await sweep(ledger, call_timeout_s=30.0)).taken_over == 1
    record = await records.get(ledger, job)
    assert (record.pending, record.in_flight) == (20, 0)
    again = await claim(ledger)
    assert again.references == refs(10)
    piece = again.parts[0].piece
    assert (piece.attempts, piece.named, piece.reads) == (1, 1, 0)
    assert 29_000 <= piece.unclear_until_ms - now <= 31_000


async def test_a_staged_claim_is_taken_over_likewise(ledger):
    await submit(ledger, refs(10))
    await lease_passes(ledger, await claim(ledger, mode="staged"))
    assert (await sweep(ledger)).taken_over == 1
    assert (await claim(ledger)).parts[0].piece.maybe_sent


async def test_a_claim_is_taken_over_once_however_many_sweep(ledger):
    await submit(ledger, refs(10))
    await lease_passes(ledger, await claim(ledger))
    swept = await asyncio.gather(*(sweep(ledger, worker=f"w{n}") for n in range(4)))
    assert sum(one.taken_over for one in swept) == 1
    assert (await claim(ledger)).parts[0].piece.attempts == 1
    assert isinstance(await ask(ledger), Wait)


async def test_every_takeover_burns_an_attempt_and_keeps_the_rest_of_the_history(ledger):
    await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), CallAgain(0.0, 3, 5, unclear_s=90.0))
    before = (taken := await claim(ledger)).parts[0].piece
    await lease_passes(ledger, taken)
    await sweep(ledger, call_timeout_s=30.0)
    after = (await claim(ledger)).parts[0].piece
    assert after == replace(before, attempts=4, named=6, called_ms=after.called_ms)
    assert after.called_ms >= before.called_ms > 0


async def test_what_was_taken_over_and_is_found_cancelled_was_cancelled_by_us(ledger):
    await submit(ledger, refs(1))
    await lease_passes(ledger, await claim(ledger))
    await sweep(ledger)
    piece = (await claim(ledger)).parts[0].piece
    step = after_reading(piece, Found("Cancelled", 200), RetryPolicy(), 0.5, 0.0)
    assert step.outcome is Outcome.CANCELLED


async def test_what_many_dead_workers_left_ends_with_the_next_answer(ledger):
    await submit(ledger, refs(1))
    policy = RetryPolicy(max_attempts=3)
    for _ in range(policy.max_attempts):
        await lease_passes(ledger, await claim(ledger))
        await sweep(ledger)
    piece = (await claim(ledger)).parts[0].piece
    assert after_call(piece, Unclear("reset"), policy, 0.5, 30.0).unclear_s == policy.call_timeout_s


async def test_what_kills_every_worker_that_calls_it_is_called_no_more_at_last(ledger):
    await submit(ledger, refs(1))
    kinds = []
    for _ in range(101):  # MAX_ATTEMPTS is at most 100
        taken = await claim(ledger)
        kinds.append(taken.kind)
        await lease_passes(ledger, taken)
        await sweep(ledger)
        await what_is_later_comes_due(ledger)
    assert kinds[-1] == "reads", taken.parts[0].piece


async def test_a_read_that_is_taken_over_is_read_again_and_burns_a_try(ledger):
    job = await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), READ)
    await lease_passes(ledger, await claim(ledger))
    assert (await sweep(ledger)).taken_over == 1
    again = await claim(ledger)
    assert again.kind == "reads"
    piece = again.parts[0].piece
    assert (piece.reads, piece.attempts, piece.named, piece.maybe_sent) == (1, 0, 1, False)
    assert piece.refusal_words == "no"
    await settle(ledger, again)
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_takeover_goes_in_slices_and_says_that_more_is_due(ledger):
    terms = replace(TERMS, limit=100, per_call=600)
    await submit(ledger, refs(3000))
    taken = [await claim(ledger, terms=terms) for _ in range(5)]
    await lease_passes(ledger, *taken)
    sizes, left, more = [], 5, True
    while more:
        swept = await sweep(ledger, terms)
        sizes.append(swept.taken_over * 600)
        left, more = left - swept.taken_over, swept.more
        assert more == (left > 0)
    assert max(sizes) <= 2000
    assert sum(sizes) == 3000


async def test_a_claim_that_is_alive_is_left_alone(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await sweep(ledger)
    assert (await sweep(ledger)).taken_over == 0
    assert (await settle(ledger, taken))[0]


async def test_a_sweep_names_a_drain_for_what_it_has_taken_over(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await lease_passes(ledger, taken)
    await ledger.redis.zadd(key("drains"), dict.fromkeys(await ledger.redis.zrange(key("drains"), 0, -1), 1))
    swept = await sweep(ledger)
    assert len(swept.drains) == 1
    assert (await sweep(ledger)).drains == ()


# too late


async def test_a_late_settle_is_refused_as_a_whole_and_the_new_holders_counts(ledger):
    job = await submit(ledger, refs(15))
    late = await claim(ledger)
    await lease_passes(ledger, late)
    await sweep(ledger)
    new = await claim(ledger, drain="d2")
    assert new.references == late.references
    taken, answer = await settle(ledger, late, then=new_ask())
    assert taken is False
    assert answer.references == refs(5, 10)
    assert await entries(ledger) == []
    assert (await settle(ledger, new))[0]
    assert set((await outcomes(ledger, job)).values()) == {"cancelled"}
    assert await settle(ledger, late, AGAIN) == (False, None)


async def test_a_late_settle_is_refused_though_nobody_holds_the_references_yet(ledger):
    job = await submit(ledger, refs(10))
    late = await claim(ledger)
    await lease_passes(ledger, late)
    await sweep(ledger)
    assert (await settle(ledger, late))[0] is False
    assert await outcomes(ledger, job) == {}
    assert (await claim(ledger)).references == refs(10)


async def test_a_settle_before_anybody_has_taken_over_still_counts(ledger):
    job = await submit(ledger, refs(10))
    taken = await claim(ledger)
    await lease_passes(ledger, taken)
    assert (await settle(ledger, taken))[0]
    assert (await sweep(ledger)).taken_over == 0
    assert await state_of(ledger, job) is JobState.COMPLETED


# renewing


async def test_renewing_prolongs_claims_and_slots_and_keeps_the_drain_alive(ledger):
    await submit(ledger, refs(30))
    calling, staged = await claim(ledger), await claim(ledger, mode="staged")
    for name in ("claims", "slots"):
        for member in await ledger.redis.zrange(key(name), 0, -1):
            await ledger.redis.zadd(key(name), {member: await ledger.now_ms() + 5})
    await ledger.redis.zadd(key("drains"), {"d1": 1})
    now = await ledger.now_ms()
    _, lost, _ = await claims.renew(ledger, A, "d1", TERMS, [calling.id, staged.id], [calling.id])
    assert lost == set()
    for name, member in (("claims", calling.id), ("claims", staged.id), ("slots", calling.id)):
        assert await ledger.redis.zscore(key(name), member) >= now + TERMS.lease_ms
    assert await ledger.redis.zscore(key("drains"), "d1") > now
    assert await slots(ledger) == 1


async def test_renewing_tells_what_is_lost_and_brings_nothing_back(ledger):
    await submit(ledger, refs(40))
    kept, over, given, settled = [await claim(ledger, terms=replace(TERMS, limit=9)) for _ in range(4)]
    await lease_passes(ledger, over)
    await sweep(ledger)
    await release(ledger, given)
    await settle(ledger, settled)
    ids = [one.id for one in (kept, over, given, settled)]
    _, lost, _ = await claims.renew(ledger, A, "d1", TERMS, ids, ids)
    assert lost == {over.id, given.id, settled.id}
    assert await ledger.redis.zrange(key("claims"), 0, -1) == [kept.id.encode()]
    assert given.id.encode() not in await ledger.redis.zrange(key("slots"), 0, -1)


async def test_renewing_tells_the_gates_version(ledger):
    before, *_ = await claims.renew(ledger, A, "d1", TERMS, [], [])
    await control.pause_account(ledger, A)
    after, *_ = await claims.renew(ledger, A, "d1", TERMS, [], [])
    assert after == before + 1 == (await accounts.gate(ledger, A)).version


async def test_a_renewed_claim_is_not_taken_over(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await lease_passes(ledger, taken)
    await claims.renew(ledger, A, "d1", TERMS, [taken.id], [taken.id])
    assert (await sweep(ledger)).taken_over == 0


# giving back


async def test_what_is_given_back_unsent_is_as_if_it_had_never_been_taken(ledger):
    job = await submit(ledger, refs(30))
    first, second = await claim(ledger), await claim(ledger)
    assert await release(ledger, second, first) == 2
    assert await slots(ledger) == 0
    record = await records.get(ledger, job)
    assert (record.pending, record.in_flight) == (30, 0)
    again = [await claim(ledger) for _ in range(3)]
    assert [one.references for one in again] == [refs(10), refs(10, 10), refs(10, 20)]
    assert all(part.piece == Piece(part.piece.references) for one in again for part in one.parts)


async def test_what_is_given_back_keeps_the_history_it_had(ledger):
    await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), CallAgain(0.0, 2, 3, unclear_s=30.0))
    taken = await claim(ledger)
    await release(ledger, taken)
    assert (await claim(ledger)).parts == taken.parts


async def test_giving_back_twice_gives_back_once(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    assert [await release(ledger, taken), await release(ledger, taken)] == [1, 0]
    assert (await claim(ledger)).references == refs(10)
    assert isinstance(await ask(ledger), Wait)


async def test_a_read_is_given_back_to_be_read(ledger):
    await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), READ)
    taken = await claim(ledger)
    await release(ledger, taken)
    again = await claim(ledger)
    assert (again.kind, again.parts) == (taken.kind, taken.parts)


async def test_a_claim_that_was_taken_over_cannot_be_given_back(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await lease_passes(ledger, taken)
    await sweep(ledger)
    assert await release(ledger, taken) == 0
    assert (await claim(ledger)).parts[0].piece.maybe_sent


# the server was away


async def test_where_the_server_was_away_leases_start_anew_and_nothing_is_taken_over(ledger):
    await submit(ledger, refs(40))
    held = [await claim(ledger) for _ in range(2)]
    await lease_passes(ledger, *held)
    await away(ledger)
    now = await ledger.now_ms()
    assert (await sweep(ledger)).taken_over == 0
    for one in held:
        for name in ("claims", "slots"):
            assert await ledger.redis.zscore(key(name), one.id) >= now + TERMS.lease_ms / 2
    assert (await sweep(ledger)).taken_over == 0
    assert all([(await settle(ledger, one))[0] for one in held])


async def test_where_the_server_was_away_the_dead_are_taken_over_once_the_new_lease_passes(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger)
    await lease_passes(ledger, taken)
    await away(ledger)
    await sweep(ledger)
    await lease_passes(ledger, taken)
    assert (await sweep(ledger)).taken_over == 1


@pytest.mark.parametrize("mode", ["slot", "any"])
async def test_where_the_server_was_away_no_slot_is_taken_for_free_by_a_claim_before_the_sweep(ledger, mode):
    await submit(ledger, refs(40))
    held = [await claim(ledger) for _ in range(3)]
    await lease_passes(ledger, *held)
    await away(ledger)
    answer = await ask(ledger, mode=mode)
    assert not (isinstance(answer, Claim) and answer.has_slot)
    assert await slots(ledger) == 3


async def test_a_long_lease_is_not_shortened_where_the_server_was_away(ledger):
    await submit(ledger, refs(10))
    taken = await claim(ledger, terms=replace(TERMS, lease_ms=60_000))
    before = await ledger.redis.zscore(key("claims"), taken.id)
    await away(ledger)
    await sweep(ledger)
    assert await ledger.redis.zscore(key("claims"), taken.id) == before


async def test_a_pause_between_sweeps_of_up_to_two_seconds_is_no_absence(ledger):
    await submit(ledger, refs(10))
    await lease_passes(ledger, await claim(ledger))
    await away(ledger, 1500)
    assert (await sweep(ledger)).taken_over == 1


# drains and workers


async def test_a_drain_of_which_nothing_is_heard_is_replaced(ledger):
    (name,) = (await submitted(ledger, refs(10))).drains
    assert (await sweep(ledger)).drains == ()
    await ledger.redis.zadd(key("drains"), {name: 1})
    (other,) = (await sweep(ledger)).drains
    assert other != name


async def test_a_sweep_shows_that_its_worker_lives(ledger):
    now = await ledger.now_ms()
    await sweep(ledger, worker="w7")
    assert await ledger.redis.zscore("cancellist:workers", "w7") >= now
    assert (await accounts.gate(ledger, A)).workers == 1


async def test_a_sweep_shows_which_account_is_served_and_a_trim_forgets_it_after_an_hour(ledger):
    assert await accounts.served(ledger) == {}
    await sweep(ledger)
    await housekeeping.sweep(ledger, "north", "w1", TERMS, 30.0)
    assert await accounts.served(ledger) == {A: True, "north": True}
    now = await ledger.now_ms()
    await ledger.redis.zadd("cancellist:served", {A: now - 5_000, "north": now - 3_500_000, "gone": now - 3_700_000})
    await housekeeping.trim(ledger, A, results_keep_s=60, jobs_keep_s=60)
    assert await accounts.served(ledger) == {A: False, "north": False}


async def test_a_sweep_of_nothing_does_nothing(ledger):
    assert await sweep(ledger) == housekeeping.Swept(more=False, taken_over=0, sliceable=False, drains=())
    assert await drained(ledger) == []


async def test_everything_that_a_crash_interrupts_ends_with_one_result_each(ledger):
    job = await submit(ledger, refs(60))
    for turn in range(4):
        held = [await claim(ledger, drain=f"d{turn}") for _ in range(3)]
        await settle(ledger, held[0], CANCELLED)
        await lease_passes(ledger, *held[1:])
        await sweep(ledger)
        assert (await settle(ledger, held[1]))[0] is False
    await drained(ledger)
    assert await outcomes(ledger, job) == dict.fromkeys(refs(60), "cancelled")
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_all_claims_whose_leases_have_passed_are_taken_over_in_one_round_of_sweeping(ledger):
    terms = replace(TERMS, limit=400, per_call=1)
    await submit(ledger, refs(250))
    await lease_passes(ledger, *[await claim(ledger, terms=terms) for _ in range(250)])
    taken, more = 0, True
    while more:
        swept = await sweep(ledger, terms)
        taken, more = taken + swept.taken_over, swept.more
    assert taken == 250


async def test_renewing_tells_which_slots_are_lost(ledger):
    await submit(ledger, refs(5))
    taken = await claim(ledger)
    assert (await claims.renew(ledger, A, "d1", TERMS, [taken.id], [taken.id]))[2] == set()
    await ledger.redis.zrem(key("slots"), taken.id)
    assert (await claims.renew(ledger, A, "d1", TERMS, [taken.id], [taken.id]))[2] == {taken.id}


async def test_what_a_dead_worker_had_may_have_been_deallocated_where_calls_begin_so(ledger):
    await submit(ledger, refs(2))
    await lease_passes(ledger, await claim(ledger))
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, deallocates=True)
    assert (await claim(ledger)).parts[0].piece.deallocated
