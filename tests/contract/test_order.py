from collections import Counter
from dataclasses import replace

import pytest

from cancellist.jobs.ledger import claims, control
from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.model import Priority
from tests.contract.steps import (
    READ,
    TERMS,
    A,
    ask,
    claim,
    drained,
    lease_passes,
    new_ask,
    refs,
    release,
    settle,
    submit,
    sweep,
)

WIDE = replace(TERMS, limit=100)
HOUR_MS = 3_600_000
THE_LAST_DAY_MS = 253_402_300_799_000
"""9999-12-31T23:59:59Z, which many systems write for 'never'."""


async def order_of(ledger, terms=TERMS):
    """The jobs of the claims that follow, by the first part of each."""
    return [taken.parts[0].job for taken in await drained(ledger, terms)]


async def test_a_higher_class_goes_first_whatever_came_first(ledger):
    bulk = await submit(ledger, refs(10), priority=Priority.BULK)
    normal = await submit(ledger, refs(10), priority=Priority.NORMAL)
    urgent = await submit(ledger, refs(10), priority=Priority.URGENT)
    assert await order_of(ledger) == [urgent, normal, bulk]


async def test_within_a_class_the_earliest_deadline_goes_first_and_none_goes_last(ledger):
    now = await ledger.now_ms()
    never = await submit(ledger, refs(20))
    late = await submit(ledger, refs(20), deadline_ms=now + 5 * HOUR_MS)
    soon = await submit(ledger, refs(20), deadline_ms=now + HOUR_MS)
    assert await order_of(ledger) == [soon, soon, late, late, never, never]


async def test_a_class_outweighs_any_deadline(ledger):
    now = await ledger.now_ms()
    bulk = await submit(ledger, refs(10), priority=Priority.BULK, deadline_ms=now + 60_000)
    normal = await submit(ledger, refs(10))
    urgent = await submit(ledger, refs(10), priority=Priority.URGENT, deadline_ms=now + 1000 * HOUR_MS)
    assert await order_of(ledger) == [urgent, normal, bulk]


@pytest.mark.parametrize("deadline_ms", [50_000_000_000_001, 99_999_999_999_999, THE_LAST_DAY_MS])
async def test_a_deadline_in_the_far_future_stays_within_its_class(ledger, deadline_ms):
    bulk = await submit(ledger, refs(10), priority=Priority.BULK)
    normal = await submit(ledger, refs(10), priority=Priority.NORMAL)
    urgent = await submit(ledger, refs(10), priority=Priority.URGENT, deadline_ms=deadline_ms)
    assert await order_of(ledger) == [urgent, normal, bulk]


async def test_jobs_of_one_standing_take_fair_turns(ledger):
    sizes = [400, 100, 1000, 200, 300, 100, 700, 500, 600, 250]
    jobs = [await submit(ledger, refs(size)) for size in sizes]
    terms = replace(WIDE, per_call=100)
    counts = Counter()
    for turn in range(1, 11):
        for _ in jobs:
            if not sum(min(size, turn * 100) for size in sizes) > sum(counts.values()):
                break
            for part in (await claim(ledger, terms=terms)).parts:
                counts[part.job] += len(part.piece.references)
        if turn <= 2:
            assert counts == {job: min(size, turn * 100) for job, size in zip(jobs, sizes, strict=True)}
        spread = [counts[job] for job, size in zip(jobs, sizes, strict=True) if counts[job] < size]
        assert not spread or max(spread) - min(spread) <= 100


async def test_turns_are_fair_though_calls_are_smaller_than_what_was_packed(ledger):
    jobs = [await submit(ledger, refs(size)) for size in (50, 400, 90, 70)]
    counts = Counter()
    for _ in range(20):
        taken = await claim(ledger, terms=WIDE)
        counts[taken.parts[0].job] += len(taken.references)
    assert counts == dict.fromkeys(jobs, 50)


async def test_a_small_job_does_not_wait_for_a_long_backlog(ledger):
    await submit(ledger, refs(3000))
    for _ in range(3):
        await claim(ledger, terms=WIDE)
    small = await submit(ledger, refs(10))
    assert small in {(await claim(ledger, terms=WIDE)).parts[0].job for _ in range(2)}


