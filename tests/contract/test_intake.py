import asyncio

import pytest

from cancellist.jobs.errors import IdempotencyConflictError, LedgerFullError
from cancellist.jobs.ledger import intake, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.ledger.intake import GROUP, SmallJob
from cancellist.jobs.ledger.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Priority
from cancellist.jobs.parsing.intake_entry import parse_entry
from cancellist.jobs.parsing.references import InvalidEntry
from tests.contract.steps import (
    TERMS,
    A,
    ask,
    claim,
    drained,
    entries,
    key,
    outcomes,
    refs,
    state_of,
    submit,
    submitted,
)

ALL = frozenset({A})


@pytest.fixture(autouse=True)
async def _group(ledger):
    await intake.prepare(ledger)


async def hand_in(ledger, **fields):
    """Adds an entry as another system would."""
    return (await ledger.redis.xadd("cancellist:intake", fields)).decode()


async def read(ledger, consumer="c1", count=500):
    return await intake.read(ledger, ledger.redis, consumer, count=count, block_ms=1)


def small(entry, references=None, malformed=0, duplicates=0, **order):
    invalid = [InvalidEntry(n, f"bad {n}", "no reference") for n in range(1, malformed + 1)]
    wanted = refs(1) if references is None else references
    return SmallJob(entry.id, JobRequest(**order), wanted, invalid, duplicates)


async def seal(ledger, *jobs):
    words, drains = await intake.seal_small(ledger, A, jobs, idempotency_keep_s=3600, per_call=TERMS.per_call)
    return words, drains


async def large(ledger, entry, references, **order):
    """Seals a large entry in batches of its own."""
    one = Submission(ledger, JobRequest(**order))
    await one.add(references)
    return await one.seal(duplicates=0, idempotency_keep_s=3600, per_call=TERMS.per_call, intake=(GROUP, entry.id))


async def left_over(ledger):
    """Entries in the stream, and those that a reader has not dealt with."""
    pending = await ledger.redis.xpending("cancellist:intake", GROUP)
    return await ledger.redis.xlen("cancellist:intake"), pending["pending"]


async def rejected(ledger):
    """The answers to rejected entries as pairs: raw, since a name that stands there twice must not hide."""
    rows = await ledger.redis.eval(
        "return redis.call('XRANGE', KEYS[1], '-', '+')", 1, "cancellist:intake:rejected"
    )  # fmt: skip
    words = [[word.decode() for word in fields] for _, fields in rows]
    return [list(zip(pairs[::2], pairs[1::2], strict=True)) for pairs in words]


# reading


async def test_preparing_twice_is_as_once(ledger):
    await hand_in(ledger, references="x")
    await intake.prepare(ledger)
    assert len(await read(ledger)) == 1


async def test_what_was_added_before_the_first_worker_came_is_read_too(ledger):
    await ledger.redis.delete("cancellist:intake")
    await hand_in(ledger, references="x")
    await intake.prepare(ledger)
    assert len(await read(ledger)) == 1


async def test_entries_are_read_as_they_came_each_by_one_reader(ledger):
    ids = [await hand_in(ledger, references=f"r{n}", reason="née ☃") for n in range(7)]
    one, two = await read(ledger, "c1", 4), await read(ledger, "c2", 4)
    assert [e.id for e in one + two] == ids
    assert one[0].pairs == ((b"references", b"r0"), (b"reason", "née ☃".encode()))
    assert await read(ledger) == []


async def test_what_was_added_is_read_as_it_came_however_it_is_read(ledger):
    pairs = (b"references", b"A", b"\xc3", b"\xff\xfe", b"references", b"B", b"references", b"A", b"", b"")
    await ledger.redis.execute_command("XADD", "cancellist:intake", "*", *pairs)
    (first,) = await read(ledger, "c1")
    (again,) = await intake.unfinished(ledger, "c1", count=10)
    (over,) = await intake.take_over(ledger, "c2", idle_ms=0, count=10)
    for entry in (first, again, over):
        assert [word for pair in entry.pairs for word in pair] == list(pairs)


