"""Jobs from being handed in to their results."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from cancellist_client import (
    AsyncClient,
    IdempotencyConflict,
    InputError,
    JobHalted,
    JobState,
    JobStateError,
    JobTimeout,
    NotFound,
    Outcome,
)

pytestmark = pytest.mark.only("fake", "http")
WITHIN_S = 60
LATER = "+2h"


async def test_a_job_is_handed_in_waited_for_and_read(client: AsyncClient, backend) -> None:
    references = [*backend.references(3), *backend.references(2, "Manifested"), *backend.references(1, "Cancelled")]
    job = await client.submit(references, reason="order withdrawn", requested_by="shop", priority="urgent")
    assert job.status.total == 6
    assert await job.wait(WITHIN_S) is job
    assert job.state is JobState.COMPLETED
    assert job.status.outcomes == {Outcome.CANCELLED: 3, Outcome.MANIFESTED: 2, Outcome.ALREADY_CANCELLED: 1}
    assert (job.status.reason, job.status.requested_by, job.status.priority) == ("order withdrawn", "shop", "urgent")
    assert job.status.pending == job.status.in_flight == 0
    found = [result async for result in job.results()]
    assert Counter(result.reference for result in found) == Counter(references)
    assert {result.outcome for result in found if result.reference in references[:3]} == {Outcome.CANCELLED}
    for result in found:
        assert result.job == job.id
        assert result.attempts >= 1
        assert abs(result.at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_results_can_be_had_by_their_outcome(client: AsyncClient, backend) -> None:
    good, shipped = backend.references(4), backend.references(2, "Manifested")
    job = await (await client.submit([*good, *shipped])).wait(WITHIN_S)
    assert {r.reference async for r in job.results("manifested")} == set(shipped)
    assert {r.reference async for r in job.results(outcome=[Outcome.CANCELLED, Outcome.FAILED])} == set(good)
    assert [r async for r in job.results("unconfirmed")] == []


async def test_an_outcome_that_is_none_is_refused(client: AsyncClient, backend) -> None:
    job = await client.submit(backend.references(1), start_at=LATER)
    with pytest.raises(InputError):
        _ = [r async for r in job.results("vanished")]
    await job.abort()


async def test_a_key_with_the_same_content_is_the_same_job(client: AsyncClient, backend, group) -> None:
    references = backend.references(2)
    first = await client.submit(references, idempotency_key=group, reason="strike")
    again = await client.submit(references, idempotency_key=group, reason="strike")
    assert again.id == first.id
    with pytest.raises(IdempotencyConflict) as caught:
        await client.submit(references[:1], idempotency_key=group, reason="strike")
    assert caught.value.code == "idempotency_conflict"
    other = await client.submit(references, reason="strike")
    assert other.id != first.id


async def test_entries_are_counted(client: AsyncClient, backend) -> None:
    one, two = backend.references(2)
    job = await client.submit([one, f" {one.lower()} ", two, "nonsense"], max_invalid=1)
    assert (job.status.total, job.status.duplicates, job.status.invalid) == (3, 1, 1)
    await job.wait(WITHIN_S)
    (result,) = [r async for r in job.results("invalid")]
    assert (result.reference.lower(), result.attempts, result.status) == ("nonsense", 0, None)


async def test_what_holds_no_reference_is_refused(client: AsyncClient) -> None:
    with pytest.raises(InputError) as caught:
        await client.submit(["nonsense", "more"])
    assert caught.value.status == 422


async def test_too_many_malformed_entries_are_refused(client: AsyncClient, backend) -> None:
    references = [*backend.references(10), "one", "two"]
    with pytest.raises(InputError):
        await client.submit(references, max_invalid=1)
    with pytest.raises(InputError):
        await client.submit(references)
    job = await client.submit(references, max_invalid="20%", start_at=LATER)
    await job.abort()


async def test_a_deadline_that_is_past_is_refused(client: AsyncClient, backend) -> None:
    with pytest.raises(InputError):
        await client.submit(backend.references(1), deadline=datetime.now(UTC) - timedelta(hours=1))


async def test_a_job_is_held_until_its_time(client: AsyncClient, backend) -> None:
    start_at = datetime.now(UTC) + timedelta(hours=2)
    deadline = start_at + timedelta(hours=1)
    job = await client.submit(backend.references(1), start_at=start_at, deadline=deadline)
    await job.refresh()
    assert job.state is JobState.HELD
    assert job.status.start_at is not None
    assert job.status.deadline is not None
    assert abs(job.status.start_at - start_at) < timedelta(seconds=1)
    assert abs(job.status.deadline - deadline) < timedelta(seconds=1)
    await job.abort()


async def test_a_job_is_held_so_that_it_can_be_taken_back(client: AsyncClient, backend) -> None:
    references = backend.references(2)
    job = await client.submit(references, hold=timedelta(hours=1))
    assert (await job.refresh()).state is JobState.HELD
    assert (await (await job.pause()).resume()).state is JobState.HELD
    assert job.status.document["hold_until"] is not None
    assert (await (await job.abort()).wait(WITHIN_S)).status.outcomes == {Outcome.ABORTED: 2}
    short = await client.submit(references, hold="0.2")
    assert (await short.wait(WITHIN_S)).status.outcomes == {Outcome.CANCELLED: 2}
    for hold, deadline in (("soon", None), ("2h", timedelta(hours=1))):
        with pytest.raises(InputError):
            await client.submit(references, hold=hold, deadline=deadline)


async def test_a_job_with_too_many_refusals_halts_until_it_is_resumed(client: AsyncClient, backend) -> None:
    job = await client.submit(backend.unknown(200), max_refused="5%")
    before = 0
    for resumes in (True, False):
        with pytest.raises(JobHalted, match="are refused, more than the limit of 5%") as halted:
            await job.wait(WITHIN_S)
        assert halted.value.job is job
        why = job.status.document["halted"]
        assert why.keys() == {"why", "counted", "limit", "found", "results", "among", "at"}
        assert (why["counted"], why["limit"], why["among"]) == ("refused", "5%", "job")
        assert why["found"] == why["results"] > 5
        assert (job.state, job.status.document["max_refused"]) == (JobState.HALTED, ["5%"])
        assert before < job.status.outcomes[Outcome.NOT_FOUND] < 200
        before = job.status.outcomes[Outcome.NOT_FOUND]
        with pytest.raises(JobStateError):
            await job.pause()
        if resumes:
            await job.resume()
    await (await job.abort()).wait(WITHIN_S)
    assert set(job.status.outcomes) <= {Outcome.NOT_FOUND, Outcome.ABORTED}, "what was called is read"
    assert sum(job.status.outcomes.values()) == 200
    with pytest.raises(InputError):
        await client.submit(backend.unknown(1), max_refused="most")


async def test_a_job_that_stays_within_its_limits_does_not_halt(client: AsyncClient, backend) -> None:
    references = backend.references(4) + backend.references(1, "Manifested")
    job = await client.submit(references, max_refused=1, max_unconfirmed="0%")
    await job.wait(WITHIN_S)
    assert job.status.outcomes == {Outcome.CANCELLED: 4, Outcome.MANIFESTED: 1}


async def test_a_wait_that_ends_first_hands_the_job_on(client: AsyncClient, backend) -> None:
    job = await client.submit(backend.references(1), start_at=timedelta(hours=2))
    for within in (0, 1.2):
        with pytest.raises(JobTimeout) as caught:
            await job.wait(within)
        assert caught.value.job is job
    await job.abort()
    assert (await caught.value.job.wait(WITHIN_S)).state is JobState.ABORTED


async def test_a_job_is_paused_resumed_and_aborted(client: AsyncClient, backend) -> None:
    references = backend.references(3)
    job = await client.submit(references, start_at=LATER)
    assert (await job.pause()).state is JobState.PAUSED
    assert (await job.pause()).state is JobState.PAUSED
    assert (await job.resume()).state is JobState.HELD
    await (await job.abort()).wait(WITHIN_S)
    assert job.state is JobState.ABORTED
    assert {(r.reference, r.outcome) async for r in job.results()} == {(one, Outcome.ABORTED) for one in references}
    await job.abort()
    with pytest.raises(JobStateError) as caught:
        await job.pause()
    assert (caught.value.code, caught.value.status) == ("job_state", 409)


async def test_a_job_that_is_none_is_told(client: AsyncClient) -> None:
    with pytest.raises(NotFound):
        await client.job("nosuchjob")


async def test_a_job_is_found_by_its_id(client: AsyncClient, backend) -> None:
    job = await client.submit(backend.references(1))
    await (await client.job(job.id)).wait(WITHIN_S)
    assert (await job.refresh()).state is JobState.COMPLETED


async def test_jobs_are_listed_newest_first(client: AsyncClient, backend, group) -> None:
    ids = [(await client.submit([one], requested_by=group)).id for one in backend.references(3)]
    assert [job.id async for job in client.jobs(requested_by=group)] == ids[::-1]
    assert [job.id async for job in client.jobs(requested_by=group, state="held")] == []
    since = datetime.now(UTC) + timedelta(hours=1)
    assert [job.id async for job in client.jobs(requested_by=group, since=since)] == []


async def test_an_account_that_is_none_is_refused(client: AsyncClient, backend) -> None:
    with pytest.raises(InputError):
        await client.submit(backend.references(1), account="nowhere")


async def test_results_over_many_pages_come_once_each(client: AsyncClient, backend) -> None:
    references = backend.made_up(4_500)
    job = await client.submit(references, start_at=LATER)
    await (await job.abort()).wait(WITHIN_S)
    found = [result.reference async for result in job.results()]
    assert len(found) == 4_500
    assert set(found) == set(references)


async def test_what_was_not_done_is_handed_in_again_once(client: AsyncClient, backend, group) -> None:
    references = backend.references(3)
    job = await client.submit(references, start_at=LATER, reason="strike", priority="bulk", deadline="+5h")
    with pytest.raises(JobStateError):
        await job.retry()
    await (await job.abort()).wait(WITHIN_S)
    again = await job.retry(requested_by=group)
    await again.wait(WITHIN_S)
    assert again.id != job.id
    assert sorted([r.reference async for r in again.results("cancelled")]) == sorted(references)
    assert (again.status.reason, again.status.priority, again.status.requested_by) == ("strike", "bulk", group)
    assert (again.status.deadline, again.status.retry_of) == (None, job.id)
    assert (await job.refresh()).status.retried_by == (again.id,)
    for same in (await job.retry(), await job.retry(["aborted", "failed", "expired", "unconfirmed"], reason="strike")):
        assert same.id == again.id
    with pytest.raises(IdempotencyConflict) as caught:
        await job.retry(priority="urgent")
    assert caught.value.code == "retried_before"
    with pytest.raises(InputError) as nothing:
        await again.retry()
    assert nothing.value.code == "no_references"


async def test_outcomes_are_chosen_and_some_are_never_retried(client: AsyncClient, backend) -> None:
    references = backend.references(2)
    job = await (await (await client.submit(references, start_at=LATER)).abort()).wait(WITHIN_S)
    again = await job.retry(Outcome.ABORTED, start_at=timedelta(hours=1), deadline=timedelta(hours=2))
    assert (await again.refresh()).state is JobState.HELD
    for outcomes in ("cancelled", ["aborted", "manifested"], "invalid", "vanished"):
        with pytest.raises(InputError):
            await job.retry(outcomes)
    with pytest.raises(InputError):
        await job.retry("failed")
    await again.abort()


async def test_priority_and_deadline_are_changed_while_it_has_not_ended(client: AsyncClient, backend) -> None:
    job = await client.submit(backend.references(1), start_at=LATER)
    deadline = datetime.now(UTC) + timedelta(hours=5)
    assert await job.update(priority="urgent", deadline=deadline) is job
    assert job.status.priority == "urgent"
    assert job.status.deadline is not None
    assert abs(job.status.deadline - deadline) < timedelta(seconds=1)
    await job.update(priority="bulk")
    assert job.status.deadline is not None
    assert ((await job.update(deadline=None)).status.deadline, job.status.priority) == (None, "bulk")
    for wrong in ({}, {"priority": "high"}, {"deadline": "+1h"}, {"deadline": timedelta(hours=-1)}):
        with pytest.raises(InputError):
            await job.update(**wrong)
    await job.abort()
    with pytest.raises(JobStateError):
        await job.update(priority="urgent")


async def test_every_job_that_named_a_reference_is_found(client: AsyncClient, backend) -> None:
    good, shipped = backend.references(1)[0], backend.references(1, "Manifested")[0]
    first = await (await client.submit([good, shipped], reason="strike", requested_by="shop")).wait(WITHIN_S)
    waiting = await client.submit([shipped], start_at=LATER)
    found = await client.find(f" {shipped.lower()}")
    assert (found.reference, found.complete) == (shipped, True)
    newest, oldest = found.jobs
    assert (newest.job, newest.state, newest.outcome, newest.result) == (waiting.id, JobState.HELD, None, None)
    assert (oldest.job, oldest.state, oldest.outcome) == (first.id, JobState.COMPLETED, Outcome.MANIFESTED)
    assert (oldest.reason, oldest.requested_by) == ("strike", "shop")
    assert [oldest.result] == [result async for result in first.results("manifested")]
    assert [one.job for one in (await client.find(good)).jobs] == [first.id]
    assert (await client.find(backend.made_up(1)[0])).jobs == ()
    with pytest.raises(InputError):
        await client.find("no reference")
    await waiting.abort()
