import pytest

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.eta import HOLD_MS, PauseHistory, Progress, clock_ms, progress

T0 = 1_795_000_000_000
NEVER = PauseHistory(0, 0, 0)


def staircase(steps, step_ms=1000, results=100):
    """Samples of calls that end together."""
    return [
        ResultSample(n * step_ms, n * results, results * step_ms * n * (n + 1) // 2, results)
        for n in range(1, steps + 1)
    ]


def at(now_ms, samples, left=1000, **given):
    return progress(left=left, samples=samples, in_calls=100, calls=1, now_ms=now_ms, **given)


def test_nothing_can_be_said_before_the_first_result():
    assert at(5000, []) == Progress(None, None)


@pytest.mark.parametrize("since_ms", [0, 1, 500, 999])
def test_a_staircase_has_its_rate_wherever_on_a_step_it_is_looked_at(since_ms):
    got = at(3000 + since_ms, staircase(3))
    assert got == Progress(pytest.approx(100.0), pytest.approx(10.0 - since_ms / 1000))


def test_the_rate_sinks_when_the_next_results_are_overdue():
    rates = [at(3000 + since_ms, staircase(3)).rate for since_ms in (1000, 2000, 4000, 8000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(100.0)
    assert rates[3] < 50.0


def test_a_job_that_stands_still_has_a_rate_of_nought_and_no_end_in_sight():
    assert at(30_000, staircase(3)) == Progress(0.0, None)


def test_calls_that_take_longer_than_the_window_have_a_rate_too():
    got = at(130_000, staircase(4, 30_000))
    assert got.rate == pytest.approx(100 / 30)
    assert got.eta_s == pytest.approx(300 - 10)


def test_what_is_still_in_calls_takes_its_time_however_few_references_it_is():
    got = at(20_000, staircase(20), left=3, claims=3)
    assert got.eta_s == pytest.approx(3.0)


def test_calls_that_end_together_leave_over_what_takes_another_call():
    got = progress(left=250, samples=staircase(5), in_calls=100, calls=2, claims=5, now_ms=5000)
    assert got.eta_s == pytest.approx(3.0)


def apart(calls, each_ms=250):
    """Samples of calls of 100 references that end one after another, four of them at once."""
    ends = [each_ms * n for n in range(1, calls + 1)]
    return [ResultSample(end, 100 * n, 100 * sum(ends[:n]), 400, n) for n, end in enumerate(ends, 1)]


def test_calls_that_end_one_after_another_leave_over_no_more_than_they_are():
    got = progress(left=600, samples=apart(80), in_calls=400, calls=4, claims=6, now_ms=20_000)
    assert got.eta_s == pytest.approx(1.5)


def test_the_last_calls_end_as_long_after_those_before_them_as_a_call_takes():
    got = progress(left=200, samples=apart(80), in_calls=200, calls=2, claims=2, now_ms=20_100)
    assert got.eta_s == pytest.approx(0.4, abs=0.02)


def test_what_follows_two_calls_that_ended_together_ends_with_what_follows_them_not_with_a_later_one():
    newest, samples = ResultSample(0, 0, 0), []
    for n in range(1, 40):
        for at_ms, ended in ((1000 * n - 400, 2), (1000 * n, 1)):
            results = newest.count + 100 * ended
            newest = ResultSample(at_ms, results, newest.sum_ms + 100 * ended * at_ms, 300, newest.calls + ended)
            samples.append(newest)
    # Of five calls that are left, three in flight, the last begins a call after the second of the two.
    got = progress(left=500, samples=samples, in_calls=300, calls=3, claims=5, now_ms=39_000)
    assert got.eta_s == pytest.approx(1.6)


@pytest.mark.parametrize(("left", "laps"), [(400, 1), (450, 2), (800, 2), (850, 3)])
def test_a_list_that_is_not_full_is_a_call_too(left, laps):
    # Four calls at once that end together, and four that are staged, where there are so many.
    samples = [ResultSample(1000 * n, 400 * n, 200_000 * n * (n + 1), 400, 4 * n) for n in range(1, 6)]
    claims = min(8, -(-left // 100))
    got = progress(
        left=left, samples=samples, in_calls=400, calls=4, claims=claims, unclaimed=max(0, left - 800), now_ms=5000
    )  # fmt: skip
    assert got.eta_s == pytest.approx(laps)


def test_under_a_rate_calls_begin_one_after_another_however_few_are_in_flight():
    for calls in (1, 2):
        got = progress(
            left=1000, samples=apart(80), in_calls=100 * calls, calls=calls, claims=calls,
            unclaimed=1000 - 100 * calls, now_ms=20_000,
        )  # fmt: skip
        assert got.eta_s == pytest.approx(2.5, abs=0.2)


def test_a_clock_that_lags_behind_does_no_harm():
    assert at(-3000, staircase(3)).rate == pytest.approx(100.0)


def clock(now_s, *, last_s=10, idle_ms=0, paused_s=None, stops=NEVER):
    return clock_ms(
        started_at_ms=T0,
        idle_ms=idle_ms,
        last_at_ms=last_s * 1000 - idle_ms,
        paused_at_ms=None if paused_s is None else T0 + paused_s * 1000,
        stops=stops,
        now_ms=T0 + now_s * 1000,
    )


def test_the_clock_of_a_job_runs_from_its_start():
    assert clock(12) == 12_000
    assert clock(12, idle_ms=7000) == 5000


def test_it_stands_while_the_job_is_paused_but_for_calls_that_still_end():
    assert clock(60, paused_s=12) == 12_000
    assert clock(60, paused_s=8) == 10_000


def test_it_stands_while_the_account_is_paused_and_has_stood_when_it_goes_on():
    assert clock(60, stops=PauseHistory(T0 + 12_000, None, 0)) == 12_000
    assert clock(60, stops=PauseHistory(T0 + 12_000, T0 + 50_000, 0)) == 22_000


def test_a_pause_before_the_last_result_is_in_the_idle_time_already():
    assert clock(12, stops=PauseHistory(T0 + 1000, T0 + 5000, 0)) == 12_000


def test_it_stands_during_a_long_hold_and_runs_during_a_short_one():
    assert clock(60, stops=PauseHistory(0, 0, T0 + 70_000)) == 10_000
    assert clock(60, stops=PauseHistory(0, 0, T0 + 50_000)) == 20_000
    assert clock(60, stops=PauseHistory(0, 0, T0 + 10_000 + HOLD_MS - 1)) == 60_000


@pytest.mark.parametrize("in_calls", [800, 404, 8])
def test_where_lists_are_refused_and_each_reference_is_read_the_time_left_is_that_of_reads(in_calls):
    read = [
        ResultSample(100 * n, 40 * n, 40 * 50 * n * n, 800, 40 * n) for n in range(1, 21)
    ]  # 400 a second, one each call
    got = progress(left=2000, samples=read, in_calls=in_calls, calls=8, now_ms=2000, claims=12, unclaimed=1900, limit=8)
    assert got.rate == pytest.approx(400, rel=0.1)
    assert got.eta_s == pytest.approx(5.0, rel=0.1)
