"""How long lists may be once the platform has refused one for its length (413)."""

import itertools
import json
import random
from dataclasses import replace

import pytest

from cancellist.jobs.flow.batch_size import ListSearch, ListSize, TriedBatch
from cancellist.jobs.ledger import accounts
from cancellist.jobs.responses.steps import CallAgain
from tests.contract.steps import (
    CANCELLED,
    TERMS,
    A,
    claim,
    key,
    lease_passes,
    moved,
    refs,
    release,
    settle,
    submit,
    sweep,
)
from tests.scenarios.simulator.lists import Lists

WIDE = replace(TERMS, per_call=100, limit=8, search=ListSearch(look_every=5))
SHORTER = CallAgain(0.0, 0, 1)


async def wide(ledger, **options):
    return await claim(ledger, terms=WIDE, **options)


async def end(ledger, taken, longest, terms=WIDE):
    """Ends a call at a platform that takes lists of at most `longest` references; answers the list's length."""
    n = len(taken.references)
    step, listed = (CANCELLED, TriedBatch(n, taken=True)) if n <= longest else (SHORTER, TriedBatch(n, taken=False))
    await settle(ledger, taken, step, terms=terms, listed=listed)
    return n


async def lengths(ledger, longest, count):
    """The lengths of so many calls, one after the other."""
    return [await end(ledger, await wide(ledger), longest) for _ in range(count)]


async def in_force(ledger):
    gate = await accounts.gate(ledger, A)
    return gate.list_size, gate.list_refused


@pytest.mark.parametrize(
    ("longest", "tried"),
    [
        (30, [100, 50, 25, 37, 31, 28, 29, 30, 30, 30]),
        (7, [100, 50, 25, 12, 6, 9, 7, 8, 7, 7]),
        (1, [100, 50, 25, 12, 6, 3, 1, 2, 1, 1]),
        (98, [100, 50, 75, 87, 93, 96, 96, 96, 96, 96]),
    ],
)
async def test_the_longest_list_is_searched_for_between_what_was_taken_and_what_was_refused(ledger, longest, tried):
    await submit(ledger, refs(1000))
    assert await lengths(ledger, longest, 10) == tried


async def test_what_was_refused_is_looked_at_again_ever_more_rarely_while_that_is_in_vain(ledger):
    await submit(ledger, refs(4000))
    await lengths(ledger, 30, 7)
    calls = await lengths(ledger, 30, 110)
    looks = [n for n, length in enumerate(calls) if length == 31]
    gaps = [after - before for before, after in itertools.pairwise(looks)]
    assert gaps == [11, 21, 41]
    assert set(calls) == {30, 31}


@pytest.mark.parametrize(("rarest", "expected"), [(1, [6, 6, 6]), (3, [11, 16, 16])])
async def test_looks_become_no_rarer_than_is_set(ledger, rarest, expected):
    terms = replace(WIDE, search=ListSearch(look_every=5, rarest=rarest))
    await submit(ledger, refs(4000))
    calls = [await end(ledger, await claim(ledger, terms=terms), 30, terms) for _ in range(70)]
    looks = [n for n, length in enumerate(calls) if length == 31]
    assert [after - before for before, after in itertools.pairwise(looks)][1:4] == expected


async def test_the_search_ends_as_near_as_is_set(ledger):
    terms = replace(WIDE, search=ListSearch(look_every=50, near=0.5))
    await submit(ledger, refs(1000))
    assert [await end(ledger, await claim(ledger, terms=terms), 30, terms) for _ in range(6)] == [
        100,
        50,
        25,
        37,
        25,
        25,
    ]


async def test_a_limit_that_was_lifted_is_found_and_nothing_of_the_413_is_kept(ledger):
    await submit(ledger, refs(4000))
    await lengths(ledger, 30, 8)
    assert await lengths(ledger, 100, 12) == [30] * 5 + [31, 62, 100, 100, 100, 100, 100]
    assert await in_force(ledger) == (None, None)
    assert not [field for field in await ledger.redis.hkeys(key("state")) if field.startswith(b"list")]


async def test_lists_that_were_on_their_way_together_are_one_step_down(ledger):
    await submit(ledger, refs(1000))
    together = [await wide(ledger, slots=n) for n in range(4)]
    for one in together:
        await end(ledger, one, 30)
    assert await in_force(ledger) == (50, 100)
    assert len((await wide(ledger)).references) == 50


async def test_one_that_was_taken_on_its_way_beside_one_that_was_refused_lengthens_nothing(ledger):
    await submit(ledger, refs(1000))
    first, second = [await wide(ledger, slots=n) for n in range(2)]
    await end(ledger, first, 30)
    await end(ledger, second, 100)
    assert await in_force(ledger) == (50, 100)


async def test_one_call_at_a_time_tries_a_longer_list_whoever_makes_it(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 3)
    taken = [await wide(ledger, drain=drain, slots=n) for n, drain in enumerate(("d1", "d2", "d1"))]
    assert [(len(one.references), one.size) for one in taken] == [(37, 25), (25, 25), (25, 25)]


async def test_a_try_that_is_overtaken_by_a_refusal_of_what_is_in_force_holds_up_no_other(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 3)
    tried, full = [await wide(ledger, slots=n) for n in range(2)]
    await end(ledger, full, 24)
    assert await in_force(ledger) == (12, 25)
    await end(ledger, tried, 40)
    assert await in_force(ledger) == (12, 25)
    assert await lengths(ledger, 24, 4) == [12, 18, 21, 23]


