"""Slots: how many calls may be in flight, who has them, and what is said where there is nothing to claim."""

import random
from dataclasses import replace

import pytest

from cancellist.jobs.ledger import claims, control
from cancellist.jobs.ledger.claims import Claim, Wait
from cancellist.jobs.responses.steps import CallAgain
from tests.contract.steps import (
    AGAIN,
    CANCELLED,
    TERMS,
    A,
    ask,
    claim,
    key,
    live_drains,
    new_ask,
    refs,
    release,
    settle,
    slots,
    submit,
    submitted,
    sweep,
)

# calls in flight


async def test_the_limit_holds_over_all_drains(ledger):
    await submit(ledger, refs(100))
    answers = [await ask(ledger, drain=f"d{n}", mode="slot") for n in range(6)]
    assert [isinstance(answer, Claim) for answer in answers] == [True] * 3 + [False] * 3
    assert {answer.why for answer in answers[3:]} == {"limit"}
    assert await slots(ledger) == 3


async def test_a_slot_is_given_back_by_settling_or_releasing(ledger):
    await submit(ledger, refs(100))
    one, two, three = [await claim(ledger) for _ in range(3)]
    await settle(ledger, one)
    assert await slots(ledger) == 2
    await release(ledger, two)
    assert await slots(ledger) == 1
    assert (await claim(ledger, mode="slot")).has_slot
    await settle(ledger, three, give=())
    assert await slots(ledger) == 2


async def test_beyond_the_limit_a_claim_is_staged_without_a_slot(ledger):
    await submit(ledger, refs(100))
    taken = [await claim(ledger) for _ in range(5)]
    assert [c.has_slot for c in taken] == [True, True, True, False, False]
    assert await slots(ledger) == 3
    assert await ledger.redis.zcard(key("claims")) == 5


async def test_a_claim_that_shall_be_staged_takes_no_slot_though_there_is_one(ledger):
    await submit(ledger, refs(100))
    assert not (await claim(ledger, mode="staged")).has_slot
    assert await slots(ledger) == 0


async def test_a_slot_passes_from_call_to_call_while_it_is_not_given_back(ledger):
    await submit(ledger, refs(100))
    terms = replace(TERMS, limit=1)
    lane = await claim(ledger, terms=terms)
    taken, staged = await settle(ledger, lane, give=(), then=new_ask(terms=terms, slots=1))
    assert taken
    assert not staged.has_slot
    assert await slots(ledger) == 1
    assert (await ask(ledger, drain="d2", mode="slot", terms=terms)).why == "limit"


async def test_a_slot_at_rest_stays_taken_until_its_rest_is_over(ledger):
    await submit(ledger, refs(100))
    terms = replace(TERMS, limit=1)
    taken = await claim(ledger, terms=terms)
    await settle(ledger, taken, AGAIN, give=(), rest_ms={taken.id: 4000}, terms=terms)
    left_ms = await ledger.redis.zscore(key("slots"), taken.id) - await ledger.now_ms()
    assert 3000 < left_ms <= 4000
    assert (await ask(ledger, mode="slot", terms=terms)).why == "limit"
    await sweep(ledger)
    await ledger.redis.zadd(key("slots"), {taken.id: 1})
    assert (await claim(ledger, mode="slot", terms=terms)).has_slot


async def test_a_slot_that_was_given_back_is_not_brought_back_by_a_rest(ledger):
    await submit(ledger, refs(100))
    taken = await claim(ledger)
    await claims.release(ledger, A, [], [taken.id], TERMS)
    await settle(ledger, taken, give=(), rest_ms={taken.id: 60_000})
    assert await slots(ledger) == 0


