"""What drains share of their attempts, and how claims obey what flow control makes of it."""

from dataclasses import replace

import pytest

from cancellist.jobs.flow.batch_size import ListSize
from cancellist.jobs.flow.circuit_breaker import Breaker, Mode
from cancellist.jobs.flow.concurrency import ConcurrencyState
from cancellist.jobs.flow.controller import FlowState
from cancellist.jobs.flow.counters import Counters
from cancellist.jobs.flow.rate.state import Pacing
from cancellist.jobs.ledger import accounts, claims, flow_state
from cancellist.jobs.ledger.claims import Claim, Wait
from cancellist.jobs.ledger.flow_state import Move
from cancellist.jobs.model import BreakerCause
from tests.contract.steps import (
    READ,
    TERMS,
    A,
    ask,
    claim,
    key,
    lease_passes,
    moved,
    new_ask,
    refs,
    release,
    settle,
    slots,
    submit,
    sweep,
)

MANY = replace(TERMS, limit=100, initial=100)


async def opened(ledger, in_ms=60_000, kind=BreakerCause.DENIED, **more):
    now = await ledger.now_ms()
    breaker = Breaker(Mode.OPEN, now, now + in_ms, kind, "HTTP 401", 1, 0)
    return await moved(ledger, breaker=breaker, **more)


# sharing and moving


async def test_counters_that_a_drain_shares_are_there_for_whoever_moves(ledger):
    await flow_state.share(ledger, A, "d1", Counters(accepted=3))
    await flow_state.share(ledger, A, "d2", Counters(refused=1, why="HTTP 429"))
    seen = await flow_state.share(ledger, A, "d1", Counters(accepted=5))
    assert seen.drains == {"d1": Counters(accepted=5), "d2": Counters(refused=1, why="HTTP 429")}
    assert (seen.version, seen.state) == (0, None)


async def test_of_two_moves_from_one_version_the_first_holds_and_the_second_learns_of_it(ledger):
    one, two = (FlowState(1, ConcurrencyState(limit)) for limit in (5.0, 7.0))
    assert (await flow_state.share(ledger, A, move=Move(0, one))).moved
    second = await flow_state.share(ledger, A, move=Move(0, two))
    assert not second.moved
    assert second.version == 1
    assert second.state == one


async def test_a_move_that_is_sent_twice_is_made_once_and_answers_the_same(ledger):
    move = Move(0, FlowState(1, ConcurrencyState(5.0)), shut=True)
    answers = [await flow_state.share(ledger, A, move=move) for _ in range(2)]
    assert [(a.moved, a.version) for a in answers] == [(True, 1), (True, 1)]
    assert (await accounts.gate(ledger, A)).version == 1


async def test_counters_are_only_told_where_a_move_is_due(ledger):
    await moved(ledger)
    assert not (await flow_state.share(ledger, A, "d1", Counters(accepted=1), every_ms=60_000)).drains
    assert (await flow_state.share(ledger, A, every_ms=0)).drains


async def test_counters_of_a_drain_that_is_gone_for_a_minute_are_forgotten(ledger):
    await flow_state.share(ledger, A, "gone", Counters(accepted=1))
    await flow_state.share(ledger, A, "here", Counters(accepted=1))
    packed = (await ledger.redis.hget(key("flow"), "gone")).decode().split(" ", 1)[1]
    await ledger.redis.hset(key("flow"), "gone", f"{await ledger.now_ms() - 61_000} {packed}")
    assert set((await flow_state.share(ledger, A)).drains) == {"here"}
    assert await ledger.redis.hkeys(key("flow")) == [b"here"]


async def test_calls_in_flight_are_told_with_it(ledger):
    await submit(ledger, refs(30))
    taken = [await claim(ledger, slots=n) for n in range(2)]
    assert (await flow_state.share(ledger, A)).in_flight == 2
    await release(ledger, *taken)
    assert (await flow_state.share(ledger, A)).in_flight == 0


# the limit


async def test_where_no_limit_is_known_the_lesser_of_the_ceiling_and_the_initial_one_holds(ledger):
    await submit(ledger, refs(500))
    terms = replace(TERMS, limit=100, initial=4)
    taken = [await ask(ledger, slots=n, terms=terms, mode="slot") for n in range(5)]
    assert [isinstance(one, Claim) for one in taken] == [True] * 4 + [False]
    assert taken[-1].limit == 4


async def test_the_limit_that_was_moved_holds_over_all_drains_and_never_passes_the_ceiling(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, limiter=ConcurrencyState(2.9))
    taken = [await ask(ledger, drain=f"d{n}", mode="slot", terms=MANY) for n in range(3)]
    assert [isinstance(one, Claim) for one in taken] == [True, True, False]
    await moved(ledger, limiter=ConcurrencyState(50.0))
    assert (await ask(ledger, mode="slot")).limit == TERMS.limit


async def test_a_limit_that_was_not_moved_for_a_minute_is_unknown(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, limiter=ConcurrencyState(2.0))
    await ledger.redis.hset(key("state"), "limit_at", await ledger.now_ms() - 61_000)
    assert (await ask(ledger, terms=replace(TERMS, limit=100, initial=7))).limit == 7
    assert (await accounts.gate(ledger, A)).limit is None


