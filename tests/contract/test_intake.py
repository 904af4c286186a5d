import asyncio

import pytest

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.intake import SmallJob
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Priority
from cancellist.jobs.parsing.intake_entry import parse_entry
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.safety.safeguards import NONE
from tests.contract.intake_steps import hand_in, large, left_over, read, rejected, seal, small
from tests.contract.steps import (
    A,
    ask,
    claim,
    drained,
    entries,
    key,
    outcomes,
    refs,
    submit,
    submitted,
)

ALL = frozenset({A})


@pytest.fixture(autouse=True)
async def _group(ledger):
    await intake.prepare(ledger)


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
    documents = [intake._document(job, NONE) for job in jobs]
    first = await ledger.run("intake", A, GROUP, 1000, 10, "{}", *documents)
    again = await ledger.run("intake", A, GROUP, 1000, 10, "{}", *documents)
    assert first[-3:] == again[-3:] == [b"sealed"] * 3
    assert await ledger.redis.zcard("cancellist:jobs") == 3
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 3


async def test_a_script_sent_twice_answers_the_same_for_keys_that_were_bound_before(ledger):
    await submitted(ledger, refs(5), idempotency_key="k")
    for _ in range(2):
        await hand_in(ledger, references="x")
    one, two = await read(ledger)
    documents = [
        intake._document(job, NONE)
        for job in (small(one, refs(5), idempotency_key="k"), small(two, refs(6), idempotency_key="k"))
    ]
    first = await ledger.run("intake", A, GROUP, 1000, 10, "{}", *documents)
    again = await ledger.run("intake", A, GROUP, 1000, 10, "{}", *documents)
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
