"""Changes of a job's priority and deadline: what waits is at its new place at once, what was called ends as it ends."""

import itertools
from dataclasses import replace

import pytest

from cancellist.jobs.errors import InputError, JobChangedError, JobStateError, UnknownJobError
from cancellist.jobs.ledger import changes, claims, control, housekeeping, job_pages, records
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.claims import Settlement, Share
from cancellist.jobs.ledger.job_pages import JobFilter
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.ledger.submitting.retry import Asked
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Outcome, Priority
from cancellist.jobs.responses.steps import CallAgain, WriteResult
from tests.contract.steps import (
    CANCELLED,
    HOUR_MS,
    READ,
    TERMS,
    A,
    ask,
    claim,
    drained,
    key,
    outcomes,
    refs,
    release,
    settle,
    state_of,
    submit,
    sweep,
    what_is_later_comes_due,
)

URGENT, BULK = Change(Priority.URGENT), Change(Priority.BULK)
WIDE = replace(TERMS, limit=100)


async def order_of(ledger):
    return [taken.parts[0].job for taken in await drained(ledger)]


async def gate(ledger):
    return int(await ledger.redis.hget(key("state"), "gate") or 0)


async def heard(ledger, act):
    """What workers are told by an act, in order."""
    async with ledger.redis.pubsub() as listener:
        await listener.subscribe("cancellist:wake")
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        await act
        await ledger.redis.publish("cancellist:wake", "last")
        told = []
        while (message := (await listener.get_message(timeout=5))["data"]) != b"last":
            told.append(message)
    return told


# priority


async def test_a_job_that_is_made_urgent_goes_first_and_one_that_is_made_bulk_goes_last(ledger):
    one, two, three = [await submit(ledger, refs(20, n * 100)) for n in range(3)]
    await changes.update(ledger, three, URGENT)
    await changes.update(ledger, one, BULK)
    assert await order_of(ledger) == [three, three, two, two, one, one]
    record = await records.get(ledger, three)
    assert (record.order.priority, record.revision) == (Priority.URGENT, 1)


async def test_reads_and_groups_and_what_comes_back_later_move_too(ledger):
    other = await submit(ledger, refs(40, 500))
    moved = await submit(ledger, refs(40), priority=Priority.BULK)
    await control.pause_job(ledger, other)
    for step in (READ, CallAgain(0.0, 0, 1, group=0), CallAgain(60.0, 1, 1)):
        await settle(ledger, await claim(ledger), step)
    await control.resume_job(ledger, other, TERMS.per_call)
    await changes.update(ledger, moved, URGENT)
    await what_is_later_comes_due(ledger)
    await sweep(ledger)
    taken = [await claim(ledger, terms=WIDE) for _ in range(13)]
    assert {one.parts[0].job for one in taken} == {moved}
    assert sorted({one.kind for one in taken}) == ["alone", "calls", "reads"]
    assert (await claim(ledger, terms=WIDE)).parts[0].job == other


async def test_a_group_of_two_jobs_stands_where_the_first_of_them_does(ledger):
    one, two = await submit(ledger, refs(5)), await submit(ledger, refs(5, 100))
    taken = await claim(ledger)
    shares = [[Share(CallAgain(0.0, 0, 1, group=0), None, 5)] for _ in taken.parts]
    await claims.settle(ledger, A, Settlement(taken.id, shares, (taken.id,)), None, TERMS)
    await changes.update(ledger, two, URGENT)
    await changes.update(ledger, one, BULK)
    await submit(ledger, refs(10, 200))
    together = await claim(ledger)
    assert (together.kind, {part.job for part in together.parts}) == ("alone", {one, two})


async def test_staged_claims_are_released_and_what_was_sent_is_not_touched(ledger):
    job = await submit(ledger, refs(40), priority=Priority.BULK)
    calling, staged = await claim(ledger), await claim(ledger, mode="staged")
    before = await gate(ledger)
    assert await heard(ledger, changes.update(ledger, job, URGENT)) == [b"default gate", b"default first"]
    assert await gate(ledger) == before + 1
    await release(ledger, staged)
    assert (await claim(ledger, mode="staged")).urgent
    await settle(ledger, calling)
    assert list((await outcomes(ledger, job)).values()) == ["cancelled"] * 10


async def test_workers_are_told_first_of_an_urgent_job_alone(ledger):
    held = await submit(ledger, refs(20))
    await claim(ledger)
    job = await submit(ledger, refs(20, 100))
    assert await heard(ledger, changes.update(ledger, job, URGENT)) == [b"default first"]
    assert await heard(ledger, changes.update(ledger, job, BULK)) == [b"default"]
    assert await heard(ledger, changes.update(ledger, held, Change(Priority.NORMAL))) == []