async def test_a_limit_is_known_for_as_long_as_the_settings_say_which_a_later_move_by_hand_leaves(ledger):
    await submit(ledger, refs(500))
    state = FlowState(await ledger.now_ms(), ConcurrencyState(2.0))
    assert (await flow_state.share(ledger, A, move=Move(0, state, stale_ms=300_000))).moved
    assert (await flow_state.share(ledger, A, move=Move(1, state))).moved
    terms = replace(TERMS, limit=100, initial=7)
    for silent_ms, limit, told in ((299_000, 2, 2), (301_000, 7, None)):
        await ledger.redis.hset(key("state"), "limit_at", await ledger.now_ms() - silent_ms)
        assert (await ask(ledger, terms=terms)).limit == limit
        assert (await accounts.gate(ledger, A)).limit == told


async def test_after_a_lowered_limit_a_drain_is_told_to_give_each_slot_that_comes_free(ledger):
    await submit(ledger, refs(500))
    taken = [await claim(ledger, slots=n, terms=MANY) for n in range(6)]
    await moved(ledger, limiter=ConcurrencyState(2.0), shut=True)
    told = await ask(ledger, mode="slot", slots=6, terms=MANY)
    assert (told.why, told.give, told.gate_now) == ("limit", 6, 1)
    _, told = await settle(ledger, taken[0], then=new_ask(mode="slot", slots=5, terms=MANY))
    assert told.give == 5
    assert await slots(ledger) == 5


async def test_once_there_are_no_more_slots_than_a_lowered_limit_allows_nobody_gives(ledger):
    await submit(ledger, refs(500))
    await ledger.redis.delete(key("drains"))
    taken = [await claim(ledger, drain=f"d{n}", terms=MANY) for n in range(3)]
    await moved(ledger, limiter=ConcurrencyState(2.0))
    assert (await ask(ledger, drain="d0", mode="slot", slots=1, terms=MANY)).give == 1
    await settle(ledger, taken[0])
    told = await ask(ledger, drain="d1", mode="slot", slots=1, terms=MANY)
    assert (told.why, told.give) == ("limit", 0)


# the rate and the list size


async def test_an_interval_at_which_slow_calls_are_spread_is_obeyed_and_told_as_no_rate(ledger):
    await submit(ledger, refs(100))
    await moved(ledger, pacing=Pacing(spread_us=60_000_000))
    await claim(ledger, terms=MANY)
    assert (await ask(ledger, terms=MANY)).why == "rate"
    assert (await accounts.gate(ledger, A)).calls_per_second is None
    await moved(ledger, pacing=Pacing(interval_us=50_000, spread_us=60_000_000))
    assert (await accounts.gate(ledger, A)).calls_per_second == 20


async def test_a_learnt_interval_holds_where_it_is_longer_than_the_configured_one(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, pacing=Pacing(interval_us=60_000_000))
    assert isinstance(await ask(ledger, terms=replace(MANY, interval_us=1000, burst=9)), Claim)
    told = await ask(ledger, terms=replace(MANY, interval_us=1000, burst=9))
    assert told.why == "rate"
    assert 59_000 < told.wait_ms <= 60_000


async def test_under_a_learnt_rate_nothing_is_staged(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, pacing=Pacing(interval_us=1000), limiter=ConcurrencyState(1.0))
    await claim(ledger, terms=MANY)
    assert isinstance(await ask(ledger, mode="staged", slots=1, terms=MANY), Wait)


async def test_a_list_size_that_was_found_bounds_calls_and_is_told_as_a_full_one(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, lists=ListSize(size=4))
    taken = await claim(ledger)
    assert (len(taken.references), taken.size) == (4, 4)
    assert (await accounts.gate(ledger, A)).list_size == 4


async def test_a_size_to_explore_is_named_by_one_call(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, lists=ListSize(size=8, explore=3), explore=True)
    taken = [await claim(ledger, slots=n) for n in range(2)]
    assert [(len(one.references), one.size) for one in taken] == [(3, 8), (8, 8)]


# the breaker


async def test_an_open_breaker_grants_nothing_before_its_probe_is_due(ledger):
    await submit(ledger, refs(50))
    await opened(ledger, in_ms=5_000)
    told = await ask(ledger)
    assert told.why == "breaker"
    assert 4_000 < told.wait_ms <= 5_000


async def test_a_drain_leaves_where_the_probe_is_far_off_and_is_asked_for_when_it_is_due(ledger):
    await submit(ledger, refs(50))
    await opened(ledger, in_ms=50_000)
    await ledger.redis.delete(key("drains"))  # the one that the submit has named never comes
    assert (await ask(ledger, mode="leave")).why == "left"
    assert (await sweep(ledger)).drains == ()
    await ledger.redis.hset(key("state"), "breaker_next", 1)
    assert len((await sweep(ledger)).drains) == 1


