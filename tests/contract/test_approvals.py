"""Approvals: a job that a guard holds starts once others than who handed it in have looked at it, and never before."""

import asyncio

import pytest

from cancellist.jobs.errors import ApprovalMismatchError, ForbiddenError, JobStateError
from cancellist.jobs.ledger import approvals, audit, changes, control, housekeeping, records
from cancellist.jobs.ledger.audit import AuditFilter
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.ledger.submitting.retry import Asked
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.model import JobState, Outcome, Priority
from cancellist.jobs.safety.approval import ApprovalState, approval_of
from cancellist.jobs.safety.guard import Guard
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from cancellist.jobs.webhooks.endpoint import EndpointOrder, EventType
from tests.contract.steps import (
    HOUR_MS,
    TERMS,
    A,
    ask,
    deadline_passes,
    drained,
    entries,
    key,
    outcomes,
    refs,
    state_of,
    submit,
    submitted,
    sweep,
)

COUNT = 20
ONE, TWO = Guard(approve_above=10), Guard(approve_above=10, approvals_required=2)


@pytest.fixture(autouse=True)
async def guarded(ledger, request):
    guard = getattr(request, "param", ONE)
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=Safeguards(guard=guard))


two = pytest.mark.parametrize("guarded", [TWO], indirect=True)


async def approval(ledger, job):
    return approval_of(await records.get(ledger, job))


async def approve(ledger, job, by="anna", count=COUNT, digest=None):
    digest = (await approval(ledger, job)).digest if digest is None else digest
    return await approvals.approve(ledger, job, by, count=count, digest=digest, per_call=10)


async def given(ledger, job):
    return [one.by for one in (await approval(ledger, job)).given]


async def held(ledger, **order):
    job = await submit(ledger, refs(COUNT), **order)
    assert await state_of(ledger, job) is JobState.HELD
    return job


async def nothing_starts(ledger):
    await sweep_guarded(ledger)
    return (await ask(ledger)).why == "empty"


async def sweep_guarded(ledger, guard=ONE):
    return await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=Safeguards(guard=guard))


async def lapses(ledger, job):
    await ledger.redis.hset(f"cancellist:job:{job}", "approval_until", 1)
    await ledger.redis.zadd(key("approvals"), {job: 1}, xx=True)


async def test_an_approved_job_goes_on_and_is_done(ledger):
    job = await held(ledger, submitted_by="bob")
    assert await approve(ledger, job) == ["drain1"]
    assert await state_of(ledger, job) is JobState.QUEUED
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED
    found = await approval(ledger, job)
    assert (found.state, [one.by for one in found.given]) == (ApprovalState.GIVEN, ["anna"])
    assert await ledger.redis.zcard(key("approvals")) == 0


@two
async def test_each_person_counts_once_and_nobody_their_own_job(ledger):
    job = await held(ledger, submitted_by="bob")
    for name in ("anna", "anna", "Anna"):
        await approve(ledger, job, name)
    for name in ("bob", "Bob"):
        with pytest.raises(ForbiddenError, match=f"{name} handed job"):
            await approve(ledger, job, name)
    assert await given(ledger, job) == ["anna"]
    assert await state_of(ledger, job) is JobState.HELD
    await approve(ledger, job, "carl")
    assert await state_of(ledger, job) is JobState.QUEUED
    await approve(ledger, job, "carl")  # sent again, since its answer was lost
    assert await given(ledger, job) == ["anna", "carl"]
    with pytest.raises(JobStateError, match="waits for no approval"):
        await approve(ledger, job, "dora")


@two
async def test_names_that_differ_in_case_alone_are_one_person(ledger):
    job = await held(ledger, submitted_by="bob@example.com")
    with pytest.raises(ForbiddenError, match="handed job"):
        await approve(ledger, job, "Bob@Example.COM")
    await approve(ledger, job, "anna")
    await approve(ledger, job, "ANNA")
    assert await given(ledger, job) == ["anna"]
    await approvals.take_back(ledger, job, "Anna", 10)
    assert await given(ledger, job) == []


async def test_a_job_of_nobody_may_be_approved_by_anyone(ledger):
    job = await held(ledger)
    await approve(ledger, job)
    assert await state_of(ledger, job) is JobState.QUEUED


@two
async def test_approvers_at_the_same_time_are_all_counted_and_it_starts_once(ledger):
    job = await held(ledger, submitted_by="bob")
    names = ["anna", "carl", "anna", "carl", "bob"]
    found = await asyncio.gather(*(approve(ledger, job, name) for name in names), return_exceptions=True)
    assert sum(isinstance(one, ForbiddenError) for one in found) == 1
    assert sorted(await given(ledger, job)) == ["anna", "carl"]
    await drained(ledger)
    assert set((await outcomes(ledger, job)).values()) == {Outcome.CANCELLED}