@pytest.mark.parametrize("left", [READ, CallAgain(0.0, 0, 1, group=0)], ids=["reads", "groups"])
async def test_workers_are_told_first_of_urgent_reads_and_groups_too(ledger, left):
    job = await submit(ledger, refs(10))
    await settle(ledger, await claim(ledger), left)
    await submit(ledger, refs(20, 100))
    assert await heard(ledger, changes.update(ledger, job, URGENT)) == [b"default first"]
    assert await heard(ledger, changes.update(ledger, job, BULK)) == [b"default"]


async def test_what_a_call_leaves_is_told_first_where_its_job_was_made_urgent_meanwhile(ledger):
    job = await submit(ledger, refs(10))
    called = await claim(ledger)
    await submit(ledger, refs(10, 100))
    await changes.update(ledger, job, URGENT)
    assert await heard(ledger, settle(ledger, called, READ)) == [b"default first"]


@pytest.mark.parametrize("state", [JobState.HELD, JobState.PAUSED])
async def test_a_job_that_does_not_run_changes_without_beginning_to(ledger, state):
    start = await ledger.now_ms() + HOUR_MS if state is JobState.HELD else None
    job = await submit(ledger, refs(20), start_at_ms=start, priority=Priority.BULK)
    if state is JobState.PAUSED:
        await control.pause_job(ledger, job)
    other = await submit(ledger, refs(10, 100))
    await changes.update(ledger, job, Change(Priority.URGENT, "+3h"))
    assert await state_of(ledger, job) is state
    assert await ledger.redis.zcard(key("calls")) == 1
    if state is JobState.PAUSED:
        await control.resume_job(ledger, job, TERMS.per_call)
    else:
        await ledger.redis.zadd(key("held"), {job: 1})
        await sweep(ledger)
    assert await order_of(ledger) == [job, job, other]


async def many_groups(ledger, count, **order):
    """A job whose references are each in a group of their own, all of them ready."""
    wide = replace(TERMS, limit=100, per_call=500)
    job = await submit(ledger, refs(count), **order)
    for _ in range(0, count, 500):
        taken = await claim(ledger, terms=wide)
        numbers = itertools.count()
        shares = [
            [Share(CallAgain(60.0, 0, 1, group=next(numbers)), (one,), 1) for one in part.piece.references]
            for part in taken.parts
        ]
        await claims.settle(ledger, A, Settlement(taken.id, shares, (taken.id,)), None, wide)
    await what_is_later_comes_due(ledger)
    while await ledger.redis.zcard(key("alone")) < count:
        await sweep(ledger)
    return job


async def test_more_groups_than_one_script_may_touch_move_in_slices(ledger):
    job = await many_groups(ledger, 1500, priority=Priority.BULK)
    document = b'{"priority": "urgent", "class": 0}'
    assert await ledger.run("update", A, job, document) == [b"done", b"running", 1]  # and who asked for it died
    moved = await ledger.redis.zcount(key("alone"), 0, 1e14)
    assert 1000 <= moved < 1500
    while await housekeeping.slice_oldest(ledger, A):
        pass
    assert await ledger.redis.zcount(key("alone"), 0, 1e14) == 1500
    assert not await ledger.redis.hexists(f"cancellist:job:{job}", "regroup")
    await changes.update(ledger, job, BULK)
    assert await ledger.redis.zcount(key("alone"), 2e14, "+inf") == 1500


# deadline


async def test_a_deadline_orders_the_jobs_of_a_class_and_can_be_taken_back(ledger):
    one, two = await submit(ledger, refs(10)), await submit(ledger, refs(10, 100))
    await changes.update(ledger, two, Change(deadline="+2h"))
    assert (await claim(ledger)).parts[0].job == two
    three = await submit(ledger, refs(10, 200), deadline_ms=await ledger.now_ms() + HOUR_MS)
    await changes.update(ledger, three, Change(no_deadline=True))
    record = await records.get(ledger, three)
    assert (record.order.deadline_ms, await ledger.redis.zscore(key("deadlines"), three)) == (None, None)
    assert await order_of(ledger) == [one, three]


async def test_a_deadline_that_is_brought_forward_expires_what_no_call_took(ledger):
    job = await submit(ledger, refs(40), deadline_ms=await ledger.now_ms() + HOUR_MS)
    calling, staged = await claim(ledger), await claim(ledger, mode="staged")
    await settle(ledger, await claim(ledger), CallAgain(0.0, 1, 1, unclear_s=30.0))
    await changes.update(ledger, job, Change(deadline="+0.05s"))
    while (await sweep(ledger)).sliceable == 0:
        pass
    while await housekeeping.slice_oldest(ledger, A):
        pass
    await release(ledger, staged)
    await settle(ledger, calling)
    found = await outcomes(ledger, job)
    assert found == dict.fromkeys(calling.references, "cancelled") | dict.fromkeys(
        [*staged.references, *refs(10, 30)], "expired"
    )
    await what_is_later_comes_due(ledger)
    assert (await claim(ledger)).kind == "reads"


