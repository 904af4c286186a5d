"""Claiming, and the steps that all tests of the ledger share."""

from dataclasses import replace

from cancellist.jobs.ledger import claims, control, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.model import JobState, Piece
from tests.contract.steps import (
    LINGERING,
    READ,
    TERMS,
    A,
    ask,
    claim,
    key,
    lease_passes,
    linger_passes,
    new_ask,
    outcomes,
    refs,
    release,
    settle,
    slots,
    state_of,
    submit,
    sweep,
)

# what a claim takes


async def test_a_claim_takes_a_full_call_in_the_order_of_submission(ledger):
    job = await submit(ledger, refs(25))
    taken = [await claim(ledger) for _ in range(3)]
    assert [c.references for c in taken] == [refs(10), refs(10, 10), refs(5, 20)]
    assert [(c.kind, c.has_slot) for c in taken] == [("calls", True)] * 3
    assert [p for c in taken for p in c.parts] == [
        claims.Part(job, Piece(tuple(references))) for references in (refs(10), refs(10, 10), refs(5, 20))
    ]
    assert await ask(ledger, slots=3, terms=replace(TERMS, limit=9)) == Wait(-1, "empty", 0, 9)


async def test_a_call_may_hold_more_references_than_were_packed_together(ledger):
    await submit(ledger, refs(250))
    terms = replace(TERMS, per_call=220)
    assert (await claim(ledger, terms=terms)).references == refs(220)
    assert (await claim(ledger, terms=terms)).references == refs(30, 220)


async def test_small_jobs_share_a_call(ledger):
    jobs = [await submit(ledger, refs(1, n)) for n in range(12)]
    first, second = await claim(ledger), await claim(ledger)
    assert [part.job for part in first.parts] == jobs[:10]
    assert first.references == refs(10)
    assert [part.job for part in second.parts] == jobs[10:]


async def test_a_job_that_does_not_fit_any_more_is_cut(ledger):
    small, large = await submit(ledger, refs(4)), await submit(ledger, refs(9, 50))
    first, second = await claim(ledger), await claim(ledger)
    assert [(p.job, list(p.piece.references)) for p in first.parts] == [(small, refs(4)), (large, refs(6, 50))]
    assert [(p.job, list(p.piece.references)) for p in second.parts] == [(large, refs(3, 56))]


async def test_a_reference_that_two_jobs_name_is_in_the_call_once_and_settled_for_both(ledger):
    one, two = await submit(ledger, refs(3)), await submit(ledger, refs(3, 2))
    taken = await claim(ledger)
    assert taken.references == refs(5)
    await settle(ledger, taken)
    assert await outcomes(ledger, one) == dict.fromkeys(refs(3), "cancelled")
    assert await outcomes(ledger, two) == dict.fromkeys(refs(3, 2), "cancelled")
    assert {await state_of(ledger, job) for job in (one, two)} == {JobState.COMPLETED}


async def test_the_first_claim_sets_the_job_running(ledger):
    job = await submit(ledger, refs(12))
    assert await state_of(ledger, job) is JobState.QUEUED
    await claim(ledger)
    record = await records.get(ledger, job)
    assert (record.state, record.pending, record.in_flight) == (JobState.RUNNING, 2, 10)
    assert record.started_at_ms >= record.created_at_ms > 0


async def test_accounts_share_neither_work_nor_limits(ledger):
    await submit(ledger, refs(10), account="north")
    terms = replace(TERMS, limit=1)
    assert isinstance(await ask(ledger, terms=terms), Wait)
    assert (await claim(ledger, terms=terms, account="north")).references == refs(10)
    await submit(ledger, refs(10))
    assert (await claim(ledger, terms=terms)).has_slot


# asking again


async def test_asking_again_answers_the_same_claim_and_takes_nothing_more(ledger):
    job = await submit(ledger, refs(40))
    wanted = new_ask()
    first = await claims.claim(ledger, A, wanted)
    other = await claim(ledger)
    again = await claims.claim(ledger, A, wanted)
    assert (again.id, again.parts, again.kind, again.has_slot) == (first.id, first.parts, first.kind, True)
    assert not set(other.references) & set(first.references)
    assert await slots(ledger) == 2
    assert (await records.get(ledger, job)).in_flight == 20