@pytest.mark.parametrize(("count", "digest"), [(COUNT - 1, None), (COUNT + 3, None), (COUNT, "other"), (COUNT, "")])
async def test_another_count_or_digest_approves_nothing(ledger, count, digest):
    job = await held(ledger)
    with pytest.raises(ApprovalMismatchError):
        await approve(ledger, job, count=count, digest=digest)
    assert await given(ledger, job) == []
    assert await state_of(ledger, job) is JobState.HELD


async def test_malformed_entries_are_not_in_the_count(ledger):
    job = (await submitted(ledger, refs(COUNT), malformed=3)).job
    assert (await approval(ledger, job)).count == COUNT
    await approve(ledger, job)
    assert await state_of(ledger, job) is JobState.QUEUED


# it lapses, is taken back, is rejected


async def test_what_is_not_approved_in_time_is_aborted_with_that_reason(ledger):
    job = await held(ledger)
    await lapses(ledger, job)
    with pytest.raises(JobStateError, match="not approved in time"):
        await approve(ledger, job)
    await sweep_guarded(ledger)
    await housekeeping.slices(ledger, A, job)
    assert await state_of(ledger, job) is JobState.ABORTED
    assert (await approval(ledger, job)).state is ApprovalState.LAPSED
    found = await entries(ledger)
    assert {(entry["outcome"], entry["message"]) for entry in found} == {("aborted", "it was not approved in time")}
    assert len(found) == COUNT
    act = (await audit.page(ledger, AuditFilter(job=job), limit=1)).entries[0]
    assert (act["what"], act["via"], act["about"]) == ("abort", "worker", "it was not approved in time")


async def test_what_is_approved_does_not_lapse(ledger):
    job = await held(ledger, start_at_ms=await ledger.now_ms() + HOUR_MS)
    await approve(ledger, job)
    await lapses(ledger, job)
    await sweep_guarded(ledger)
    assert await state_of(ledger, job) is JobState.HELD
    assert await ledger.redis.zscore(key("held"), job)


@pytest.mark.parametrize("hold_ms", [0, HOUR_MS])
async def test_an_approval_can_be_taken_back_before_the_job_starts(ledger, hold_ms):
    job = await held(ledger, hold_ms=hold_ms)
    await approve(ledger, job)
    await approvals.take_back(ledger, job, "anna", 10)
    assert (await state_of(ledger, job), await given(ledger, job)) == (JobState.HELD, [])
    assert await ledger.redis.zscore(key("held"), job) is None
    assert await nothing_starts(ledger)
    with pytest.raises(JobStateError, match="anna has not approved it"):
        await approvals.take_back(ledger, job, "anna", 10)
    await approve(ledger, job, "carl")
    assert await given(ledger, job) == ["carl"]


async def test_an_approval_cannot_be_taken_back_once_the_job_has_started(ledger):
    job = await held(ledger)
    await approve(ledger, job)
    assert await ask(ledger)
    with pytest.raises(JobStateError):
        await approvals.take_back(ledger, job, "anna", 10)
    with pytest.raises(JobStateError):
        await approvals.reject(ledger, job, "anna", "late")


@pytest.mark.parametrize("approved", [False, True])
async def test_a_rejected_job_is_aborted_with_who_and_why(ledger, approved):
    job = await held(ledger)
    if approved:
        await approve(ledger, job)
    await approvals.reject(ledger, job, "dora", "wrong file")
    assert await state_of(ledger, job) is JobState.ABORTED
    found = await approval(ledger, job)
    assert (found.state, found.rejection.by, found.rejection.reason) == (ApprovalState.REJECTED, "dora", "wrong file")
    assert {entry["message"] for entry in await entries(ledger)} == {"rejected by dora: wrong file"}


async def test_a_job_that_needs_no_approval_can_be_neither_approved_nor_rejected(ledger):
    job = await submit(ledger, refs(3))
    with pytest.raises(JobStateError):
        await approvals.approve(ledger, job, "anna", count=3, digest="", per_call=10)
    with pytest.raises(JobStateError):
        await approvals.reject(ledger, job, "anna", "no")


# nothing else lets it start


async def resumed(ledger, job):
    await control.pause_job(ledger, job)
    await control.resume_job(ledger, job, 10)


async def account_resumed(ledger, job):
    del job
    await control.pause_account(ledger, A)
    await control.resume_account(ledger, A, 10)


async def changed(ledger, job):
    await changes.update(ledger, job, Change(Priority.URGENT, "+5h"))
    await changes.update(ledger, job, Change(no_deadline=True))


async def continued(ledger, job):
    with pytest.raises(JobStateError):
        await control.continue_job(ledger, job, 10)


async def an_older_version_lets_it_go_on(ledger, job):
    await control.pause_job(ledger, job)
    kept = await ledger.redis.hget(f"cancellist:job:{job}", "approvals_wanted")
    await ledger.redis.hset(f"cancellist:job:{job}", "approvals_wanted", 0)
    assert (await control.resume_job(ledger, job, 10))[0] is JobState.QUEUED
    await ledger.redis.hset(f"cancellist:job:{job}", "approvals_wanted", kept)


