import pytest

from jobs.progress import WINDOW_MS, Progress, progress

T0 = 1_795_000_000_000


def at(now_s, settled, samples=(), *, total=1000, started=T0, finished=None):
    return progress(
        total=total,
        settled=settled,
        started_at_ms=started,
        finished_at_ms=finished,
        samples=[(T0 + s * 1000, count) for s, count in samples],
        now_ms=T0 + now_s * 1000,
    )


def test_nothing_can_be_said_of_a_job_that_has_not_begun():
    assert at(50, 0, started=None) == Progress(None, None)


def test_nothing_can_be_said_in_the_very_millisecond_of_its_start():
    assert at(0, 0) == Progress(None, None)


def test_a_clock_that_lags_behind_the_start_does_no_harm():
    assert at(-3, 5) == Progress(None, None)


def test_a_young_job_is_reckoned_from_its_start():
    assert at(4, 400, [(1, 100), (2, 200), (3, 300)]) == Progress(100.0, 6.0)


def test_an_old_job_is_reckoned_over_the_last_ten_seconds():
    samples = [(s, 1000 * s if s < 50 else 50_000 + 10 * (s - 50)) for s in range(49, 61)]
    got = at(61, 50_110, samples, total=50_210)
    assert WINDOW_MS == 10_000
    assert got.rate == pytest.approx(10.0)
    assert got.eta_s == pytest.approx(10.0)


def test_a_job_that_stands_still_has_a_rate_of_nought_and_no_end_in_sight():
    assert at(30, 700, [(5, 300), (15, 700)]) == Progress(0.0, None)


def test_an_ended_job_is_reckoned_over_its_whole_life():
    assert at(500, 1000, [(1, 10), (2, 20)], finished=T0 + 20_000) == Progress(50.0, 0.0)


def test_a_job_that_ended_in_the_millisecond_of_its_start_has_no_rate_and_no_time_left():
    assert at(5, 1000, finished=T0) == Progress(None, 0.0)


def test_a_job_that_ended_before_a_call_was_made_has_no_time_left():
    assert at(5, 1000, started=None, finished=T0) == Progress(None, 0.0)