async def test_a_lowered_limit_holds_as_soon_as_enough_slots_are_given_back(ledger):
    await submit(ledger, refs(100))
    held = [await claim(ledger) for _ in range(3)]
    low = replace(TERMS, limit=1)
    for one in held:
        assert (await ask(ledger, mode="slot", terms=low)).why == "limit"
        await settle(ledger, one)
    assert (await claim(ledger, mode="slot", terms=low)).has_slot


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_several_drains_do_the_limit_is_never_passed(ledger, seed):
    draw = random.Random(seed)
    await submit(ledger, refs(1000))
    terms = replace(TERMS, limit=draw.randint(1, 5))
    held = {f"d{n}": [] for n in range(3)}
    for _ in range(90):
        drain = draw.choice(list(held))
        mine = held[drain]
        with_slot = [c for c in mine if c.has_slot]
        if mine and draw.random() < 0.5:
            one = mine.pop(draw.randrange(len(mine)))
            answer = None
            if draw.random() < 0.3:
                await release(ledger, one)
            else:
                then = new_ask(drain, draw.choice(["any", "slot", "staged"]), len(with_slot), terms)
                _, answer = await settle(ledger, one, draw.choice([CANCELLED, AGAIN]), then=then)
        else:
            answer = await ask(ledger, drain, draw.choice(["any", "slot", "staged", "leave"]), len(with_slot), terms)
        if isinstance(answer, Claim):
            mine.append(answer)
        assert await slots(ledger) == sum(c.has_slot for all_of in held.values() for c in all_of) <= terms.limit


# sharing slots


async def test_a_drain_alone_may_hold_every_slot(ledger):
    await submit(ledger, refs(100))
    taken = [await claim(ledger, slots=n) for n in range(3)]
    assert all(c.has_slot for c in taken)
    assert not any(c.give for c in taken)
    assert not (await ask(ledger, slots=3, mode="staged")).give


async def test_a_drain_is_told_to_give_while_another_goes_without(ledger):
    await submit(ledger, refs(1000))
    await ledger.redis.delete(key("drains"))
    terms = replace(TERMS, limit=4)
    held = [await claim(ledger, drain="rich", slots=n, terms=terms) for n in range(4)]
    assert (await ask(ledger, drain="poor", mode="slot", terms=terms)).why == "limit"
    staged = await claim(ledger, drain="rich", slots=4, terms=terms)
    assert staged.give
    assert not staged.has_slot
    await settle(ledger, held[0], terms=terms)
    told = await claim(ledger, drain="rich", slots=3, terms=terms)
    assert told.give
    assert not told.has_slot
    await settle(ledger, held[1], terms=terms)
    assert not (await claim(ledger, drain="rich", slots=2, terms=terms)).give
    assert (await claim(ledger, drain="poor", mode="slot", terms=terms)).has_slot
    assert (await claim(ledger, drain="poor", mode="slot", slots=1, terms=terms)).has_slot
    assert await slots(ledger) == 4


async def test_a_hungry_drain_is_forgotten_after_a_second(ledger):
    await submit(ledger, refs(1000))
    [await claim(ledger, drain="rich", slots=n) for n in range(3)]
    await ask(ledger, drain="poor", mode="slot")
    await ledger.redis.hincrby(key("state"), "hungry_at", -1001)
    assert not (await claim(ledger, drain="rich", slots=3)).give


@pytest.mark.parametrize(("limit", "drains"), [(6, 3), (8, 2), (5, 2), (7, 3), (4, 3), (3, 3)])
async def test_slots_end_up_shared_evenly_whoever_came_first(ledger, limit, drains):
    await submit(ledger, refs(5000))
    await ledger.redis.delete(key("drains"))  # the one that the submit has named never comes
    terms = replace(TERMS, limit=limit)
    held = {f"d{n}": [] for n in range(drains)}
    give = dict.fromkeys(held, False)
    held["d0"] = [await claim(ledger, drain="d0", slots=n, terms=terms) for n in range(limit)]
    for _ in range(12):
        for drain, mine in held.items():
            if mine:  # a call ends; its slot is kept for the next, unless the drain is told to give one
                one = mine.pop()
                gone = (one.id,) if give[drain] else ()
                then = new_ask(drain, "staged", len(mine) + (not gone), terms)
                _, answer = await settle(ledger, one, then=then, give=gone)
                give[drain] = answer.give
                await release(ledger, answer, slots=False)
                if not gone:
                    mine.insert(0, one)
            if not give[drain]:
                answer = await ask(ledger, drain, "slot", len(mine), terms)
                give[drain] = answer.give
                if isinstance(answer, Claim):
                    mine.append(answer)
        assert await slots(ledger) == sum(map(len, held.values())) <= limit
    assert min(map(len, held.values())) >= limit // drains, {drain: len(mine) for drain, mine in held.items()}
    assert await slots(ledger) == limit


