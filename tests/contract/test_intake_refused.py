"""Entries of the intake stream that are handed in twice, rejected, or read from who has died."""

import pytest

from cancellist.jobs.errors import IdempotencyConflictError, LedgerFullError
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.model import JobState
from tests.contract.intake_steps import hand_in, large, left_over, read, rejected, seal, small
from tests.contract.steps import (
    A,
    refs,
    state_of,
    submitted,
)

# the idempotency key


@pytest.fixture(autouse=True)
async def _group(ledger):
    await intake.prepare(ledger)


@pytest.mark.parametrize("seal_with", ["small", "large"])
async def test_an_entry_with_a_bound_key_and_the_same_content_makes_no_second_job(ledger, seal_with):
    first = await submitted(ledger, refs(5), idempotency_key="k")
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    if seal_with == "small":
        assert (await seal(ledger, small(entry, refs(5), idempotency_key="k")))[0] == ["same"]
    else:
        sealed = await large(ledger, entry, refs(5), idempotency_key="k")
        assert (sealed.job, sealed.same) == (first.job, True)
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert await left_over(ledger) == (0, 0)
    assert await rejected(ledger) == []


@pytest.mark.parametrize("seal_with", ["small", "large"])
async def test_an_entry_with_a_bound_key_and_other_content_is_rejected_with_the_reason(ledger, seal_with):
    first = await submitted(ledger, refs(5), idempotency_key="k")
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    if seal_with == "small":
        assert (await seal(ledger, small(entry, refs(6), idempotency_key="k")))[0] == ["conflict"]
    else:
        with pytest.raises(IdempotencyConflictError):
            await large(ledger, entry, refs(6), idempotency_key="k")
    (pairs,) = await rejected(ledger)
    said = dict(pairs)
    assert said["entry"] == entry.id
    assert first.job in said["reason"]
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert await left_over(ledger) == (0, 0)


async def test_two_entries_with_one_key_in_one_script_make_one_job(ledger):
    for _ in range(3):
        await hand_in(ledger, references="x")
    one, two, three = await read(ledger)
    words, _ = await seal(
        ledger, small(one, refs(5), idempotency_key="k"), small(two, refs(5), idempotency_key="k"),
        small(three, refs(6), idempotency_key="k"),
    )  # fmt: skip
    assert words == ["sealed", "same", "conflict"]
    assert await ledger.redis.zcard("cancellist:jobs") == 1


# rejected


async def test_a_malformed_entry_is_answered_with_the_reason_and_what_it_held(ledger):
    await hand_in(ledger, references="x", priority="high")
    (entry,) = await read(ledger)
    await intake.reject(ledger, A, entry, "priority 'high' is none of urgent, normal, bulk")
    (pairs,) = await rejected(ledger)
    said = dict(pairs)
    assert said["entry"] == entry.id
    assert said["reason"] == "priority 'high' is none of urgent, normal, bulk"
    assert "high" in said.values()
    assert await left_over(ledger) == (0, 0)
    assert await ledger.redis.zcard("cancellist:jobs") == 0


@pytest.mark.parametrize("fields", [{"reason": "flood"}, {"entry": "5-5"}, {"reason": "flood", "entry": "5-5"}])
async def test_what_a_producer_wrote_does_not_hide_why_its_entry_was_rejected(ledger, fields):
    await hand_in(ledger, references="x", priority="high", **fields)
    (entry,) = await read(ledger)
    await intake.reject(ledger, A, entry, "priority is none")
    (pairs,) = await rejected(ledger)
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), pairs
    assert (dict(pairs)["entry"], dict(pairs)["reason"]) == (entry.id, "priority is none")


async def test_a_malformed_entry_that_two_readers_hold_is_answered_once(ledger):
    await hand_in(ledger, references="")
    (entry,) = await read(ledger)
    for _ in range(2):
        await intake.reject(ledger, A, entry, "no reference")
    assert len(await rejected(ledger)) == 1


async def test_an_entry_that_became_a_job_is_not_rejected_by_a_late_reader(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    await seal(ledger, small(entry))
    await intake.reject(ledger, A, entry, "late")
    assert await rejected(ledger) == []


async def test_a_huge_entry_is_answered_with_its_beginning(ledger):
    await hand_in(ledger, references="x" * 1_000_000, priority="high")
    (entry,) = await read(ledger)
    await intake.reject(ledger, A, entry, "priority")
    (pairs,) = await rejected(ledger)
    assert sum(len(value) for _, value in pairs) < 5000


@pytest.mark.parametrize("count", [50, 5000])
async def test_an_entry_of_many_fields_is_answered(ledger, count):
    await hand_in(ledger, **{f"field{n}": "x" for n in range(count)})
    (entry,) = await read(ledger)
    await intake.reject(ledger, A, entry, "unknown field 'field0'")
    (pairs,) = await rejected(ledger)
    assert dict(pairs)["reason"] == "unknown field 'field0'"
    assert await left_over(ledger) == (0, 0)


# readers that died, and a full server


async def test_a_dead_readers_entries_are_taken_over(ledger):
    ids = [await hand_in(ledger, references=f"r{n}") for n in range(5)]
    taken = await read(ledger, "dead")
    await seal(ledger, small(taken[0]))
    assert await intake.take_over(ledger, "c2", idle_ms=60_000, count=10) == []
    over = await intake.take_over(ledger, "c2", idle_ms=0, count=10)
    assert [entry.id for entry in over] == ids[1:]
    assert (await seal(ledger, *(small(entry) for entry in over)))[0] == ["sealed"] * 4
    assert await left_over(ledger) == (0, 0)


async def test_an_entry_that_was_deleted_by_its_producer_is_passed_over(ledger):
    entry = await hand_in(ledger, references="x")
    await read(ledger, "dead")
    await ledger.redis.xdel("cancellist:intake", entry)
    assert await intake.take_over(ledger, "c2", idle_ms=0, count=10) == []


async def test_a_reader_leaves_the_group_only_where_it_has_nothing_pending(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger, "c1")
    await intake.leave(ledger, "c1")
    assert len(await ledger.redis.xinfo_consumers("cancellist:intake", GROUP)) == 1
    await seal(ledger, small(entry))
    await intake.leave(ledger, "c1")
    assert await ledger.redis.xinfo_consumers("cancellist:intake", GROUP) == []


async def test_a_full_server_takes_nothing_in_and_the_entry_stays(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    await ledger.redis.config_set("maxmemory", 1000)
    try:
        with pytest.raises(LedgerFullError):
            await seal(ledger, small(entry))
    finally:
        await ledger.redis.config_set("maxmemory", 0)
    assert await left_over(ledger) == (1, 1)
    assert (await seal(ledger, small(entry)))[0] == ["sealed"]


async def test_a_key_that_was_bound_by_an_entry_holds_for_submissions_too(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    await seal(ledger, small(entry, refs(5), idempotency_key="k"))
    again = await submitted(ledger, refs(5), idempotency_key="k")
    assert again.same
    assert await state_of(ledger, again.job) is JobState.QUEUED
