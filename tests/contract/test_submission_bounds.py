"""Idempotency keys, ids, and a server that has no room for a job."""

import asyncio
import contextlib

import msgpack
import orjson
import pytest

from cancellist.jobs.errors import IdempotencyConflictError, LedgerFullError, LedgerUnfitError
from cancellist.jobs.ledger import claims, control, housekeeping, records
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.ledger.core import FORMAT, Ledger
from cancellist.jobs.ledger.pieces import pack_fresh, unpack_piece
from cancellist.jobs.ledger.submitting import submission
from cancellist.jobs.ledger.submitting.admission import BYTES_PER_UNSETTLED, reserved
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Outcome, Priority
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.responses.steps import CallAgain, WriteResult
from tests.contract.steps import (
    READ,
    TERMS,
    A,
    add_and_seal,
    ask,
    bad,
    claim,
    drained,
    key,
    new_ask,
    queued,
    refs,
    release,
    seal,
    settle,
    state_of,
    submit,
    submitted,
    sweep,
)

# the idempotency key


async def test_the_same_key_with_the_same_content_answers_the_same_job(ledger):
    first = await submitted(ledger, refs(2500), malformed=3, idempotency_key="k")
    again = await submitted(ledger, refs(2500), malformed=3, idempotency_key="k")
    assert (again.job, again.state, again.same, again.drains) == (first.job, JobState.QUEUED, True, ())
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 2503


async def test_the_same_key_with_other_content_is_a_conflict_and_leaves_nothing(ledger):
    first = await submitted(ledger, refs(15), idempotency_key="k")
    others = [
        (refs(14), {}),
        (refs(16), {}),
        (refs(15)[::-1], {}),
        (refs(15), {"malformed": 1}),
        (refs(15), {"reason": "flood"}),
        (refs(15), {"requested_by": "ops"}),
        (refs(15), {"priority": Priority.URGENT}),
    ]
    for references, order in others:
        with pytest.raises(IdempotencyConflictError, match=first.job) as caught:
            await submitted(ledger, references, idempotency_key="k", **order)
        assert caught.value.job == first.job
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert await queued(ledger, first.job) == refs(15)


async def test_times_do_not_count_as_content_since_a_span_means_another_time_each_time(ledger):
    now = await ledger.now_ms()
    first = await submitted(ledger, refs(15), idempotency_key="k", deadline_ms=now + 60_000)
    again = await submitted(ledger, refs(15), idempotency_key="k", deadline_ms=now + 61_000)
    assert (again.job, again.same) == (first.job, True)


@pytest.mark.parametrize("cut", [1, 7, 30])
async def test_the_same_content_in_other_portions_is_the_same_content(ledger, cut):
    order = JobRequest(idempotency_key="k")
    one, two = Submission(ledger, order), Submission(ledger, order)
    await one.add(refs(30), bad(4))
    await two.add(refs(cut), bad(2))
    await two.add(refs(30 - cut, cut), bad(2, 3))
    first = await seal(one)
    again = await seal(two)
    assert (again.job, again.same) == (first.job, True)


async def test_the_key_stays_bound_after_its_job_has_ended(ledger):
    first = await submitted(ledger, refs(5), idempotency_key="k")
    await drained(ledger)
    again = await submitted(ledger, refs(5), idempotency_key="k")
    assert (again.job, again.state, again.same) == (first.job, JobState.COMPLETED, True)


async def test_the_key_is_free_again_after_its_retention(ledger):
    first = await submitted(ledger, refs(5), idempotency_key="k", keep_s=600)
    bound = f"cancellist:account:{A}:idempotency:k"
    assert 590_000 < await ledger.redis.pttl(bound) <= 600_000
    await ledger.redis.delete(bound)
    again = await submitted(ledger, refs(6), idempotency_key="k")
    assert again.job != first.job


async def test_a_key_is_an_accounts_own(ledger):
    first = await submitted(ledger, refs(5), idempotency_key="k")
    other = await submitted(ledger, refs(6), idempotency_key="k", account="north")
    assert other.job != first.job
    assert not other.same


async def test_of_many_at_once_with_one_key_one_makes_the_job(ledger):
    sealed = await asyncio.gather(*(submitted(ledger, refs(50), idempotency_key="k") for _ in range(8)))
    assert len({one.job for one in sealed}) == 1
    assert sum(not one.same for one in sealed) == 1
    assert await ledger.redis.zcard("cancellist:jobs") == 1