async def test_asking_again_answers_the_same_claim_though_the_limit_is_reached_by_it(ledger):
    await submit(ledger, refs(40))
    wanted = new_ask(terms=replace(TERMS, limit=1))
    first = await claims.claim(ledger, A, wanted)
    assert (await claims.claim(ledger, A, wanted)).parts == first.parts


async def test_asking_again_answers_the_same_claim_though_the_account_was_paused_meanwhile(ledger):
    await submit(ledger, refs(40))
    wanted = new_ask()
    first = await claims.claim(ledger, A, wanted)
    await control.pause_account(ledger, A)
    again = await claims.claim(ledger, A, wanted)
    assert again.parts == first.parts
    assert (again.gate, again.gate_now) == (first.gate, first.gate + 1)


async def test_a_claim_that_a_settle_brought_keeps_the_gate_that_it_was_claimed_under_when_asked_for_again(ledger):
    await submit(ledger, refs(40))
    first, wanted = await claim(ledger), new_ask(mode="staged")
    _, following = await settle(ledger, first, then=wanted)
    await control.pause_account(ledger, A)
    _, again = await settle(ledger, first, then=wanted)
    assert (again.id, again.gate, again.gate_now) == (following.id, following.gate, following.gate + 1)


async def test_asking_again_begins_the_lease_of_the_claim_and_its_slot_anew(ledger):
    await submit(ledger, refs(40))
    wanted = new_ask()
    first = await claims.claim(ledger, A, wanted)
    await lease_passes(ledger, first)
    now = await ledger.now_ms()
    await claims.claim(ledger, A, wanted)
    for name in ("claims", "slots"):
        assert await ledger.redis.zscore(key(name), first.id) >= now + TERMS.lease_ms
    assert (await sweep(ledger)).taken_over == 0


async def test_asking_again_for_a_staged_claim_gives_it_no_slot(ledger):
    await submit(ledger, refs(40))
    wanted = new_ask(mode="staged")
    assert not (await claims.claim(ledger, A, wanted)).has_slot
    assert not (await claims.claim(ledger, A, wanted)).has_slot
    assert await slots(ledger) == 0


async def test_a_belated_request_for_a_claim_that_is_settled_or_given_back_takes_nothing(ledger):
    await submit(ledger, refs(40))
    for end in (settle, release):
        wanted = new_ask()
        await end(ledger, await claims.claim(ledger, A, wanted))
        answer = await claims.claim(ledger, A, wanted)
        assert isinstance(answer, Wait)
        assert await ledger.redis.zcard(key("claims")) == 0


async def test_a_part_filled_call_lingers_and_then_goes(ledger):
    await submit(ledger, refs(4))
    waited = await ask(ledger, terms=LINGERING)
    assert waited.why == "empty"
    assert 0 < waited.wait_ms <= 5000
    await linger_passes(ledger)
    assert (await claim(ledger, terms=LINGERING)).references == refs(4)


async def test_a_full_call_does_not_linger_and_its_rest_does(ledger):
    await submit(ledger, refs(14))
    assert (await claim(ledger, terms=LINGERING)).references == refs(10)
    assert isinstance(await ask(ledger, terms=LINGERING), Wait)


async def test_a_lingering_call_goes_as_soon_as_it_is_full(ledger):
    await submit(ledger, refs(4))
    assert isinstance(await ask(ledger, terms=LINGERING), Wait)
    await submit(ledger, refs(6, 4))
    assert (await claim(ledger, terms=LINGERING)).references == refs(10)


async def test_each_part_filled_call_lingers_anew(ledger):
    for first in (0, 4):
        await submit(ledger, refs(4, first))
        waited = await ask(ledger, terms=LINGERING)
        assert 0 < waited.wait_ms <= 5000
        await linger_passes(ledger)
        assert (await claim(ledger, terms=LINGERING)).references == refs(4, first)


async def test_what_is_read_does_not_linger(ledger):
    await submit(ledger, refs(4))
    await settle(ledger, await claim(ledger), READ)
    assert (await claim(ledger, terms=LINGERING)).kind == "reads"