async def test_a_shorter_size_lets_go_of_what_is_staged_and_a_try_in_vain_does_not(ledger):
    await submit(ledger, refs(1000))
    before = (await accounts.gate(ledger, A)).version
    await lengths(ledger, 30, 2)
    lowered = (await accounts.gate(ledger, A)).version
    await lengths(ledger, 30, 5)
    assert (lowered, (await accounts.gate(ledger, A)).version) == (before + 2, before + 2)


async def test_a_try_that_is_given_back_unsent_is_made_by_the_next_call(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 3)
    await release(ledger, await wide(ledger))
    assert len((await wide(ledger)).references) == 37


@pytest.mark.parametrize("way", ["unanswered", "taken over"])
async def test_a_try_without_an_answer_is_not_repeated_before_others_have_paid_for_it(ledger, way):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 3)
    tried = await wide(ledger)
    if way == "unanswered":
        await settle(ledger, tried, SHORTER, terms=WIDE)
    else:
        await lease_passes(ledger, tried)
        await sweep(ledger, terms=WIDE)
    assert await lengths(ledger, 30, 12) == [25] * 10 + [37, 31]


async def test_lists_that_are_shorter_for_want_of_references_try_nothing(ledger):
    await submit(ledger, refs(80))
    assert await lengths(ledger, 30, 5) == [80, 40, 20, 30, 30]
    await submit(ledger, refs(36, 500))
    assert await lengths(ledger, 30, 2) == [35, 32]


async def test_no_longer_list_is_tried_where_shorter_ones_are_cheaper(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 3)
    await moved(ledger, lists=ListSize(size=12))
    assert await lengths(ledger, 30, 3) == [12] * 3


async def test_a_limit_that_falls_is_found_again(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 8)
    assert await lengths(ledger, 12, 7) == [30, 15, 7, 11, 13, 12, 12]


async def test_references_of_other_lengths_cost_one_call_where_the_limit_is_one_of_bytes(ledger):
    await submit(ledger, refs(4000))
    await lengths(ledger, 25, 8)
    assert (await lengths(ledger, 40, 8))[-3:] == [52, 39, 45]
    assert await lengths(ledger, 25, 5) == [42, 40, 39, 25, 25]


async def test_what_was_known_before_a_look_is_forgotten_once_the_longer_lists_have_stood(ledger):
    await submit(ledger, refs(6000))
    await lengths(ledger, 20, 9)
    assert (await lengths(ledger, 40, 30)).count(42) > 1
    assert await lengths(ledger, 30, 6) == [40, 20, 30, 35, 32, 31]


async def test_the_size_that_an_earlier_version_has_left_is_where_the_search_begins(ledger):
    await submit(ledger, refs(1000))
    await ledger.redis.hset(key("state"), mapping={"list_size": 25, "list_size_at": 1})
    assert await in_force(ledger) == (25, None)
    assert await lengths(ledger, 30, 6) == [25, 50, 37, 31, 28, 29]


async def test_a_worker_of_an_earlier_version_that_doubles_the_size_lengthens_no_list_of_this_one(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 8)
    await ledger.redis.hset(key("state"), mapping={"list_size": 60, "list_size_at": 1})
    assert await in_force(ledger) == (30, 31)
    assert await lengths(ledger, 30, 2) == [30, 30]
    await ledger.redis.hdel(key("state"), "list_size", "list_size_at")
    assert await lengths(ledger, 30, 2) == [30, 30]


async def test_fields_of_a_later_version_are_kept(ledger):
    await submit(ledger, refs(1000))
    await lengths(ledger, 30, 1)
    search = json.loads(await ledger.redis.hget(key("state"), "list_search"))
    await ledger.redis.hset(key("state"), "list_search", json.dumps(search | {"added": [1]}))
    await lengths(ledger, 30, 8)
    assert json.loads(await ledger.redis.hget(key("state"), "list_search"))["added"] == [1]


async def test_a_settling_that_is_sent_twice_teaches_once(ledger):
    await submit(ledger, refs(1000))
    taken = await wide(ledger)
    for _ in range(3):
        await end(ledger, taken, 30)
    assert await in_force(ledger) == (50, 100)
    await lengths(ledger, 100, 1)
    taken = await wide(ledger)
    for _ in range(3):
        await end(ledger, taken, 30)
    assert await in_force(ledger) == (50, 75)


@pytest.mark.parametrize("seed", range(4))
async def test_the_model_of_the_scenarios_does_as_the_ledger_does(ledger, seed):
    dice, model, flying, longest = random.Random(seed), Lists(look_every=WIDE.search.look_every), [], 100
    await submit(ledger, refs(12_000))
    for _ in range(150):
        longest = dice.choice([7, 30, 55, 98, 100]) if dice.random() < 0.06 else longest
        if len(flying) < 4 and dice.random() < 0.6:
            taken = await wide(ledger, slots=len(flying))
            most = model.most(WIDE.per_call)
            longer = model.longer(WIDE.per_call)
            assert len(taken.references) == (longer or most)
            model.trial = taken.id if longer else model.trial
            flying.append(taken)
        elif flying:
            taken = flying.pop(dice.randrange(len(flying)))
            n, fate = len(taken.references), dice.random()
            if fate < 0.08:
                await settle(ledger, taken, SHORTER, terms=WIDE)
                model.lapse(taken.id)
            elif fate < 0.15:
                await release(ledger, taken)
                model.lapse(taken.id, unsent=True)
            else:
                await end(ledger, taken, longest)
                (model.take if n <= longest else model.refuse)(n, taken.id)
        stored = json.loads(await ledger.redis.hget(key("state"), "list_search") or b"{}")
        names = ("refused", "taken", "before", "beyond", "trial", "since", "failed")
        assert [stored.get(name) for name in names[:5]] == [getattr(model, name) for name in names[:5]]
        assert [stored.get(name, 0) for name in names[5:]] == [getattr(model, name) for name in names[5:]]
