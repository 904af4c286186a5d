"""The failure stop: a job halts once too many of its references were refused or are unconfirmed."""

import json

import pytest

from cancellist.jobs.errors import JobStateError
from cancellist.jobs.ledger import control, housekeeping, records
from cancellist.jobs.ledger.claims import Claim, Terms
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import DONE, JobRequest, JobState, Outcome
from cancellist.jobs.responses.steps import ReadState, WriteResult
from cancellist.jobs.safety.failure_stop import FailureKind, HaltPlace, halt_of, stop_of
from cancellist.jobs.safety.safeguards import Safeguards
from tests.contract.steps import (
    TERMS,
    A,
    ask,
    claim,
    drained,
    entries,
    queued,
    refs,
    seal,
    settle,
    state_of,
    submit,
    submitted,
    sweep,
)

REFUSED, UNCONFIRMED = FailureKind.REFUSED, FailureKind.UNCONFIRMED
ONE = Terms(limit=3, per_call=1, linger_ms=0)


async def ends(ledger, *outcomes, terms=ONE):
    """Claims one reference after another, and settles each with the next of these outcomes."""
    for outcome in outcomes:
        answer = await ask(ledger, terms=terms)
        if not isinstance(answer, Claim):
            return False
        await settle(ledger, answer, WriteResult(outcome, 1, 200), terms=terms)
    return True


async def halt(ledger, job):
    return halt_of(await records.get(ledger, job))


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (REFUSED, Outcome.MANIFESTED),
        (REFUSED, Outcome.NOT_FOUND),
        (REFUSED, Outcome.REJECTED),
        (UNCONFIRMED, Outcome.UNCONFIRMED),
        (UNCONFIRMED, Outcome.FAILED),
    ],
)
async def test_a_number_is_what_is_allowed_and_one_more_halts_the_job(ledger, kind, outcome):
    job = await submit(ledger, refs(20), **{f"max_{kind}": "2"})
    assert await ends(ledger, outcome, Outcome.CANCELLED, outcome)
    assert await state_of(ledger, job) is JobState.RUNNING
    assert await ends(ledger, outcome)
    assert await state_of(ledger, job) is JobState.HALTED
    found = await halt(ledger, job)
    assert (found.cause, str(found.limit), found.found, found.results, found.place) == (kind, "2", 3, 4, HaltPlace.JOB)
    assert found.words == f"3 of 4 results are {kind}, more than the limit of 2"
    assert not await ends(ledger, Outcome.CANCELLED)
    assert await queued(ledger, job) == refs(16, 4)


@pytest.mark.parametrize("outcome", sorted(DONE))
async def test_what_is_cancelled_does_not_count(ledger, outcome):
    job = await submit(ledger, refs(3), max_refused="0", max_unconfirmed="0")
    await ends(ledger, *[outcome] * 3)
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_neither_malformed_entries_nor_what_expires_count(ledger):
    job = (await submitted(ledger, refs(3), malformed=5, max_refused="0", max_unconfirmed="0")).job
    await housekeeping.slices(ledger, A, job)
    await ends(ledger, Outcome.CANCELLED)
    await ledger.redis.hset(f"cancellist:job:{job}", "deadline", 1)
    await ledger.redis.zadd(f"cancellist:account:{A}:deadlines", {job: 1})
    await sweep(ledger)
    await housekeeping.slices(ledger, A, job)
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_share_says_nothing_of_a_few_results(ledger):
    job = await submit(ledger, refs(200), max_refused="10%")
    await ends(ledger, *[Outcome.REJECTED] * 6, *[Outcome.CANCELLED] * 43)
    assert await state_of(ledger, job) is JobState.RUNNING  # 6 of 49
    await ends(ledger, Outcome.CANCELLED)
    found = await halt(ledger, job)
    assert (found.found, found.results, found.place) == (6, 50, HaltPlace.JOB)


async def test_a_share_of_all_references_halts_a_job_however_few_results_there_are(ledger):
    job = await submit(ledger, refs(20), max_refused="10%")
    await ends(ledger, *[Outcome.REJECTED] * 2)
    assert await state_of(ledger, job) is JobState.RUNNING
    await ends(ledger, Outcome.REJECTED)
    assert await state_of(ledger, job) is JobState.HALTED


