"""Claims of reinstatements: of all who would create a consignment anew one does, once, whoever dies or asks again."""

import asyncio

import pytest

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import housekeeping, plans, reinstatements
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.reinstatements import ClaimState
from cancellist.jobs.safety.guard import Guard
from cancellist.jobs.safety.safeguards import Safeguards
from tests.contract.steps import TERMS, A

OLD = "EC-000-000-001"


async def claimed(ledger, attempt, *, lease_ms=60_000, given_up="", reference=OLD):
    return await reinstatements.claim(
        ledger, A, reference, attempt=attempt, run="r", lease_ms=lease_ms, given_up=given_up
    )


async def stands(ledger):
    found = (await reinstatements.standing(ledger, A, [OLD, "EC-000-000-002"])).get(OLD)
    return (found.state, found.attempt, found.new) if found else None


async def test_of_many_who_claim_a_reference_at_once_one_gets_it(ledger):
    others = await asyncio.gather(*(claimed(ledger, f"a{n}") for n in range(20)))
    assert [other for other in others if other is None] == [None]
    winner = others.index(None)
    assert {other.attempt for other in others if other} == {f"a{winner}"}


async def test_a_claim_that_is_sent_twice_is_got_twice_by_the_same(ledger):
    assert await claimed(ledger, "a") is None
    assert await claimed(ledger, "a") is None
    assert (await claimed(ledger, "b")).attempt == "a"


async def test_a_claim_whose_time_has_passed_is_never_anothers_by_itself(ledger):
    await claimed(ledger, "a", lease_ms=0)
    assert (await claimed(ledger, "b")).state is ClaimState.SENDING
    await reinstatements.note_unconfirmed(ledger, A, OLD, "a")
    assert (await claimed(ledger, "b")).state is ClaimState.UNCONFIRMED
    assert await claimed(ledger, "b", given_up="a") is None


async def test_nobody_gives_up_what_another_may_still_send_nor_what_was_made(ledger):
    await claimed(ledger, "a")
    assert (await claimed(ledger, "b", given_up="a")).attempt == "a"
    assert await reinstatements.note_made(ledger, A, OLD, "a", "EC-000-000-009")
    assert (await claimed(ledger, "b", given_up="a")).new == "EC-000-000-009"


async def test_what_was_made_stays_so_and_a_late_note_of_another_attempt_changes_nothing(ledger):
    await claimed(ledger, "a", lease_ms=0)
    await claimed(ledger, "b", given_up="a")
    assert not await reinstatements.note_made(ledger, A, OLD, "a", "EC-000-000-008")
    assert await stands(ledger) == (ClaimState.SENDING, "b", None)
    assert await reinstatements.note_made(ledger, A, OLD, "b", "EC-000-000-009")
    await reinstatements.note_unconfirmed(ledger, A, OLD, "b")
    await reinstatements.free(ledger, A, OLD, "b")
    assert await stands(ledger) == (ClaimState.MADE, "b", "EC-000-000-009")


async def test_what_surely_was_not_created_can_be_claimed_again(ledger):
    await claimed(ledger, "a")
    await reinstatements.free(ledger, A, OLD, "a")
    assert await stands(ledger) is None
    assert await claimed(ledger, "b") is None


async def test_who_planned_it_approves_nothing_and_approvals_expire_with_the_plan(ledger):
    plan = await plans.keep(ledger, Draft(A, "content", 2, "host", "anna"), {}, keep_s=60)
    assert await reinstatements.approvals(ledger, A, plan.token, "anna") == frozenset()
    assert await reinstatements.approvals(ledger, A, plan.token, "ANNA") == frozenset()
    assert await reinstatements.approvals(ledger, A, plan.token, "bo") == {"bo"}
    assert await reinstatements.approvals(ledger, A, plan.token, "Bo") == {"bo"}
    assert await reinstatements.approvals(ledger, A, plan.token, "carl") == {"bo", "carl"}
    assert await reinstatements.approvals(ledger, "other", plan.token, "dora") == frozenset()
    key = f"{ledger.keys.plan(plans.name_of(plan.token))}:approvals"
    assert 0 < await ledger.redis.ttl(key) <= 60
    await ledger.redis.delete(ledger.keys.plan(plans.name_of(plan.token)))
    assert await reinstatements.approvals(ledger, A, plan.token) == frozenset()


@pytest.mark.parametrize(
    ("own", "workers", "wanted"),
    [
        (Guard(), [], (0, 0)),
        (Guard(approve_above=4), [], (0, 1)),
        (Guard(), [Guard(approve_above=4)], (0, 1)),
        (Guard(approve_above=9), [Guard(approve_above=4, approvals_required=2)], (0, 2)),
        (Guard(approvals_required=3), [Guard(approve_above=4)], (3, 3)),
        (Guard(), [Guard(max_references=9), Guard(max_share=12.5, approve_above=0), Guard(approve_above=4)], (1, 1)),
    ],
)
async def test_the_strictest_of_the_callers_guard_and_the_workers_says_who_must_approve(ledger, own, workers, wanted):
    for n, guard in enumerate(workers):
        await housekeeping.sweep(ledger, A, f"w{n}", TERMS, 30.0, safeguards=Safeguards(guard=guard))
    assert tuple([await reinstatements.approvals_wanted(ledger, A, own, n) for n in (4, 5)]) == wanted


@pytest.mark.parametrize("stored", ["{", "[]", '{"w": 1}', '{"w": {"guard": "above:x"}}', '{"w": {"guard": 1}}'])
async def test_guards_that_cannot_be_read_let_nothing_be_created(ledger, stored):
    await ledger.redis.hset(ledger.keys.state(A), "safeguards", stored)
    with pytest.raises(LedgerError, match="cannot be read"):
        await reinstatements.approvals_wanted(ledger, A, Guard(), 1)
