import asyncio
from dataclasses import replace

from cancellist.jobs.ledger import accounts, claims, control, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.model import JobState, Outcome, Piece
from cancellist.jobs.responses.after_reading import after_reading
from cancellist.jobs.responses.retry_policy import RetryPolicy, after_call
from cancellist.jobs.responses.status_read import Found
from cancellist.jobs.responses.steps import CallAgain
from cancellist.jobs.responses.verdicts import Unclear
from tests.contract.steps import (
    AGAIN,
    READ,
    TERMS,
    A,
    ask,
    claim,
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
    sweep,
    what_is_later_comes_due,
)

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
