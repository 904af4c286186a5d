"""What is said of a job among the others of its account, by the order in which they are served."""

from dataclasses import replace

import pytest

from cancellist.jobs.model import JobRecord, JobRequest, JobState, Outcome, Priority, ResultSample
from cancellist.jobs.progress.eta import PauseHistory
from cancellist.jobs.progress.forecast import AccountLoad, CompetingJob, at_risk, estimate, overall, until_its_end

NOW = 1_795_000_100_000
MINUTE = 60_000
PLAIN = JobRequest()
URGENT, BULK = JobRequest(priority=Priority.URGENT), JobRequest(priority=Priority.BULK)
SOON, LATER = JobRequest(deadline_ms=NOW + MINUTE), JobRequest(deadline_ms=NOW + 10 * MINUTE)


def test_a_job_waits_for_a_higher_class_and_an_earlier_deadline_and_not_for_what_comes_after_it():
    assert until_its_end(PLAIN, 100, [CompetingJob(URGENT, 300), CompetingJob(BULK, 5000)], 10.0, NOW) == 400.0
    assert until_its_end(PLAIN, 100, [CompetingJob(SOON, 300)], 10.0, NOW) == 400.0
    assert until_its_end(SOON, 100, [CompetingJob(LATER, 300)], 10.0, NOW) == 100.0


def test_equal_jobs_take_turns_until_the_smaller_ones_are_done():
    assert until_its_end(PLAIN, 100, [CompetingJob(PLAIN, 50), CompetingJob(PLAIN, 900)], 10.0, NOW) == 250.0


def test_a_job_before_it_takes_no_longer_than_until_its_own_deadline():
    assert until_its_end(PLAIN, 100, [CompetingJob(SOON, 10**9)], 10.0, NOW) == 700.0
    assert until_its_end(PLAIN, 100, [CompetingJob(SOON, 10**9), CompetingJob(URGENT, 200)], 10.0, NOW) == 700.0


@pytest.mark.parametrize(
    ("own", "pending", "rivals", "expected"),
    [
        (PLAIN, 5000, [], None),
        (SOON, 600, [], 0),
        (SOON, 601, [], 1),
        (SOON, 5000, [], 4400),
        (SOON, 5000, [CompetingJob(URGENT, 100)], 4500),
        (SOON, 5000, [CompetingJob(URGENT, 10_000)], 5000),
        (SOON, 5000, [CompetingJob(SOON, 10_000)], 4700),
        (SOON, 5000, [CompetingJob(SOON, 100), CompetingJob(SOON, 10_000)], 4750),
        (SOON, 5000, [CompetingJob(LATER, 10_000)], 4400),
        (SOON, 0, [CompetingJob(URGENT, 10_000)], 0),
    ],
)
def test_at_risk_is_what_will_not_have_been_taken_by_the_deadline(own, pending, rivals, expected):
    assert at_risk(own, pending, rivals, 10.0, NOW, NOW) == expected


