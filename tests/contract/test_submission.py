import pytest

from cancellist.jobs.errors import IdempotencyConflictError, LedgerError
from cancellist.jobs.ledger import housekeeping, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.ledger.submitting.submission import BATCH, Submission
from cancellist.jobs.model import JobRequest, JobState, Priority
from tests.contract.steps import (
    A,
    add_and_seal,
    ask,
    bad,
    claim,
    drained,
    entries,
    key,
    outcomes,
    queued,
    refs,
    seal,
    state_of,
    submit,
    submitted,
    sweep,
)


async def keys_of(ledger, job):
    return await ledger.redis.keys(f"cancellist:job:{job}*")


class Twice(Submission):
    """Its every batch is sent twice, as after a lost reply."""

    async def _trip(self, batches):
        first = await super()._trip(batches)
        assert set(await super()._trip(batches)) == {0}
        return first


# what stands in the ledger


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1999, 2000, 2001, 5000])
async def test_every_reference_is_queued_once_and_in_order(ledger, count):
    job = await submit(ledger, refs(count))
    assert await queued(ledger, job) == refs(count)
    record = await records.get(ledger, job)
    assert (record.total, record.pending, record.in_flight, record.settled) == (count, count, 0, 0)
    assert record.state is (JobState.QUEUED if count else JobState.COMPLETED)
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == count


@pytest.mark.parametrize("sizes", [[1] * 30, [1999, 1, 1], [2000, 2000, 7], [3, 4100, 0, 250], [20_001]])
async def test_references_may_be_handed_in_in_batches_of_any_size(ledger, sizes):
    one, first = Submission(ledger, JobRequest()), 0
    for size in sizes:
        await one.add(refs(size, first))
        first += size
    assert await queued(ledger, (await seal(one)).job) == refs(first)


async def test_batches_that_are_sent_twice_are_added_once(ledger):
    one = Twice(ledger, JobRequest())
    for first in range(0, 40_000, 10_000):
        await one.add(refs(10_000, first), bad(30, first))
    sealed = await seal(one)
    assert await queued(ledger, sealed.job) == refs(40_000)
    record = await records.get(ledger, sealed.job)
    assert (record.total, record.invalid, record.pending) == (40_120, 120, 40_120)


async def test_no_batch_holds_more_than_2000_references(ledger, monkeypatch):
    sizes = []

    class Noting(Submission):
        async def _trip(self, batches):
            sizes.extend(batch[2] + batch[3] for batch in batches)
            return await super()._trip(batches)

    one = Noting(ledger, JobRequest())
    await one.add(refs(9000), bad(4500))
    await seal(one)
    assert max(sizes) <= BATCH == 2000
    assert sum(sizes) == 13_500


async def test_what_the_producer_said_stands_in_the_record(ledger):
    now = await ledger.now_ms()
    order = JobRequest(
        "north", "flood, née ☃", "ops", Priority.BULK, now + 7_200_000, now + 3_600_000, "k 1/é",
    )  # fmt: skip
    one = Submission(ledger, order)
    await one.add(refs(3), bad(1))
    sealed = await seal(one, duplicates=7)
    record = await records.get(ledger, sealed.job)
    assert record.order == order
    assert (record.total, record.duplicates, record.invalid, record.state) == (4, 7, 1, JobState.HELD)
    assert now - 1000 <= record.created_at_ms <= now + 10_000
    assert (record.started_at_ms, record.finished_at_ms) == (None, None)


async def test_malformed_lines_become_results_with_their_line_and_are_never_sent(ledger):
    job = await submit(ledger, refs(5), malformed=3)
    assert [taken.references for taken in await drained(ledger)] == [refs(5)]
    assert await state_of(ledger, job) is JobState.RUNNING
    await housekeeping.slices(ledger, A, job)
    assert await state_of(ledger, job) is JobState.COMPLETED
    wrong = [entry for entry in await entries(ledger) if entry["outcome"] == "invalid"]
    assert [(e["reference"], e["message"], e["attempts"], e["status"]) for e in wrong] == [
        (f"bad {n}", f"line {n}: no reference", "0", "") for n in (1, 2, 3)
    ]


async def test_a_job_of_malformed_lines_alone_ends_without_a_call(ledger):
    job = await submit(ledger, [], malformed=2)
    assert isinstance(await ask(ledger), Wait)
    assert (await sweep(ledger)).sliceable
    assert await housekeeping.slice_oldest(ledger, A)
    assert await state_of(ledger, job) is JobState.COMPLETED
    assert await outcomes(ledger, job) == {"bad 1": "invalid", "bad 2": "invalid"}