async def test_one_probe_at_a_time_is_let_through_and_asking_again_answers_it(ledger):
    await submit(ledger, refs(50))
    await opened(ledger, in_ms=0)
    wanted = new_ask()
    probe = await claims.claim(ledger, A, wanted)
    assert probe.probe
    assert probe.has_slot
    assert (await claims.claim(ledger, A, wanted)).probe
    for mode in ("any", "slot", "staged", "leave"):
        assert (await ask(ledger, mode=mode)).why == "breaker"


async def test_after_a_probe_is_settled_no_other_follows_before_what_it_has_shown_is_known(ledger):
    await submit(ledger, refs(50))
    await opened(ledger, in_ms=0)
    probe = await claim(ledger)
    _, told = await settle(ledger, probe, then=new_ask(mode="slot"))
    assert told.why == "breaker"
    await moved(ledger, breaker=Breaker())
    assert not (await claim(ledger)).probe
    assert (await accounts.gate(ledger, A)).breaker is None


async def test_a_probe_whose_worker_died_is_followed_by_another_and_burns_no_attempt(ledger):
    await submit(ledger, refs(5))
    await opened(ledger, in_ms=0)
    probe = await claim(ledger)
    await lease_passes(ledger, probe)
    await sweep(ledger)
    await ledger.redis.hset(key("state"), "breaker_next", 1)
    second = await claim(ledger)
    assert second.probe
    (part,) = second.parts
    assert (part.piece.attempts, part.piece.named, part.piece.maybe_sent) == (0, 1, True)


async def test_a_probe_waits_for_a_slot_and_is_never_staged(ledger):
    await submit(ledger, refs(50))
    taken = [await claim(ledger, slots=n) for n in range(3)]
    await opened(ledger, in_ms=0)
    assert (await ask(ledger)).why == "limit"
    await settle(ledger, taken[0])
    assert (await claim(ledger)).probe


async def test_probing_at_once_makes_the_next_probe_due(ledger):
    await submit(ledger, refs(50))
    await opened(ledger)
    await flow_state.probe(ledger, A)
    assert (await claim(ledger)).probe


async def test_probing_at_once_leaves_a_closed_breaker_as_it_is(ledger):
    await flow_state.probe(ledger, A)
    await moved(ledger)
    await flow_state.probe(ledger, A)
    assert (await flow_state.share(ledger, A)).version == 1


async def test_why_it_is_open_and_what_to_do_stands_in_the_gate_since_it_opened(ledger):
    first = await opened(ledger)
    await opened(ledger)
    gate = await accounts.gate(ledger, A)
    breaker = gate.breaker
    assert gate.breaker_opened == 1
    assert "HTTP 401" in breaker.why
    assert "CANCELLIST_API_KEY" in breaker.why
    assert breaker.since_ms <= first.now_ms
    assert breaker.next_probe_ms > first.now_ms


@pytest.mark.parametrize("account", ["default", "other"])
async def test_an_open_breaker_is_of_one_account(ledger, account):
    await submit(ledger, refs(50), account=account)
    await opened(ledger)
    assert isinstance(await ask(ledger, account=account), Claim) is (account == "other")


# lists that grow, and drains that are silent


async def test_a_size_to_explore_may_be_longer_than_the_one_in_force_but_not_than_a_call_may_be(ledger):
    await submit(ledger, refs(500))
    await moved(ledger, lists=ListSize(size=4, explore=8), explore=True)
    taken = [await claim(ledger, slots=n) for n in range(2)]
    assert [(len(one.references), one.size) for one in taken] == [(8, 4), (4, 4)]
    await moved(ledger, lists=ListSize(size=4, explore=400, explorations=1), explore=True)
    assert len((await claim(ledger, slots=2)).references) == TERMS.per_call


async def test_a_size_to_explore_waits_for_a_list_and_is_not_spent_on_a_read(ledger):
    await submit(ledger, refs(100))
    await settle(ledger, await claim(ledger), READ)
    await moved(ledger, lists=ListSize(size=4, explore=8), explore=True)
    taken = [await claim(ledger, slots=n) for n in range(2)]
    assert [(one.kind, len(one.references)) for one in taken] == [("reads", 1), ("calls", 8)]


async def test_a_part_filled_list_lingers_until_it_has_as_many_references_as_were_found_best(ledger):
    lingering = replace(TERMS, linger_ms=60_000)
    await moved(ledger, lists=ListSize(size=4))
    await submit(ledger, refs(3))
    assert isinstance(await ask(ledger, terms=lingering), Wait)
    await submit(ledger, refs(1, first=3))
    assert len((await claim(ledger, terms=lingering)).references) == 4


async def test_a_drain_that_lives_and_was_silent_for_a_minute_counts_on_from_where_it_was(ledger):
    await submit(ledger, refs(30))
    await claim(ledger, drain="alive")
    await flow_state.share(ledger, A, "alive", Counters(accepted=40))
    packed = (await ledger.redis.hget(key("flow"), "alive")).decode().split(" ", 1)[1]
    await ledger.redis.hset(key("flow"), "alive", f"{await ledger.now_ms() - 61_000} {packed}")
    assert (await flow_state.share(ledger, A)).drains == {"alive": Counters(accepted=40)}
    await ledger.redis.zadd(key("drains"), {"alive": 1})
    assert not (await flow_state.share(ledger, A)).drains
