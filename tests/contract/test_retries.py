"""Retries: a new job of the references of an ended one, made once, linked both ways, or not made at all."""

import asyncio
from dataclasses import replace

import pytest

from cancellist.jobs.errors import (
    InputError,
    JobStateError,
    NoReferencesError,
    ResultsGoneError,
    RetriedBeforeError,
    UnknownJobError,
)
from cancellist.jobs.ledger import claims, control, housekeeping, records, snapshots
from cancellist.jobs.ledger.claims import Settlement, Share
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.ledger.submitting.retry import Asked
from cancellist.jobs.ledger.views import json_views
from cancellist.jobs.model import JobState, Outcome, Priority
from cancellist.jobs.responses.steps import WriteResult
from cancellist.jobs.safety.safeguards import NONE
from tests.contract.steps import (
    HOUR_MS,
    TERMS,
    A,
    claim,
    deadline_passes,
    drained,
    everything,
    queued,
    refs,
    settle,
    state_of,
    submit,
    sweep,
)

OF_CALLS = (
    Outcome.CANCELLED, Outcome.ALREADY_CANCELLED, Outcome.MANIFESTED, Outcome.NOT_FOUND, Outcome.REJECTED,
    Outcome.UNCONFIRMED, Outcome.FAILED,
)  # fmt: skip


async def ended(ledger, outcomes, *, aborted=0, malformed=0, **order):
    """A job with one result of each outcome, and some that were aborted; answers it and the reference of each."""
    references = refs(len(outcomes) + aborted)
    job = await submit(ledger, references, malformed=malformed, **order)
    taken = await claim(ledger, terms=replace(TERMS, per_call=len(outcomes)))
    shares = [
        Share(WriteResult(outcome, 1, 200), (one,), 1) for outcome, one in zip(outcomes, taken.references, strict=True)
    ]
    await claims.settle(ledger, A, Settlement(taken.id, [shares], (taken.id,)), None, TERMS)
    if aborted:
        await control.abort_job(ledger, job)
    await housekeeping.slices(ledger, A, job)
    assert (await state_of(ledger, job)).ended
    return job, dict(zip(outcomes, taken.references, strict=True)) | {Outcome.ABORTED: references[len(outcomes) :]}


async def retried(ledger, job, *outcomes, **asked):
    planned = await retry.plan(ledger, job, outcomes, Asked(**asked))
    return await retry.make(ledger, planned, NONE, idempotency_keep_s=3600, per_call=10)


async def test_what_did_not_succeed_and_was_not_refused_becomes_a_new_job(ledger):
    order = {"reason": "strike", "requested_by": "shop", "priority": Priority.BULK}
    times = {"deadline_ms": await ledger.now_ms() + HOUR_MS}
    job, of = await ended(ledger, OF_CALLS, aborted=30, malformed=1, **order, **times)
    made = await retried(ledger, job)
    assert (made.total, made.state, made.same) == (32, JobState.QUEUED, False)
    assert await queued(ledger, made.job) == [of[Outcome.UNCONFIRMED], of[Outcome.FAILED], *of[Outcome.ABORTED]]
    new = (await records.get(ledger, made.job)).order
    assert (new.reason, new.requested_by, new.priority) == tuple(order.values())
    assert (new.deadline_ms, new.start_at_ms) == (None, None)


async def test_the_two_jobs_name_each_other(ledger):
    job, _ = await ended(ledger, OF_CALLS)
    made = [(await retried(ledger, job, one)).job for one in (Outcome.FAILED, Outcome.REJECTED)]
    old, new, last = [json_views.job_view(await snapshots.look(ledger, one)) for one in (job, *made)]
    assert (old["retry_of"], old["retried_by"]) == (None, made)
    assert (new["retry_of"], new["retried_by"]) == (last["retry_of"], last["retried_by"]) == (job, [])
    await drained(ledger)
    with pytest.raises(NoReferencesError):  # all of it was cancelled
        await retried(ledger, made[0])


@pytest.mark.parametrize("outcome", [Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.FAILED])
async def test_an_outcome_that_is_named_is_retried_alone(ledger, outcome):
    job, of = await ended(ledger, OF_CALLS, aborted=3)
    made = await retried(ledger, job, outcome, reason="again", requested_by="operator", priority=Priority.URGENT)
    assert await queued(ledger, made.job) == [of[outcome]]
    new = (await records.get(ledger, made.job)).order
    assert (new.reason, new.requested_by, new.priority) == ("again", "operator", Priority.URGENT)