# ids


async def test_an_id_that_is_taken_is_not_used_again(ledger, monkeypatch):
    taken = await submit(ledger, refs(5))
    ids = iter([taken, "freshfreshfr"])
    monkeypatch.setattr(submission, "new_job_id", lambda: next(ids))
    assert (await submitted(ledger, refs(7, 50))).job == "freshfreshfr"
    assert await queued(ledger, taken) == refs(5)
    assert (await records.get(ledger, taken)).total == 5


# a full server


@contextlib.asynccontextmanager
async def memory_of(ledger, size):
    """Within it the server may use no more than so many bytes."""
    await ledger.redis.config_set("maxmemory", size)
    try:
        yield
    finally:
        await ledger.redis.config_set("maxmemory", 0)


async def test_a_full_server_refuses_a_submit_with_the_reason_and_keeps_nothing(ledger):
    async with memory_of(ledger, 1000):
        with pytest.raises(LedgerFullError, match="maxmemory"):
            await submit(ledger, refs(10))
    assert await ledger.redis.keys("cancellist:job:*") == []


async def test_a_server_that_fills_up_in_mid_submission_refuses_the_rest(ledger):
    one = Submission(ledger, JobRequest())
    await one.add(refs(20_000))
    await one._sent()
    async with memory_of(ledger, 1000):
        with pytest.raises(LedgerFullError, match="maxmemory"):
            await add_and_seal(one, refs(40_000, 20_000))
    assert await state_of(ledger, one.job) is JobState.SEALING
    assert isinstance(await ask(ledger), Wait)


async def test_room_is_kept_for_the_results_of_all_that_is_unsettled(ledger):
    used = (await ledger.redis.info("memory"))["used_memory"]
    room = 50 * 2**20
    async with memory_of(ledger, used + room):
        await ledger.redis.hset("cancellist:totals", "unsettled", room // BYTES_PER_UNSETTLED - 20_000)
        assert await submit(ledger, refs(10))
        await ledger.redis.hset("cancellist:totals", "unsettled", room // BYTES_PER_UNSETTLED)
        # Measured anew: the server still frees what tests before have left.
        await ledger.redis.config_set("maxmemory", (await ledger.redis.info("memory"))["used_memory"] + room)
        with pytest.raises(LedgerFullError, match="let workers drain"):
            await submit(ledger, refs(10))


async def test_several_producers_at_once_are_not_promised_the_same_room(ledger):
    used = (await ledger.redis.info("memory"))["used_memory"]
    async with memory_of(ledger, used + 16 * 2**20):

        async def produce(number):
            one = Submission(ledger, JobRequest())
            try:
                for at in range(0, 40_000, 8000):
                    await one.add(refs(8000, number * 40_000 + at))
                await seal(one)
            except LedgerFullError:
                await one.discard()
                return 0
            return 40_000

        taken = sum(await asyncio.gather(*(produce(n) for n in range(10))))
        counts = await ledger.redis.hgetall("cancellist:totals")
        assert int(counts.get(b"unsettled", 0)) == taken
        assert int(counts[b"unsealed"]) == 0
        assert taken <= 16 * 2**20 / BYTES_PER_UNSETTLED
        with pytest.raises(LedgerFullError):
            await submit(ledger, refs(140_000, 900_000))


async def test_what_is_on_its_way_in_holds_its_room_until_it_is_sealed_or_dropped(ledger):
    dropped, sealed = Submission(ledger, JobRequest()), Submission(ledger, JobRequest())
    for one in (dropped, sealed):
        await one.add(refs(20_000))
        await one._sent()
    assert (await reserved(ledger)).references >= 32_000
    await dropped.discard()
    await sealed.seal(duplicates=0, idempotency_keep_s=60, per_call=100)
    assert (await reserved(ledger)).references == 20_000


async def test_what_a_full_server_refuses_at_the_seal_leaves_nothing(ledger):
    one = Submission(ledger, JobRequest())
    await one.add(refs(17_000))
    await one._sent()
    async with memory_of(ledger, 1000):
        with pytest.raises(LedgerFullError):
            await one.seal(duplicates=0, idempotency_keep_s=60, per_call=100)
    assert await ledger.redis.keys("cancellist:job:*") == []
    assert (await reserved(ledger)).references == 0


async def test_room_is_kept_for_the_words_that_the_platform_uses(ledger):
    assert (await reserved(ledger)).bytes_each == BYTES_PER_UNSETTLED
    await submit(ledger, refs(100))
    taken = await claim(ledger)
    await settle(ledger, taken, WriteResult(Outcome.REJECTED, attempts=1, status=200, message="w" * 500))
    assert 600 <= (await reserved(ledger)).bytes_each <= 680


async def test_on_a_full_server_all_that_drains_goes_on(ledger):
    job, other = await submit(ledger, refs(60), malformed=2), await submit(ledger, refs(10, 100))
    async with memory_of(ledger, 1000):
        taken = await claim(ledger)
        done, following = await settle(ledger, taken, then=new_ask())
        assert done
        assert following.references
        assert await claims.renew(ledger, A, "d1", TERMS, [following.id], [following.id]) == (0, set(), set())
        assert await release(ledger, following) == 1
        await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1))
        await settle(ledger, await claim(ledger), READ)
        await sweep(ledger)
        await control.pause_job(ledger, job)
        await control.resume_job(ledger, job, TERMS.per_call)
        await control.abort_job(ledger, other)
        await housekeeping.slices(ledger, A, job)
        await housekeeping.trim(ledger, A, results_keep_s=0, jobs_keep_s=0)
        with pytest.raises(LedgerFullError):
            await submit(ledger, refs(1))