async def test_an_urgent_job_overtakes_what_waits(ledger):
    await submit(ledger, refs(3000))
    await claim(ledger, terms=WIDE)
    urgent = await submit(ledger, refs(25), priority=Priority.URGENT)
    taken = [await claim(ledger, terms=WIDE) for _ in range(4)]
    assert [[part.job for part in one.parts] == [urgent] for one in taken[:2]] == [True, True]
    assert taken[2].parts[0].job == urgent
    assert urgent not in {part.job for part in taken[3].parts}


async def test_a_staged_claim_of_an_urgent_job_goes_before_those_of_others(ledger):
    await submit(ledger, refs(30))
    normal = await claim(ledger, mode="staged")
    await submit(ledger, refs(30), priority=Priority.URGENT)
    urgent = await claim(ledger, mode="staged")
    await submit(ledger, refs(30), deadline_ms=await ledger.now_ms() + HOUR_MS)
    assert urgent.score < normal.score


async def test_every_drain_is_told_how_many_urgent_calls_are_granted_and_not_settled(ledger):
    await submit(ledger, refs(40), priority=Priority.URGENT)
    called, *staged = [await claim(ledger, mode=mode) for mode in ("any", "staged", "staged")]
    assert [one.urgent_out for one in (called, *staged)] == [0, 1, 2]
    await settle(ledger, called)
    await release(ledger, *staged)
    await control.abort_job(ledger, called.parts[0].job)
    await submit(ledger, refs(20))
    assert [one.urgent_out for one in await drained(ledger)] == [0, 0]


async def test_an_urgent_claim_does_not_count_itself_when_it_is_asked_for_again(ledger):
    await submit(ledger, refs(10), priority=Priority.URGENT)
    wanted = new_ask()
    assert [(await claims.claim(ledger, A, wanted)).urgent_out for _ in range(3)] == [0, 0, 0]
    assert (await ask(ledger)).urgent_out == 1


async def test_an_urgent_call_that_is_taken_over_is_counted_off(ledger):
    await submit(ledger, refs(10), priority=Priority.URGENT)
    await submit(ledger, refs(10))
    urgent, other = await claim(ledger), await claim(ledger)
    await lease_passes(ledger, urgent)
    await sweep(ledger)
    assert (await claim(ledger)).urgent_out == 0
    assert (await settle(ledger, other, then=new_ask()))[1].urgent_out == 1


@pytest.mark.parametrize(("priority", "first"), [(Priority.URGENT, True), (Priority.NORMAL, False)])
async def test_every_worker_is_told_of_an_urgent_job_though_all_that_came_before_is_claimed(ledger, priority, first):
    await submit(ledger, refs(10))
    await claim(ledger)
    async with ledger.redis.pubsub() as listener:
        await listener.subscribe("cancellist:wake")
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        await submit(ledger, refs(10, 10), priority=priority)
        assert (await listener.get_message(timeout=5))["data"] == b"default" + b" first" * first


@pytest.mark.parametrize(("priority", "first"), [(Priority.URGENT, True), (Priority.NORMAL, False)])
@pytest.mark.parametrize("how", ["resumed", "started", "released"])
async def test_every_worker_is_told_of_an_urgent_job_that_goes_on(ledger, how, priority, first):
    start_at_ms = await ledger.now_ms() + HOUR_MS if how == "started" else None
    job = await submit(ledger, refs(10), priority=priority, start_at_ms=start_at_ms)
    if how == "resumed":
        await control.pause_job(ledger, job)
    taken = await claim(ledger) if how == "released" else None
    await submit(ledger, refs(10))
    async with ledger.redis.pubsub() as listener:
        await listener.subscribe("cancellist:wake")
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        if taken:
            await release(ledger, taken)
        elif how == "resumed":
            await control.resume_job(ledger, job, 10)
        else:
            await ledger.redis.zadd("cancellist:account:default:held", {job: 1})
            await sweep(ledger)
        assert (await listener.get_message(timeout=5))["data"] == b"default" + b" first" * first


async def test_reads_of_an_urgent_job_are_no_urgent_calls(ledger):
    await submit(ledger, refs(10), priority=Priority.URGENT)
    await settle(ledger, await claim(ledger), READ)
    assert (await claim(ledger)).kind == "reads"
    assert (await claim(ledger)).urgent_out == 0