async def test_a_deadline_that_is_put_off_holds_for_what_is_left(ledger):
    job = await submit(ledger, refs(10), deadline_ms=await ledger.now_ms() + 200)
    await changes.update(ledger, job, Change(deadline="+1h"))
    while await ledger.now_ms() < (await records.get(ledger, job)).created_at_ms + 250:
        pass
    assert (await sweep(ledger)).sliceable == 0
    await drained(ledger)
    assert set((await outcomes(ledger, job)).values()) == {"cancelled"}


async def test_a_deadline_that_has_passed_is_not_moved(ledger):
    job = await submit(ledger, refs(10), deadline_ms=await ledger.now_ms() + 1)
    while await ledger.now_ms() < (await records.get(ledger, job)).order.deadline_ms:
        pass
    for change in (Change(deadline="+1h"), Change(no_deadline=True), Change(Priority.URGENT, "+1h")):
        with pytest.raises(JobStateError, match="past its deadline"):
            await changes.update(ledger, job, change)
    await changes.update(ledger, job, URGENT)
    assert (await records.get(ledger, job)).order.priority is Priority.URGENT


@pytest.mark.parametrize("deadline", ["2020-01-01T00:00:00Z", "+30m"])
async def test_a_deadline_that_is_past_or_before_the_start_is_refused(ledger, deadline):
    job = await submit(ledger, refs(5), start_at_ms=await ledger.now_ms() + HOUR_MS)
    with pytest.raises(InputError, match="--deadline"):
        await changes.update(ledger, job, Change(Priority.URGENT, deadline))
    assert (await records.get(ledger, job)).revision == 0


# who may change what, and when


async def test_what_has_ended_or_is_ending_is_not_changed(ledger):
    with pytest.raises(UnknownJobError):
        await changes.update(ledger, "nosuchjob", URGENT)
    unsealed = Submission(ledger, JobRequest())
    await unsealed.add(refs(5_000))
    await unsealed._sent()
    for act in (changes.update(ledger, unsealed.job, URGENT), retry.plan(ledger, unsealed.job, (), Asked())):
        with pytest.raises(UnknownJobError):
            await act
    await unsealed.discard()
    done = await submit(ledger, refs(5))
    await drained(ledger)
    ending = await submit(ledger, refs(5))
    taken = await claim(ledger)
    await control.abort_job(ledger, ending)
    for job in (done, ending):
        with pytest.raises(JobStateError, match="cannot be changed"):
            await changes.update(ledger, job, Change(Priority.URGENT, "+1h"))
    await settle(ledger, taken, WriteResult(Outcome.REJECTED, 1, 200))


async def test_only_who_knows_the_last_change_may_make_the_next(ledger):
    job = await submit(ledger, refs(20))
    taken = await claim(ledger)
    await changes.update(ledger, job, URGENT, revision=0)
    with pytest.raises(JobChangedError):
        await changes.update(ledger, job, BULK, revision=0)
    await settle(ledger, taken, CANCELLED)
    await changes.update(ledger, job, BULK, revision=1)
    assert (await records.get(ledger, job)).revision == 2


async def test_a_change_that_is_sent_twice_is_made_once(ledger):
    job = await submit(ledger, refs(20))
    await claim(ledger)
    change = Change(Priority.BULK, "2999-01-01T00:00:00Z")
    await changes.update(ledger, job, change, revision=0)
    before = await gate(ledger)
    await changes.update(ledger, job, change, revision=0)
    assert ((await records.get(ledger, job)).revision, await gate(ledger)) == (1, before)
    assert isinstance(await ask(ledger), claims.Claim)


# jobs by what they are


async def test_jobs_are_found_among_more_than_one_page_looks_through(ledger, monkeypatch):
    monkeypatch.setattr(job_pages, "_CHUNK", 7)
    monkeypatch.setattr(job_pages, "_MOST_LOOKED_AT", 20)
    made = [await submit(ledger, refs(1, n), requested_by="one" if n % 30 == 0 else "other") for n in range(65)]
    for limit, wanted in ((1, [60]), (2, [60, 30]), (9, [60, 30, 0])):
        found = await job_pages.first(ledger, JobFilter(requested_by="one"), limit)
        assert [record.id for record in found] == [made[n] for n in wanted]