# the format


async def test_a_namespace_of_another_format_is_refused(ledger):
    assert int(await ledger.redis.get("cancellist:format")) == FORMAT
    await Ledger(ledger.redis).open()
    for other in (FORMAT + 1, 0):
        await ledger.redis.set("cancellist:format", other)
        with pytest.raises(LedgerUnfitError, match=f"format {other}"):
            await Ledger(ledger.redis).open()
        await Ledger(ledger.redis, "another").open()


async def test_every_record_carries_the_format(ledger):
    job = await submit(ledger, refs(60), malformed=1, idempotency_key="k")
    await settle(ledger, await claim(ledger))
    await settle(ledger, await claim(ledger), CallAgain(60.0, 1, 1))
    await settle(ledger, await claim(ledger), READ)
    taken = await claim(ledger)
    redis, own = ledger.redis, f"cancellist:job:{job}"
    assert await redis.hget(own, "v") == b"1"
    assert (await redis.lindex(f"{own}:calls", 0)).startswith(b"1 ")
    for packed in (await redis.lindex(f"{own}:reads", 0), (await redis.hvals(f"{own}:later"))[0]):
        assert orjson.loads(packed.split(b"\n")[0])["v"] == FORMAT
    assert orjson.loads(await redis.lindex(f"{own}:invalid", 0))["v"] == FORMAT
    held = await redis.hget(key("claimed"), taken.id)
    assert msgpack.unpackb(held)["v"] == FORMAT
    (done, *_) = await redis.keys(key("done:*"))
    assert (await redis.get(done)).startswith(b"1")


async def test_scripts_read_what_python_packs(ledger):
    packed = pack_fresh("\n".join(refs(2)))
    assert packed == "1 2\nEC-000-000-000\nEC-000-000-001"
    await submit(ledger, refs(2))
    assert (await claim(ledger)).parts[0].piece == unpack_piece(packed.encode())


async def test_another_namespace_shares_nothing(ledger):
    other = Ledger(ledger.redis, "other")
    await other.open()
    await submit(other, refs(5))
    assert isinstance(await ask(ledger), Wait)
    assert (await claim(other)).references == refs(5)
    assert await ledger.redis.keys("cancellist:job:*") == []


async def test_a_discarded_submission_leaves_nothing_and_a_sealed_one_stays(ledger):
    half = Submission(ledger, JobRequest())
    await half.add(refs(5_000), [InvalidEntry(1, "bad", "not one")])
    await half.discard()
    await half.discard()
    assert await ledger.redis.keys("cancellist:job:*") == []
    assert await ledger.redis.zcard("cancellist:open") == 0
    whole = Submission(ledger, JobRequest())
    await whole.add(refs(10))
    await whole.seal(duplicates=0, idempotency_keep_s=1, per_call=100)
    await whole.discard()
    assert (await records.get(ledger, whole.job)).pending == 10
