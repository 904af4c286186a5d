"""Settling again, too late, or not all of a claim; what a settlement teaches about the account."""

from dataclasses import replace

import pytest
from redis.exceptions import ResponseError

from cancellist.jobs.ledger import accounts, claims, control, failed_calls
from cancellist.jobs.ledger.claims import Claim, Settlement, Share, Wait
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from tests.contract.steps import (
    AGAIN,
    CANCELLED,
    READ,
    TERMS,
    A,
    ask,
    claim,
    everything,
    key,
    new_ask,
    outcomes,
    refs,
    release,
    settle,
    slots,
    state_of,
    submit,
    what_is_later_comes_due,
)

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
    "failed": WriteResult(Outcome.FAILED, 8, 404),
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
    await settle(ledger, await claim(ledger), WriteResult(Outcome.UNCONFIRMED, 1))
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