# many small ones in one go


async def test_many_small_entries_become_jobs_in_one_script(ledger, monkeypatch):
    for n in range(300):
        await hand_in(ledger, references=f"r{n}")
    taken, ran, run = await read(ledger), [], ledger.run

    async def noting(name, *args):
        ran.append(name)
        return await run(name, *args)

    monkeypatch.setattr(ledger, "run", noting)
    words, drains = await seal(ledger, *(small(e, refs(1, n)) for n, e in enumerate(taken)))
    assert ran == ["intake"]
    assert words == ["sealed"] * 300
    assert len(drains) == 1
    assert await left_over(ledger) == (0, 0)
    assert sum([len(one.references) for one in await drained(ledger)]) == 300
    assert len(await entries(ledger)) == 300


async def test_a_job_from_the_intake_is_as_any_other(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    order = JobRequest(A, "flood", "ops", Priority.URGENT, await ledger.now_ms() + 3_600_000, None, "k")
    invalid = [InvalidEntry(4, "bad", "no reference")]
    words, _ = await seal(ledger, SmallJob(entry.id, order, refs(250), invalid, 3))
    assert words == ["sealed"]
    (record,) = await records.newest(ledger)
    assert record.order == order
    assert (record.total, record.duplicates, record.invalid, record.pending) == (251, 3, 1, 251)
    assert record.state is JobState.QUEUED
    assert await ledger.redis.hget(f"cancellist:job:{record.id}", "v") == b"1"
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 251
    assert (await claim(ledger)).references == refs(10)


@pytest.mark.parametrize("at_s", [1_795_456_800, 1_795_456_800.123, 1_800_000_000, 2_000_000_000])
async def test_times_keep_every_digit_on_their_way_through_a_script(ledger, at_s):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    at_ms = round(at_s * 1000)
    await seal(ledger, small(entry, deadline_ms=at_ms, start_at_ms=at_ms))
    (record,) = await records.newest(ledger)
    assert (record.order.deadline_ms, record.order.start_at_ms) == (at_ms, at_ms)
    assert await ledger.redis.zscore(key("deadlines"), record.id) == at_ms


async def test_an_entry_of_malformed_lines_alone_becomes_a_job_without_a_call(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    assert (await seal(ledger, small(entry, [], malformed=2)))[0] == ["sealed"]
    assert isinstance(await ask(ledger), Wait)
    await ledger.run("slice", A, "", 100)
    (record,) = await records.newest(ledger)
    assert record.state is JobState.COMPLETED
    assert await outcomes(ledger, record.id) == {"bad 1": "invalid", "bad 2": "invalid"}


async def test_an_entry_with_a_start_to_come_is_held(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    _, drains = await seal(ledger, small(entry, start_at_ms=await ledger.now_ms() + 3_600_000))
    assert drains == []
    assert isinstance(await ask(ledger), Wait)


async def test_all_that_the_contract_lets_a_producer_say_comes_through(ledger):
    await hand_in(
        ledger, references='["EC-000-000-000"]', reason="r", requested_by="me", priority="bulk", deadline="+2h",
        idempotency_key="k",
    )  # fmt: skip
    (entry,) = await read(ledger)
    wanted = parse_entry(entry.pairs, now_ms=await ledger.now_ms(), accounts=ALL)
    await seal(ledger, SmallJob(entry.id, wanted.order, wanted.references, [], 0))
    (record,) = await records.newest(ledger)
    assert record.order == wanted.order


# delivered twice


async def test_the_same_script_sent_twice_makes_one_job_each(ledger):
    for n in range(3):
        await hand_in(ledger, references=f"r{n}")
    jobs = [small(e, refs(1, n)) for n, e in enumerate(await read(ledger))]
    documents = [intake._document(job) for job in jobs]
    first = await ledger.run("intake", A, GROUP, 1000, 10, *documents)
    again = await ledger.run("intake", A, GROUP, 1000, 10, *documents)
    assert first[-3:] == again[-3:] == [b"sealed"] * 3
    assert await ledger.redis.zcard("cancellist:jobs") == 3
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 3


async def test_a_script_sent_twice_answers_the_same_for_keys_that_were_bound_before(ledger):
    await submitted(ledger, refs(5), idempotency_key="k")
    for _ in range(2):
        await hand_in(ledger, references="x")
    one, two = await read(ledger)
    documents = [
        intake._document(job)
        for job in (small(one, refs(5), idempotency_key="k"), small(two, refs(6), idempotency_key="k"))
    ]
    first = await ledger.run("intake", A, GROUP, 1000, 10, *documents)
    again = await ledger.run("intake", A, GROUP, 1000, 10, *documents)
    assert first[-2:] == [b"same", b"conflict"]
    assert again[-2:] == first[-2:]
    assert len(await rejected(ledger)) == 1


async def test_an_entry_that_two_readers_hold_makes_one_job(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger, "c1")
    (same,) = await intake.take_over(ledger, "c2", idle_ms=0, count=10)
    assert same == entry
    words = await asyncio.gather(seal(ledger, small(same)), seal(ledger, small(entry)))
    assert sorted(word for (word,), _ in words) == ["sealed", "taken"]
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert await left_over(ledger) == (0, 0)


async def test_an_entry_that_nobody_has_read_makes_no_job(ledger):
    entry = await hand_in(ledger, references="x")
    words, _ = await seal(ledger, SmallJob(entry, JobRequest(), refs(1), [], 0))
    assert words == ["taken"]
    assert len(await read(ledger)) == 1


async def test_an_id_that_is_taken_harms_no_job(ledger, monkeypatch):
    taken = await submit(ledger, refs(5, 50))
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    ids = iter([taken, "freshfreshfr", "fresherfresh"])
    monkeypatch.setattr(intake, "new_job_id", lambda: next(ids))
    await seal(ledger, small(entry, refs(3)))
    assert (await records.get(ledger, taken)).total == 5
    await drained(ledger)
    assert await outcomes(ledger, taken) == dict.fromkeys(refs(5, 50), "cancelled")


async def test_an_id_of_a_job_from_the_intake_is_not_used_by_a_submission(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    await seal(ledger, small(entry, refs(5)))
    (record,) = await records.newest(ledger)
    one = Submission(ledger, JobRequest())
    one.job = record.id
    await one.add(refs(7, 50))
    sealed = await one.seal(duplicates=0, idempotency_keep_s=60, per_call=10)
    assert sealed.job != record.id
    assert (await records.get(ledger, record.id)).total == 5


# large ones


async def test_a_large_entry_is_acknowledged_only_when_its_job_is_sealed(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    one = Submission(ledger, JobRequest())
    await one.add(refs(20_000))
    await one._sent()
    assert await left_over(ledger) == (1, 1)
    sealed = await one.seal(duplicates=0, idempotency_keep_s=60, per_call=10, intake=(GROUP, entry.id))
    assert sealed.state is JobState.QUEUED
    assert await left_over(ledger) == (0, 0)


async def test_a_large_entry_that_two_readers_hold_makes_one_job(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    first, second = await large(ledger, entry, refs(3000)), await large(ledger, entry, refs(3000))
    assert first.state is JobState.QUEUED
    assert second is None
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert len(await ledger.redis.keys("cancellist:job:*:calls")) == 1


@pytest.mark.parametrize("idempotency_key", [None, "k"])
async def test_a_resent_seal_of_an_entry_answers_as_the_first_did(ledger, idempotency_key):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    kept = {"duplicates": 0, "idempotency_keep_s": 60, "per_call": 10, "intake": (GROUP, entry.id)}
    one, two = (Submission(ledger, JobRequest(idempotency_key=idempotency_key)) for _ in range(2))
    await one.add(refs(30))
    await two.add(refs(30))
    first, again = await one.seal(**kept), await one.seal(**kept)
    assert (again.job, again.state, again.same) == (first.job, first.state, False)
    assert [await two.seal(**kept), await two.seal(**kept)] == [None, None]
    assert await ledger.redis.zcard("cancellist:jobs") == 1


# the idempotency key


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