async def test_what_is_expired_is_retried_with_times_of_its_own(ledger):
    job = await submit(ledger, refs(20))
    await deadline_passes(ledger, job)
    await sweep(ledger)
    await housekeeping.slices(ledger, A, job)
    made = await retried(ledger, job, deadline="+2h", start_at="+1h")
    assert made.state is JobState.HELD
    assert await queued(ledger, made.job) == refs(20)
    new = (await records.get(ledger, made.job)).order
    assert new.deadline_ms == new.start_at_ms + HOUR_MS


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.ALREADY_CANCELLED, Outcome.MANIFESTED, Outcome.INVALID])
async def test_an_outcome_that_makes_no_sense_is_refused(ledger, outcome):
    job, _ = await ended(ledger, OF_CALLS, malformed=1)
    before = await everything(ledger)
    with pytest.raises(InputError, match=f"^{outcome} cannot be retried"):
        await retried(ledger, job, Outcome.FAILED, outcome)
    assert await everything(ledger) == before


async def test_a_job_that_has_nothing_of_it_or_goes_on_or_is_none_is_refused(ledger):
    job, _ = await ended(ledger, (Outcome.CANCELLED, Outcome.FAILED))
    going = await submit(ledger, refs(5))
    before = await everything(ledger)
    with pytest.raises(NoReferencesError, match="is expired, aborted"):
        await retried(ledger, job, Outcome.ABORTED, Outcome.EXPIRED)
    with pytest.raises(JobStateError, match="is queued and cannot be retried"):
        await retried(ledger, going)
    with pytest.raises(UnknownJobError):
        await retried(ledger, "nosuchjob")
    for times in ({"deadline": "2020-01-01T00:00:00Z"}, {"deadline": "+1h", "start_at": "+2h"}):
        with pytest.raises(InputError):
            await retried(ledger, job, **times)
    assert await everything(ledger) == before


async def test_the_same_retry_is_made_once_whoever_asks_and_whenever(ledger):
    job, _ = await ended(ledger, OF_CALLS, aborted=5)
    first = await retried(ledger, job, requested_by="one")
    for asked in ({}, {"requested_by": "two"}, {"deadline": "+1h"}, {"priority": Priority.NORMAL}):
        again = await retried(ledger, job, *retry.CHOSEN, **asked)
        assert (again.job, again.same, again.total) == (first.job, True, first.total)
    await drained(ledger)
    await ledger.redis.delete(f"cancellist:account:default:idempotency:retry:{job}:aborted,expired,failed,unconfirmed")
    assert (await retried(ledger, job)).job == first.job
    for differs, asked in (("reason", {"reason": "other"}), ("priority", {"priority": Priority.URGENT})):
        with pytest.raises(RetriedBeforeError, match=f"retried before as job {first.job}, with another {differs}"):
            await retried(ledger, job, **asked)
    other = await retried(ledger, job, Outcome.FAILED)
    assert (other.same, other.total) == (False, 1)


async def test_retries_at_once_are_one_job(ledger):
    job, _ = await ended(ledger, OF_CALLS, aborted=5)
    people = [{"requested_by": f"p{n % 2}"} for n in range(6)]
    made = await asyncio.gather(*(retried(ledger, job, **one) for one in people))
    assert len({one.job for one in made}) == 1
    assert [one.same for one in made].count(False) == 1
    assert (await records.get(ledger, job)).retried_by == (made[0].job,)
    assert await ledger.redis.zcard("cancellist:jobs") == 2


async def test_results_that_are_gone_refuse_it_whole(ledger):
    job, of = await ended(ledger, OF_CALLS, aborted=500)
    (gone, _), *_rest = await ledger.redis.xrange("cancellist:results", count=1)
    await ledger.redis.xtrim("cancellist:results", minid=gone, approximate=False)
    first = next(i for i, h in await ledger.redis.xrange("cancellist:results") if h[b"outcome"] == b"aborted")
    await ledger.redis.xdel("cancellist:results", first)
    with pytest.raises(ResultsGoneError, match="nothing was handed in"):
        await retried(ledger, job)
    assert await ledger.redis.zcard("cancellist:jobs") == 1
    assert await ledger.redis.zcard("cancellist:account:default:unsealed") == 0
    assert await queued(ledger, (await retried(ledger, job, Outcome.FAILED)).job) == [of[Outcome.FAILED]]


async def test_a_retry_of_many_results_among_those_of_others_misses_none(ledger):
    terms = replace(TERMS, limit=50, per_call=100)
    jobs = [await submit(ledger, refs(3000, 10_000 * n)) for n in range(2)]
    wanted = {job: set() for job in jobs}
    failed = WriteResult(Outcome.FAILED, 8, 503)
    for at in range(60):
        taken = await claim(ledger, terms=terms)
        await settle(ledger, taken, failed if at % 3 else WriteResult(Outcome.CANCELLED, 1, 200), terms=terms)
        for part in taken.parts if at % 3 else ():
            wanted[part.job].update(part.piece.references)
    for job in jobs:
        made = await retried(ledger, job)
        assert set(await queued(ledger, made.job)) == wanted[job]
        assert made.total == len(wanted[job])