async def test_urgent_calls_that_nobody_counted_off_are_forgotten_with_the_last_claim_or_after_a_minute(ledger):
    state = "cancellist:account:default:state"
    await submit(ledger, refs(20), priority=Priority.URGENT)
    first, second = await claim(ledger), await claim(ledger)
    await ledger.redis.hincrby(state, "urgent_out", 1)
    await settle(ledger, first)
    assert (await ask(ledger)).urgent_out == 2
    await ledger.redis.hset(state, "urgent_at", await ledger.now_ms() - 60_000)
    assert (await ask(ledger)).urgent_out == 0
    await settle(ledger, second)
    assert not await ledger.redis.hexists(state, "urgent_out")


@pytest.mark.parametrize(("priority", "told"), [(Priority.URGENT, True), (Priority.NORMAL, False)])
async def test_every_worker_is_told_at_once_what_an_urgent_call_has_left_to_be_read(ledger, priority, told):
    await submit(ledger, refs(10), priority=priority)
    called = await claim(ledger)
    await submit(ledger, refs(10), priority=Priority.BULK)
    async with ledger.redis.pubsub() as listener:
        await listener.subscribe("cancellist:wake")
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        await settle(ledger, called, READ)
        await ledger.redis.publish("cancellist:wake", "last")
        heard = [(await listener.get_message(timeout=5))["data"] for _ in range(1 + told)]
    assert heard == [b"default first"] * told + [b"last"]


async def test_workers_are_not_told_of_urgent_reads_while_all_that_waits_is_urgent(ledger):
    await submit(ledger, refs(20), priority=Priority.URGENT)
    called = await claim(ledger)
    async with ledger.redis.pubsub() as listener:
        await listener.subscribe("cancellist:wake")
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        await settle(ledger, called, READ)
        await ledger.redis.publish("cancellist:wake", "last")
        assert (await listener.get_message(timeout=5))["data"] == b"last"


async def test_the_references_of_a_job_go_in_their_order(ledger):
    await submit(ledger, refs(1050))
    taken = await drained(ledger, replace(TERMS, per_call=30))
    assert [reference for one in taken for reference in one.references] == refs(1050)


async def test_what_is_given_back_goes_before_the_rest_of_its_job(ledger):
    await submit(ledger, refs(40))
    held = [await claim(ledger) for _ in range(3)]
    await release(ledger, *held)
    again = [await claim(ledger) for _ in range(3)]
    assert sorted(reference for one in again for reference in one.references) == refs(30)


async def test_a_resumed_job_takes_its_turns_again(ledger):
    one, two = await submit(ledger, refs(40)), await submit(ledger, refs(40, 100))
    await control.pause_job(ledger, one)
    assert {(await claim(ledger, terms=WIDE)).parts[0].job for _ in range(2)} == {two}
    await control.resume_job(ledger, one, 10)
    assert Counter([(await claim(ledger, terms=WIDE)).parts[0].job for _ in range(4)]) == {one: 2, two: 2}


# reads beside calls


async def reads_beside_calls(ledger, limit, calls):
    """Refuses 40 references so that they are to be read, with some calls beside; answers the next kinds."""
    await submit(ledger, refs(40))
    terms = replace(TERMS, limit=limit)
    for _ in range(4):
        await settle(ledger, await claim(ledger, terms=terms), READ)
        await ledger.redis.hset("cancellist:account:default:state", "reads_out", 99)
    await ledger.redis.hset("cancellist:account:default:state", "reads_out", 0)
    if calls:
        await submit(ledger, refs(calls, 500))
    return terms


@pytest.mark.parametrize(("limit", "most"), [(2, 1), (3, 1), (4, 2), (5, 2), (8, 4)])
async def test_reads_take_at_most_half_the_limit_while_calls_wait(ledger, limit, most):
    terms = await reads_beside_calls(ledger, limit, 400)
    kinds = Counter([(await claim(ledger, terms=terms)).kind for _ in range(limit)])
    assert kinds == {"reads": most, "calls": limit - most}