def test_what_nobody_lets_go_on_before_its_deadline_is_all_at_risk():
    assert at_risk(SOON, 500, [], 10.0, NOW, None) == 500
    assert at_risk(SOON, 500, [], None, NOW, NOW + MINUTE) == 500
    assert at_risk(SOON, 500, [], 10.0, NOW, NOW + MINUTE // 2) == 200


def test_nothing_is_said_to_be_at_risk_where_no_rate_is_known():
    assert at_risk(SOON, 500, [], None, NOW, NOW) is None
    assert at_risk(SOON, 500, [], 0.0, NOW, NOW) == 500


# estimate


def running(job="a", *, settled=1000, total=2000, order=PLAIN, rate=100):
    """A job of which a hundred references end every so often, up to now."""
    step_ms = 100_000 // rate
    steps = settled // 100
    samples = [ResultSample(n * step_ms, 100 * n, 100 * step_ms * n * (n + 1) // 2, 100) for n in range(1, steps + 1)]
    return JobRecord(
        id=job, order=order, state=JobState.RUNNING, total=total, duplicates=0, invalid=0,
        pending=total - settled - 100, in_flight=100, outcomes={Outcome.CANCELLED: settled},
        started_at_ms=NOW - steps * step_ms, samples=tuple(samples),
    )  # fmt: skip


def waiting(job="b", *, total=1000, order=PLAIN, state=JobState.QUEUED):
    return JobRecord(job, order, state, total, 0, 0, total, 0)


def account(*unfinished, **changes):
    plain = AccountLoad(True, 0, PauseHistory(0, 0, 0), calls=1, claims=1, workers=1, unfinished=unfinished)
    return replace(plain, **changes)


def test_a_job_alone_goes_by_its_own_pace():
    job = running()
    got = estimate(job, account(job), NOW)
    assert (got.rate, got.eta_s, got.at_risk) == (pytest.approx(100.0), pytest.approx(10.0), None)


def test_malformed_lines_that_wait_for_their_result_take_no_time():
    job = replace(running(), total=3000, invalid=1000)
    assert estimate(job, account(job), NOW).eta_s == pytest.approx(10.0)


def test_a_queued_job_is_told_from_the_rate_of_the_others_and_what_goes_before_it():
    first, second = running(order=SOON), waiting()
    got = estimate(second, account(first, second), NOW)
    assert (got.rate, got.eta_s) == (None, pytest.approx(20.0))


def test_a_job_that_is_all_in_its_first_call_is_told_from_the_rate_of_the_others():
    first = running(order=SOON)
    begun = replace(waiting(total=50), state=JobState.RUNNING, pending=0, in_flight=50, started_at_ms=NOW)
    assert estimate(begun, account(first, begun, calls=2, claims=2), NOW).eta_s == pytest.approx(10.5, rel=0.1)
    assert estimate(begun, account(begun), NOW).eta_s is None


def test_nothing_is_said_of_a_queued_job_where_nothing_runs_or_too_much_waits():
    job = waiting()
    assert estimate(job, account(job), NOW).eta_s is None
    assert estimate(job, account(job, unfinished=None), NOW).eta_s is None


def test_other_accounts_and_jobs_that_do_not_go_on_are_not_waited_for():
    job = running()
    elsewhere = running("b", order=JobRequest(account="other", priority=Priority.URGENT))
    paused = replace(running("c", order=URGENT), state=JobState.PAUSED, paused_at_ms=NOW)
    assert estimate(job, account(job, elsewhere, paused), NOW).eta_s == pytest.approx(10.0)


def test_no_end_is_in_sight_while_a_job_or_its_account_is_stopped_by_somebody():
    job = replace(running(order=SOON), in_flight=0)
    stopped = [
        estimate(replace(job, state=JobState.PAUSED, paused_at_ms=NOW), account(running("b")), NOW + 5000),
        estimate(job, account(job, open=False, calls=0), NOW),
    ]
    assert [(one.rate, one.eta_s, one.at_risk) for one in stopped] == [(0.0, None, 900)] * 2


def test_a_job_that_waits_for_the_end_of_a_hold_goes_on_after_it():
    job = replace(running(order=SOON), in_flight=0, pending=1000)
    until = NOW + 2 * MINUTE
    held = account(job, hold_until_ms=until, stops=PauseHistory(0, 0, until), calls=0, claims=0)
    for since_s in (0, 30):
        got = estimate(job, held, NOW + since_s * 1000)
        assert (got.rate, got.eta_s, got.at_risk) == (0.0, pytest.approx(120 - since_s + 10), 1000)


def test_a_limit_that_was_lowered_clearly_makes_what_is_left_take_longer():
    job = running(settled=4000, total=6400)
    many = replace(job, in_flight=800, pending=1600, samples=tuple(replace(s, in_calls=800) for s in job.samples))
    told = [estimate(many, account(many, calls=8, claims=8, limit=limit), NOW).eta_s for limit in (None, 8, 7, 4, 2)]
    assert told[0] == told[1] == told[2] == pytest.approx(24.0, rel=0.1)
    assert told[3:] == [pytest.approx(48.0, rel=0.1), pytest.approx(96.0, rel=0.1)]


def test_a_short_hold_is_part_of_the_pace():
    job = replace(running(), in_flight=0, pending=1000)
    held = account(job, hold_until_ms=NOW + 2000, stops=PauseHistory(0, 0, NOW + 2000), calls=0, claims=0)
    assert estimate(job, held, NOW).eta_s == pytest.approx(10.0)
    last = replace(job, total=1010, pending=10)
    assert estimate(last, held, NOW).eta_s == pytest.approx(3.0)


def test_a_queued_job_waits_for_the_end_of_a_hold_too():
    first, second = replace(running(order=SOON), in_flight=0, pending=1000), waiting()
    until = NOW + 2 * MINUTE
    held = account(first, second, hold_until_ms=until, stops=PauseHistory(0, 0, until), calls=0, claims=0)
    assert estimate(second, held, NOW).eta_s == pytest.approx(120.0 + 20.0)


def test_what_waits_for_another_try_has_it_before_the_job_ends():
    job = replace(running(), total=1010, in_flight=0, pending=10)
    resting = account(job, calls=0, claims=0, due_ms={"a": NOW + 20_000, "b": NOW + 99_000})
    assert estimate(job, resting, NOW).eta_s == pytest.approx(21.0)
    assert estimate(job, resting, NOW + 15_000).eta_s == pytest.approx(5.0, abs=1.0)  # no pace is left by then
    assert estimate(running(), resting, NOW).eta_s == pytest.approx(21.0)
    assert estimate(running(), replace(resting, due_ms={"a": NOW + 2000}), NOW).eta_s == pytest.approx(10.0)


def test_a_hold_that_passes_before_the_deadline_leaves_time_for_some():
    job = running(order=SOON, total=10_000)
    got = estimate(job, account(job, hold_until_ms=NOW + MINUTE // 2, calls=0), NOW)
    assert got.at_risk == pytest.approx(8900 - 3000, rel=0.01)


def test_without_a_worker_all_is_at_risk():
    assert estimate(waiting(order=SOON), account(workers=0), NOW).at_risk == 1000


def test_a_job_that_has_ended_has_its_overall_rate_no_time_left_and_nothing_at_risk():
    job = replace(running(order=SOON, total=1000), state=JobState.COMPLETED, finished_at_ms=NOW)
    got = estimate(job, account(), NOW)
    assert (got.rate, got.eta_s, got.at_risk) == (pytest.approx(100.0), 0.0, 0)
    assert estimate(replace(job, order=PLAIN), account(), NOW).at_risk is None


def test_an_ended_job_is_reckoned_over_its_whole_life():
    assert overall(1000, 20_000) == 50.0
    assert overall(1000, 0) is None