async def its_start_passes(ledger, job):
    await ledger.redis.hset(f"cancellist:job:{job}", "hold_until", 1)
    await ledger.redis.zadd(key("held"), {job: 1})


@pytest.mark.parametrize(
    "way", [resumed, account_resumed, changed, continued, its_start_passes, an_older_version_lets_it_go_on]
)
async def test_nothing_but_approval_lets_it_start(ledger, way):
    job = await held(ledger)
    await way(ledger, job)
    assert await nothing_starts(ledger)
    assert await state_of(ledger, job) is JobState.HELD
    await approve(ledger, job)
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_paused_job_can_be_approved_and_goes_on_once_it_is_resumed(ledger):
    job = await held(ledger)
    await control.pause_job(ledger, job)
    await approve(ledger, job)
    assert await state_of(ledger, job) is JobState.PAUSED
    assert await nothing_starts(ledger)
    assert (await control.resume_job(ledger, job, 10))[0] is JobState.QUEUED


async def test_an_approved_job_obeys_its_start_and_its_hold(ledger):
    late = await held(ledger, start_at_ms=await ledger.now_ms() + HOUR_MS, hold_ms=1)
    soon = (await submitted(ledger, refs(COUNT, 100), hold_ms=HOUR_MS)).job
    for job in (late, soon):
        await approve(ledger, job)
        assert await state_of(ledger, job) is JobState.HELD
        assert await ledger.redis.zscore(key("held"), job) > await ledger.now_ms() + HOUR_MS - 60_000
    assert await nothing_starts(ledger)


async def test_a_job_that_waits_expires_at_its_deadline_and_can_be_aborted(ledger):
    expired, aborted = await held(ledger), (await submitted(ledger, refs(COUNT, 100))).job
    await deadline_passes(ledger, expired)
    await sweep_guarded(ledger)
    await housekeeping.slices(ledger, A, expired)
    await control.abort_job(ledger, aborted)
    assert [await state_of(ledger, job) for job in (expired, aborted)] == [JobState.COMPLETED, JobState.ABORTED]
    assert await ledger.redis.zcard(key("approvals")) == 0


async def test_a_retry_is_a_job_of_its_own_and_must_be_approved_too(ledger):
    job = await held(ledger)
    await approve(ledger, job)
    await control.abort_job(ledger, job)
    planned = await retry.plan(ledger, job, [Outcome.ABORTED], Asked(submitted_by="anna"))
    again = await retry.make(ledger, planned, NONE, idempotency_keep_s=60, per_call=10)
    assert again.state is JobState.HELD
    with pytest.raises(ForbiddenError):
        await approve(ledger, again.job, "anna")


async def test_a_guard_that_asks_for_more_approvals_as_it_starts_holds_it_again(ledger):
    job = await held(ledger)
    await approve(ledger, job)
    await sweep_guarded(ledger, TWO)
    assert (await ask(ledger)).why == "empty"
    assert await state_of(ledger, job) is JobState.HELD
    assert (await approval(ledger, job)).wanted == 2
    await approve(ledger, job, "carl")
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_the_account_is_at_rest_after_all_of_it(ledger):
    job = await held(ledger)
    await resumed(ledger, job)
    await approve(ledger, job)
    await approvals.take_back(ledger, job, "anna", 10)
    await approve(ledger, job, "carl")
    await drained(ledger)
    await sweep(ledger)
    ready = await ledger.redis.hmget(key("state"), "calls_ready", "reads_ready")
    assert [int(count or 0) for count in ready] == [0, 0]
    assert await ledger.redis.zcard(key("calls")) == 0
    assert int(await ledger.redis.hget("cancellist:totals", "unsettled")) == 0


async def test_webhooks_are_told_of_each_time_that_a_job_begins_to_wait(ledger):
    wanted = frozenset({EventType.JOB_APPROVAL_WANTED})
    await endpoints.add(ledger, EndpointOrder("https://hooks.example/h", wanted, frozenset(), None), [b"k" * 32])

    async def told():
        (endpoint,) = await endpoints.endpoints(ledger)
        await events.take_in(ledger, endpoint)
        page = await endpoints.deliveries(ledger, endpoint.id, limit=100)
        return sorted((one.type, one.job) for one in page.deliveries)

    ended = await submit(ledger, refs(3))
    await drained(ledger)
    job = await held(ledger)
    assert await told() == [("job.approval_wanted", job)]
    await approve(ledger, job)
    await sweep_guarded(ledger, TWO)
    assert (await ask(ledger)).why == "empty"  # more approvals are wanted now
    assert await told() == [("job.approval_wanted", job)] * 2
    assert await state_of(ledger, ended) is JobState.COMPLETED
    await approve(ledger, job, "carl")
    await drained(ledger)
    assert len(await told()) == 2