async def test_reads_of_a_higher_class_go_before_calls_though_half_the_limit_is_at_reads(ledger):
    terms = await reads_beside_calls(ledger, 4, 400)
    urgent = await submit(ledger, refs(3, 1000), priority=Priority.URGENT)
    await settle(ledger, await claim(ledger, terms=terms), READ)
    await ledger.redis.hset("cancellist:account:default:state", "reads_out", 2)
    taken = [await claim(ledger, terms=terms) for _ in range(4)]
    assert [(one.kind, one.parts[0].job == urgent) for one in taken] == [*[("reads", True)] * 3, ("calls", False)]


async def test_reads_of_a_higher_class_wait_for_whoever_has_a_slot_first(ledger):
    terms = await reads_beside_calls(ledger, 2, 400)
    urgent = await submit(ledger, refs(2, 1000), priority=Priority.URGENT)
    called = await claim(ledger, terms=terms)
    other = await claim(ledger, terms=terms)
    await settle(ledger, called, READ, give=())
    assert (await ask(ledger, terms=terms)).why == "limit"
    await settle(ledger, other)
    taken = await claim(ledger, terms=terms)
    assert (taken.kind, taken.parts[0].job, taken.has_slot) == ("reads", urgent, True)


async def test_urgent_reads_are_staged_while_a_job_has_more_of_them_than_there_are_slots(ledger):
    terms = replace(TERMS, limit=2)
    await submit(ledger, refs(4), priority=Priority.URGENT)
    called = await claim(ledger, terms=terms)
    await submit(ledger, refs(40, 500))
    other = await claim(ledger, terms=terms)
    await settle(ledger, called, READ, give=())
    assert other.kind == "calls"
    staged = [await ask(ledger, mode="staged", terms=terms) for _ in range(3)]
    assert [one.kind if isinstance(one, Claim) else one.why for one in staged] == ["reads", "reads", "limit"]


async def test_reads_that_are_not_urgent_are_staged_though_they_go_before_calls(ledger):
    terms = replace(TERMS, limit=1)
    await submit(ledger, refs(1))
    called = await claim(ledger, terms=terms)
    await submit(ledger, refs(40, 500), priority=Priority.BULK)
    await settle(ledger, called, READ, give=())
    assert (await claim(ledger, mode="staged", terms=terms)).kind == "reads"


async def test_calls_of_a_higher_class_go_before_reads(ledger):
    terms = await reads_beside_calls(ledger, 4, 400)
    urgent = await submit(ledger, refs(30, 1000), priority=Priority.URGENT)
    taken = [await claim(ledger, terms=terms, mode="staged") for _ in range(4)]
    assert [(one.kind, one.parts[0].job == urgent) for one in taken] == [*[("calls", True)] * 3, ("reads", False)]


async def test_staged_reads_count_as_well(ledger):
    terms = await reads_beside_calls(ledger, 4, 400)
    kinds = Counter([(await claim(ledger, terms=terms)).kind for _ in range(8)])
    assert kinds == {"reads": 2, "calls": 6}


async def test_reads_take_the_whole_limit_while_no_call_waits(ledger):
    terms = await reads_beside_calls(ledger, 4, 0)
    kinds = Counter([(await claim(ledger, terms=terms)).kind for _ in range(4)])
    assert kinds == {"reads": 4}


async def test_a_read_that_is_settled_makes_room_for_the_next(ledger):
    terms = await reads_beside_calls(ledger, 2, 400)
    for _ in range(6):
        taken = await claim(ledger, terms=terms)
        assert taken.kind == "reads"
        await settle(ledger, taken)


async def test_with_one_call_at_a_time_neither_reads_nor_calls_go_without(ledger):
    terms = await reads_beside_calls(ledger, 1, 400)
    kinds = Counter()
    for _ in range(10):
        taken = await claim(ledger, terms=terms)
        kinds[taken.kind] += 1
        await settle(ledger, taken)
    assert min(kinds["reads"], kinds["calls"]) > 0, kinds


async def test_reads_and_calls_of_another_account_do_not_count(ledger):
    terms = await reads_beside_calls(ledger, 2, 400)
    assert (await claim(ledger, terms=terms)).kind == "reads"
    await submit(ledger, refs(10), account="north")
    assert (await claim(ledger, terms=terms, account="north")).kind == "calls"
    assert A == "default"