async def test_a_submit_that_finds_no_live_drain_names_one_and_the_next_does_not(ledger):
    first, second = await submitted(ledger, refs(5)), await submitted(ledger, refs(5, 5))
    assert len(first.drains) == 1
    assert second.drains == ()
    assert await live_drains(ledger) == set(first.drains)


async def test_a_drain_leaves_in_the_step_that_finds_nothing_and_the_next_submit_names_another(ledger):
    (drain,) = (await submitted(ledger, refs(5))).drains
    await settle(ledger, await claim(ledger, drain=drain))
    left = await ask(ledger, drain=drain, mode="leave")
    assert (left.why, left.wait_ms) == ("left", -1)
    assert await live_drains(ledger) == set()
    (other,) = (await submitted(ledger, refs(5, 5))).drains
    assert other != drain


async def test_a_drain_that_would_leave_is_given_work_where_there_is_some(ledger):
    (drain,) = (await submitted(ledger, refs(5))).drains
    assert (await claim(ledger, drain=drain, mode="leave")).has_slot
    assert drain in await live_drains(ledger)


@pytest.mark.parametrize(("due_s", "why"), [(0.9, "empty"), (5.0, "left")])
async def test_a_drain_stays_only_for_what_is_due_within_a_second(ledger, due_s, why):
    await submit(ledger, refs(5))
    await settle(ledger, await claim(ledger), CallAgain(due_s, 1, 1))
    answer = await ask(ledger, mode="leave")
    assert answer.why == why
    assert 0 < answer.wait_ms <= due_s * 1000
    assert ("d1" in await live_drains(ledger)) == (why == "empty")


async def test_a_drain_that_waits_for_a_slot_does_not_leave(ledger):
    await submit(ledger, refs(100))
    [await claim(ledger) for _ in range(3)]
    assert (await ask(ledger, drain="d2", mode="leave")).why == "limit"


@pytest.mark.parametrize(
    ("workers", "references", "wanted"), [(1, 100, 1), (3, 100, 3), (3, 15, 2), (3, 1, 1), (0, 50, 1)]
)
async def test_there_are_as_many_drains_as_live_workers_can_use(ledger, workers, references, wanted):
    now = await ledger.now_ms()
    for n in range(workers):
        await ledger.redis.zadd("cancellist:workers", {f"w{n}": now})
    await ledger.redis.zadd("cancellist:workers", {"dead": now - 5000})
    sealed = await submitted(ledger, refs(references))
    assert len(set(sealed.drains)) == wanted


async def test_a_paused_account_wants_no_drain_and_a_resumed_one_does(ledger):
    await control.pause_account(ledger, A)
    assert (await submitted(ledger, refs(5))).drains == ()
    assert len(await control.resume_account(ledger, A, TERMS.per_call)) == 1


# nothing to claim


async def test_with_nothing_in_sight_a_claim_says_so(ledger):
    assert await ask(ledger) == Wait(-1, "empty", 0, TERMS.limit)


async def test_a_claim_says_when_the_next_reference_is_due(ledger):
    await submit(ledger, refs(5))
    await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1))
    waited = await ask(ledger)
    assert waited.why == "empty"
    assert 59_000 < waited.wait_ms <= 60_000