async def test_jobs_are_listed_newest_first(ledger):
    made = [await submit(ledger, refs(1, n)) for n in range(5)]
    assert [record.id for record in await records.newest(ledger, limit=3)] == made[:1:-1]
    assert [record.id for record in await records.newest(ledger, limit=9, offset=3)] == made[1::-1]
    assert sorted(record.id for record in await records.unfinished(ledger)) == sorted(made)


# before the seal


async def test_half_a_job_is_neither_claimable_nor_counted(ledger):
    one = Submission(ledger, JobRequest())
    await one.add(refs(40_000), bad(10))
    await one._sent()
    assert await queued(ledger, one.job)
    assert isinstance(await ask(ledger), Wait)
    swept = await sweep(ledger)
    assert (swept.drains, swept.sliceable) == ((), False)
    assert await entries(ledger) == []
    assert not await ledger.redis.hget("cancellist:totals", "unsettled")
    assert await state_of(ledger, one.job) is JobState.SEALING
    assert (await seal(one)).state is JobState.QUEUED
    assert (await claim(ledger)).references == refs(10)


async def unsealed_since(ledger, ms):
    one = Submission(ledger, JobRequest())
    await one.add(refs(20_000), bad(5))
    await one._sent()
    await ledger.redis.zincrby(key("unsealed"), -ms, one.job)
    return one


async def test_an_unsealed_job_is_dropped_an_hour_after_its_last_batch(ledger):
    one = await unsealed_since(ledger, 3_600_001)
    await sweep(ledger)
    assert await keys_of(ledger, one.job) == []
    for name in ("jobs", "open"):
        assert await ledger.redis.zcard(f"cancellist:{name}") == 0
    with pytest.raises(LedgerError, match="submit it again"):
        await seal(one)
    assert await keys_of(ledger, one.job) == []


async def test_what_a_dropped_job_still_sends_is_refused(ledger):
    one = await unsealed_since(ledger, 3_600_001)
    await sweep(ledger)
    with pytest.raises(LedgerError, match="submit it again"):
        await add_and_seal(one, refs(20_000, 20_000))
    assert await keys_of(ledger, one.job) == []


async def test_an_unsealed_job_is_kept_within_the_hour(ledger):
    one = await unsealed_since(ledger, 3_500_000)
    await sweep(ledger)
    sealed = await seal(one)
    assert await queued(ledger, sealed.job) == refs(20_000)


async def test_every_batch_starts_the_hour_anew(ledger):
    one = await unsealed_since(ledger, 3_590_000)
    await one.add(refs(16_000, 20_000))
    await one._sent()
    await ledger.redis.zincrby(key("unsealed"), -3_000_000, one.job)
    await sweep(ledger)
    assert (await seal(one)).state is JobState.QUEUED


# the seal, again


async def test_a_seal_that_is_sent_again_answers_the_same_and_makes_no_second_job(ledger):
    one = Submission(ledger, JobRequest(idempotency_key="k"))
    await one.add(refs(15))
    first, again = await seal(one), await seal(one)
    assert (again.job, again.state, again.same) == (first.job, first.state, False)
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 15
    assert len(await drained(ledger)) == 2


async def test_a_seal_that_is_sent_again_after_the_job_has_run_answers_its_state(ledger):
    one = Submission(ledger, JobRequest())
    await one.add(refs(15))
    sealed = await seal(one)
    await claim(ledger)
    assert (await seal(one)).state is JobState.RUNNING
    await drained(ledger)
    taken = await ledger.redis.hkeys(key("claimed"))
    assert len(taken) == 1
    assert (await seal(one)).job == sealed.job


async def test_a_resent_seal_names_drains_only_where_none_lives(ledger):
    one = Submission(ledger, JobRequest())
    await one.add(refs(15))
    assert len((await seal(one)).drains) == 1
    assert (await seal(one)).drains == ()
    await ledger.redis.delete(key("drains"))
    assert len((await seal(one)).drains) == 1


async def test_a_resent_seal_whose_first_answer_was_the_same_job_answers_that_job_again(ledger):
    first = await submitted(ledger, refs(15), idempotency_key="k")
    one = Submission(ledger, JobRequest(idempotency_key="k"))
    await one.add(refs(15))
    for _ in range(2):
        sealed = await seal(one)
        assert (sealed.job, sealed.same) == (first.job, True)


async def test_a_resent_seal_whose_first_answer_was_a_conflict_is_one_again(ledger):
    await submitted(ledger, refs(15), idempotency_key="k")
    one = Submission(ledger, JobRequest(idempotency_key="k"))
    await one.add(refs(16))
    for _ in range(2):
        with pytest.raises(IdempotencyConflictError):
            await seal(one)
