"""What becomes of entries where the intake stream, its group or the stream of answers is not as it was."""

from typing import Any

import pytest

from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.submitting import intake
from tests.contract.intake_steps import hand_in, large, left_over, read, rejected, seal, small
from tests.contract.steps import A, refs

INTAKE, REJECTED = "cancellist:intake", "cancellist:intake:rejected"


@pytest.fixture(autouse=True)
async def _group(ledger):
    await intake.prepare(ledger)


async def reading(ledger, how: str) -> list[Any]:
    match how:
        case "read":
            return await read(ledger)
        case "unfinished":
            return await intake.unfinished(ledger, "c1", count=10)
        case _:
            return await intake.take_over(ledger, "c1", idle_ms=0, count=10)


@pytest.mark.parametrize("how", ["read", "unfinished", "take over"])
@pytest.mark.parametrize("lost", ["stream", "group"])
async def test_whoever_reads_makes_what_is_lost_anew_and_what_is_there_is_read(ledger, lost, how):
    if lost == "stream":
        await ledger.redis.delete(INTAKE)
    else:
        await hand_in(ledger, references="before")
        await ledger.redis.xgroup_destroy(INTAKE, GROUP)
    assert await reading(ledger, how) == []
    await hand_in(ledger, references="after")
    found = [entry.first(b"references") for entry in await read(ledger)]
    assert found == (["after"] if lost == "stream" else ["before", "after"])


@pytest.mark.parametrize("seal_with", ["small", "large"])
async def test_an_entry_whose_group_was_destroyed_in_between_stays_and_becomes_a_job_once_it_is_read_again(
    ledger, seal_with
):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    await ledger.redis.xgroup_destroy(INTAKE, GROUP)
    if seal_with == "small":
        assert (await seal(ledger, small(entry)))[0] == ["taken"]
    else:
        assert await large(ledger, entry, refs(1)) is None
    assert await ledger.redis.xlen(INTAKE) == 1
    await intake.prepare(ledger)
    (again,) = await read(ledger)
    assert again == entry
    if seal_with == "small":
        assert (await seal(ledger, small(again)))[0] == ["sealed"]
    else:
        assert await large(ledger, again, refs(1))
    assert await left_over(ledger) == (0, 0)
    assert await ledger.redis.zcard("cancellist:jobs") == 1


async def test_an_entry_that_is_rejected_as_its_group_is_destroyed_is_answered_later_and_once(ledger):
    await hand_in(ledger, refs="x")
    (entry,) = await read(ledger)
    await ledger.redis.xgroup_destroy(INTAKE, GROUP)
    await intake.reject(ledger, A, entry, "unknown field")
    assert await rejected(ledger) == []
    await intake.prepare(ledger)
    (again,) = await read(ledger)
    for _ in range(2):
        await intake.reject(ledger, A, again, "unknown field")
    assert len(await rejected(ledger)) == 1
    assert await left_over(ledger) == (0, 0)


async def test_nothing_is_taken_off_the_stream_where_no_answer_can_be_given(ledger):
    for _ in range(3):
        await hand_in(ledger, references="x")
    bad, bound, other = await read(ledger)
    assert (await seal(ledger, small(bound, refs(5), idempotency_key="k")))[0] == ["sealed"]
    await ledger.redis.set(REJECTED, "another's")
    with pytest.raises(LedgerUnfitError):
        await intake.reject(ledger, A, bad, "why")
    with pytest.raises(LedgerUnfitError):
        await seal(ledger, small(other, refs(6), idempotency_key="k"))
    with pytest.raises(LedgerUnfitError):
        await large(ledger, other, refs(6), idempotency_key="k")
    assert await left_over(ledger) == (2, 2)
    await ledger.redis.delete(REJECTED)
    await intake.reject(ledger, A, bad, "why")
    assert (await seal(ledger, small(other, refs(6), idempotency_key="k")))[0] == ["conflict"]
    assert await left_over(ledger) == (0, 0)
    assert len(await rejected(ledger)) == 2


@pytest.mark.parametrize("how", ["read", "unfinished", "take over", "prepare"])
async def test_something_else_in_place_of_the_stream_is_named_and_left_alone(ledger, how):
    await ledger.redis.delete(INTAKE)
    await ledger.redis.set(INTAKE, "mine")
    with pytest.raises(LedgerUnfitError, match="the key cancellist:intake is no stream"):
        await (intake.prepare(ledger) if how == "prepare" else reading(ledger, how))
    assert await ledger.redis.get(INTAKE) == b"mine"


async def test_fields_that_are_given_several_times_are_all_in_the_answer(ledger):
    await ledger.redis.execute_command(
        "XADD", INTAKE, "*", "references", "A", "references", "B", "reason", b"\xff", "references", "C"
    )
    (entry,) = await read(ledger)
    await intake.reject(ledger, A, entry, "why")
    (pairs,) = await rejected(ledger)
    assert [value for name, value in pairs if name.startswith("given.references")] == ["A", "B", "C"]
    assert len({name for name, _ in pairs}) == len(pairs)
    assert dict(pairs)["given.reason"] == "\\xff"
