"""Calls per second, by the generic cell rate algorithm: time passes here by moving its one number."""

from dataclasses import replace

import pytest

from cancellist.jobs.ledger import claims
from cancellist.jobs.ledger.claims import Claim, Wait
from tests.contract.steps import (
    READ,
    TERMS,
    A,
    ask,
    claim,
    key,
    new_ask,
    refs,
    release,
    settle,
    slots,
    submit,
)

INTERVAL_S = 1000
RATED = replace(TERMS, limit=50, interval_us=INTERVAL_S * 1_000_000)


async def pass_intervals(ledger, count):
    await ledger.redis.hincrby(key("state"), "tat", round(-count * RATED.interval_us))


async def granted(ledger, terms, drains=1):
    """Asks until there is no token, in turn by several drains; answers how many there were, and the last answer."""
    count = 0
    while isinstance(answer := await ask(ledger, drain=f"d{count % drains}", terms=terms), Claim):
        count += 1
    return count, answer


@pytest.mark.parametrize("drains", [1, 3])
@pytest.mark.parametrize("burst", [1, 2, 7])
async def test_a_burst_is_granted_at_once_and_not_one_call_more(ledger, burst, drains):
    await submit(ledger, refs(300))
    count, answer = await granted(ledger, replace(RATED, burst=burst), drains)
    assert count == burst
    assert answer.why == "rate"
    assert (INTERVAL_S - 20) * 1000 < answer.wait_ms <= INTERVAL_S * 1000


async def test_each_interval_grants_one_call_to_whichever_drain_asks(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, burst=3)
    assert (await granted(ledger, terms, 2))[0] == 3
    for intervals in (1, 1, 2, 3, 1):
        await pass_intervals(ledger, intervals)
        assert (await granted(ledger, terms, 2))[0] == intervals


async def test_a_part_of_an_interval_grants_nothing(ledger):
    await submit(ledger, refs(300))
    await granted(ledger, RATED)
    await pass_intervals(ledger, 0.5)
    count, answer = await granted(ledger, RATED)
    assert count == 0
    assert (INTERVAL_S / 2 - 20) * 1000 < answer.wait_ms <= INTERVAL_S / 2 * 1000


async def test_no_more_than_a_burst_is_saved_however_long_nothing_was_called(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, burst=4)
    await granted(ledger, terms)
    await pass_intervals(ledger, 1000)
    assert (await granted(ledger, terms))[0] == 4


async def test_asking_again_for_a_claim_takes_no_second_token(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, burst=2)
    wanted = new_ask(terms=terms)
    assert isinstance(await claims.claim(ledger, A, wanted), Claim)
    assert isinstance(await claims.claim(ledger, A, wanted), Claim)
    assert (await granted(ledger, terms))[0] == 1


async def test_a_resent_settle_takes_no_second_token(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, burst=3)
    taken, then = await claim(ledger, terms=terms), new_ask(mode="slot", terms=terms)
    for _ in range(2):
        assert isinstance((await settle(ledger, taken, then=then, terms=terms))[1], Claim)
    assert (await granted(ledger, terms))[0] == 1


async def test_nothing_is_staged_under_a_rate(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, limit=1, burst=9)
    assert (await claim(ledger, terms=terms)).has_slot
    for mode in ("any", "staged", "slot"):
        answer = await ask(ledger, mode=mode, slots=1, terms=terms)
        assert isinstance(answer, Wait)
        assert answer.why == "limit"
    assert await ledger.redis.zcard(key("claims")) == 1


async def test_the_limit_holds_under_a_rate_as_well(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, limit=2, burst=9)
    count, answer = await granted(ledger, terms, 3)
    assert (count, answer.why, await slots(ledger)) == (2, "limit", 2)


async def test_a_wait_for_a_slot_takes_no_token(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, limit=1, burst=2)
    taken = await claim(ledger, terms=terms)
    await granted(ledger, terms)
    await settle(ledger, taken, terms=terms)
    assert (await claim(ledger, terms=terms)).has_slot


async def test_reads_count_as_calls(ledger):
    await submit(ledger, refs(10))
    terms = replace(RATED, burst=4)
    await settle(ledger, await claim(ledger, terms=terms), READ, terms=terms)
    count, answer = await granted(ledger, terms)
    assert (count, answer.why) == (3, "rate")


async def test_where_there_is_nothing_to_call_a_drain_is_not_told_to_wait_for_the_rate(ledger):
    await submit(ledger, refs(10))
    await claim(ledger, terms=RATED)
    assert await ask(ledger, terms=RATED) == Wait(-1, "empty", 0, 16)


async def test_nothing_to_call_takes_no_token(ledger):
    assert isinstance(await ask(ledger, terms=RATED), Wait)
    await submit(ledger, refs(10))
    assert (await claim(ledger, terms=RATED)).has_slot


async def test_a_drain_that_may_leave_does_not_while_only_the_rate_holds_it_back(ledger):
    await submit(ledger, refs(300))
    await granted(ledger, RATED)
    assert (await ask(ledger, mode="leave", terms=RATED)).why == "rate"
    assert b"d1" in await ledger.redis.zrange(key("drains"), 0, -1)


async def test_an_account_has_a_rate_of_its_own(ledger):
    await submit(ledger, refs(300))
    await submit(ledger, refs(300), account="north")
    await granted(ledger, RATED)
    assert (await claim(ledger, terms=RATED, account="north")).has_slot


async def test_a_fast_rate_is_exact_to_the_microsecond(ledger):
    await submit(ledger, refs(300))
    terms = replace(RATED, interval_us=333_333_333, burst=5)
    first = await claim(ledger, terms=terms)
    tat = int(await ledger.redis.hget(key("state"), "tat"))
    for n in range(1, 5):
        await claim(ledger, terms=terms)
        assert int(await ledger.redis.hget(key("state"), "tat")) == tat + n * 333_333_333
    assert (await ask(ledger, terms=terms)).why == "rate"
    await release(ledger, first)