async def test_a_share_also_holds_for_the_last_results_of_a_long_job(ledger):
    terms = Terms(limit=3, per_call=100, linger_ms=0)
    job = await submit(ledger, refs(5_000), max_refused="10%")
    for _ in range(20):
        await settle(ledger, await claim(ledger, terms=terms), terms=terms)
    await settle(ledger, await claim(ledger, terms=terms), WriteResult(Outcome.REJECTED, 1, 200), terms=terms)
    assert await state_of(ledger, job) is JobState.RUNNING  # 100 of the last 1,000
    await ends(ledger, Outcome.REJECTED)
    found = await halt(ledger, job)
    assert found.place is HaltPlace.WINDOW
    assert (found.found, found.results) == (101, 901)


async def test_calls_in_flight_end_and_are_counted_and_what_they_leave_stays(ledger):
    job = await submit(ledger, refs(40), max_refused="5")
    one, two, three = [await claim(ledger) for _ in range(3)]
    await settle(ledger, one, WriteResult(Outcome.MANIFESTED, 1, 200))
    assert await state_of(ledger, job) is JobState.HALTED
    await settle(ledger, two, WriteResult(Outcome.REJECTED, 1, 200))
    await settle(ledger, three, ReadState(0.0, 0, 1))
    assert await state_of(ledger, job) is JobState.HALTED
    record = await records.get(ledger, job)
    assert record.outcomes == {Outcome.MANIFESTED: 10, Outcome.REJECTED: 10}
    assert (record.pending, record.in_flight) == (20, 0)
    assert (await ask(ledger)).why == "empty"
    assert (await halt(ledger, job)).found == 10


async def test_what_is_staged_may_not_start_once_the_job_is_halted(ledger):
    await submit(ledger, refs(40), max_refused="0")
    first = await claim(ledger)
    staged = await claim(ledger, mode="staged")
    assert first.guarded
    assert staged.guarded
    await settle(ledger, first, WriteResult(Outcome.REJECTED, 1, 200))
    again = await ask(ledger)
    assert again.gate_now > staged.gate


async def test_only_claims_of_jobs_with_a_stop_are_guarded(ledger):
    await submit(ledger, refs(5))
    assert not (await claim(ledger)).guarded


async def test_other_jobs_go_on(ledger):
    await submit(ledger, refs(30), max_refused="0")
    other = await submit(ledger, refs(10, 500))
    await settle(ledger, await claim(ledger), WriteResult(Outcome.REJECTED, 1, 200))
    await drained(ledger)
    assert await state_of(ledger, other) is JobState.COMPLETED


async def test_a_job_whose_last_references_pass_the_limit_is_completed(ledger):
    job = await submit(ledger, refs(3), max_refused="1")
    await ends(ledger, *[Outcome.REJECTED] * 1, Outcome.CANCELLED, Outcome.REJECTED)
    assert await state_of(ledger, job) is JobState.COMPLETED


@pytest.mark.parametrize("way", [control.continue_job, control.resume_job])
async def test_a_halted_job_goes_on_and_counts_anew(ledger, way):
    job = await submit(ledger, refs(20), max_refused="2")
    await ends(ledger, *[Outcome.REJECTED] * 3)
    assert (await way(ledger, job, 1))[0] is JobState.RUNNING
    assert await halt(ledger, job) is None
    await ends(ledger, *[Outcome.REJECTED] * 2)
    assert await state_of(ledger, job) is JobState.RUNNING
    await ends(ledger, Outcome.REJECTED)
    found = await halt(ledger, job)
    assert (found.found, found.results) == (3, 3)
    await control.continue_job(ledger, job, 1)
    await drained(ledger)
    record = await records.get(ledger, job)
    assert record.state is JobState.COMPLETED
    assert record.outcomes == {Outcome.REJECTED: 6, Outcome.CANCELLED: 14}


async def test_a_job_that_is_paused_while_its_calls_end_halts_too(ledger):
    job = await submit(ledger, refs(20), max_refused="2")
    taken = await claim(ledger)
    await control.pause_job(ledger, job)
    await settle(ledger, taken, WriteResult(Outcome.REJECTED, 1, 200))
    assert await state_of(ledger, job) is JobState.HALTED


async def test_a_halted_job_can_be_aborted_and_not_paused(ledger):
    job = await submit(ledger, refs(20), max_refused="0")
    await ends(ledger, Outcome.REJECTED)
    with pytest.raises(JobStateError, match="is halted and cannot be paused"):
        await control.pause_job(ledger, job)
    assert await control.abort_job(ledger, job) is JobState.ABORTED
    assert len(await entries(ledger)) == 20


async def test_only_a_halted_job_can_be_continued(ledger):
    job = await submit(ledger, refs(20), max_refused="0")
    with pytest.raises(JobStateError, match="only a halted job"):
        await control.continue_job(ledger, job, 1)
    await control.pause_job(ledger, job)
    with pytest.raises(JobStateError, match="is paused"):
        await control.continue_job(ledger, job, 1)
    assert await state_of(ledger, job) is JobState.PAUSED


