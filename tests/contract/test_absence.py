"""A server that was away, and drains and workers that come and go."""

from dataclasses import replace

import pytest

from cancellist.jobs.ledger import accounts, claims, housekeeping
from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.model import JobState
from tests.contract.steps import (
    CANCELLED,
    TERMS,
    A,
    ask,
    claim,
    drained,
    key,
    lease_passes,
    outcomes,
    refs,
    settle,
    slots,
    state_of,
    submit,
    submitted,
    sweep,
)


async def away(ledger, ms=3000):
    """Nobody swept for so long."""
    await ledger.redis.hset(key("state"), "swept_at", await ledger.now_ms() - ms)


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


async def test_a_sweep_of_an_empty_ledger_changes_nothing(ledger):
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