async def test_a_resumed_account_leaves_its_halted_jobs(ledger):
    job = await submit(ledger, refs(20), max_refused="0")
    await ends(ledger, Outcome.REJECTED)
    await control.pause_account(ledger, A)
    await control.resume_account(ledger, A, 1)
    assert await state_of(ledger, job) is JobState.HALTED
    assert not await ends(ledger, Outcome.CANCELLED)


# whose limits


async def test_a_request_adds_to_the_limits_of_its_account_and_takes_none_away(ledger):
    one = Submission(ledger, JobRequest(max_refused="50"), Safeguards(stop_of("1", "5%")))
    await one.add(refs(20))
    job = (await seal(one)).job
    assert (await records.get(ledger, job)).stop == "refused:50 refused:1 unconfirmed:5%"
    await ends(ledger, *[Outcome.REJECTED] * 2)
    assert await state_of(ledger, job) is JobState.HALTED


async def test_limits_that_workers_have_noted_hold_for_every_job_whichever_way_it_comes(ledger):
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=Safeguards(stop_of("1", None)))
    jobs = [await submit(ledger, refs(20)), await submit(ledger, refs(20, 100), max_refused="1")]
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    small = intake.SmallJob(entry.id, JobRequest(max_refused="7"), refs(20, 200), [], 0)
    await intake.seal_small(ledger, A, [small], idempotency_keep_s=60, per_call=10)
    jobs = [job.decode() for job in await ledger.redis.zrange("cancellist:jobs", 0, -1)]
    stops = sorted([(await records.get(ledger, job)).stop for job in jobs])
    assert stops == ["refused:1", "refused:1", "refused:7 refused:1"]
    await sweep(ledger)
    later = await submit(ledger, refs(1, 300))
    assert (await records.get(ledger, later)).stop == ""


async def test_reads_of_a_job_with_a_stop_go_before_its_calls(ledger):
    await submit(ledger, refs(100), max_refused="1")
    first = await claim(ledger)
    await settle(ledger, first, ReadState(0.0, 0, 1, refusal_status=200, refusal_words="no"))
    assert [(await claim(ledger)).kind for _ in range(3)] == ["reads"] * 3


async def test_a_reason_that_cannot_be_read_breaks_no_listing(ledger):
    job = await submit(ledger, refs(20), max_refused="0")
    await ends(ledger, Outcome.REJECTED)
    await ledger.redis.hset(f"cancellist:job:{job}", "halted_why", "of another version")
    assert await halt(ledger, job) is None
    assert await state_of(ledger, job) is JobState.HALTED


def limited(refused):
    return Safeguards(stop_of(refused, None))


async def test_limits_of_all_live_workers_hold_together_and_a_laxer_one_takes_none_away(ledger):
    for worker, guards in (("w1", limited("5")), ("w2", limited("2")), ("w3", Safeguards())):
        await housekeeping.sweep(ledger, A, worker, TERMS, 30.0, safeguards=guards)
    job = await submit(ledger, refs(5))
    assert (await records.get(ledger, job)).stop == "refused:5 refused:2"
    await housekeeping.sweep(ledger, A, "w2", TERMS, 30.0)
    assert (await records.get(ledger, await submit(ledger, refs(5, 100)))).stop == "refused:5"


async def test_a_job_that_starts_is_held_to_the_limits_of_the_workers_there_are_then(ledger):
    job = await submit(ledger, refs(20), max_refused="9")
    await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=limited("0"))
    assert (await claim(ledger, terms=ONE)).guarded
    assert (await records.get(ledger, job)).stop == "refused:9 refused:0"


async def test_limits_outlive_their_workers_until_others_come(ledger):
    await housekeeping.sweep(ledger, A, "gone", TERMS, 30.0, safeguards=limited("5"))
    noted = await ledger.redis.hget(f"cancellist:account:{A}:state", "safeguards")
    at_ms = json.loads(noted)["gone"]["at"]
    old = json.dumps({"gone": {"at": at_ms - 5_000, "stop": "refused:5", "hold": 0}})
    await ledger.redis.hset(f"cancellist:account:{A}:state", "safeguards", old)
    assert (await records.get(ledger, await submit(ledger, refs(5)))).stop == "refused:5"
    await housekeeping.sweep(ledger, A, "new", TERMS, 30.0)
    assert (await records.get(ledger, await submit(ledger, refs(5, 100)))).stop == ""
