import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.eta import PauseHistory, clock_ms, progress
from cancellist.jobs.progress.throughput import START

EXAMPLES = settings(max_examples=120, deadline=None)
T0 = 1_795_456_800_000
ticks = st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 5000), st.integers(0, 5000)), max_size=33)


def story(ticks, rest_ms, left, in_calls, calls):
    """A job's samples as the ledger keeps them, and where it stands `rest_ms` after the last."""
    last, samples = START, []
    for step_ms, results, then_in_calls in ticks:
        at = last.at_ms + step_ms
        last = ResultSample(at, last.count + results, last.sum_ms + results * at, then_in_calls)
        samples.append(last)
    return {"samples": samples, "now_ms": last.at_ms + rest_ms, "left": left, "in_calls": in_calls, "calls": calls}


stories = st.builds(
    story, ticks, st.integers(-100_000, 100_000), st.integers(0, 10**7), st.integers(0, 5000), st.integers(0, 64)
)


@EXAMPLES
@given(stories)
def test_the_rate_and_the_time_left_are_never_negative_and_one_needs_the_other(told):
    got = progress(**told)
    assert got.rate is None or got.rate >= 0.0
    assert (got.eta_s is not None) == bool(got.rate)
    if got.eta_s is not None:
        lap = max(told["in_calls"], *(sample.in_calls or 0 for sample in told["samples"]), 1)
        assert 0.0 <= got.eta_s <= (told["left"] + lap) / got.rate * 1.001


@EXAMPLES
@given(stories, st.integers(1, 10**6))
def test_more_references_never_take_less_time(told, more):
    got, later = progress(**told), progress(**told | {"left": told["left"] + more})
    assert later.rate == got.rate
    if got.eta_s is not None:
        assert later.eta_s >= got.eta_s


@EXAMPLES
@given(st.integers(1, 5000), st.integers(20, 3000), st.integers(1, 60), st.integers(0, 999))
def test_a_steady_job_shows_its_steady_rate(results, step_ms, steps, rest):
    ticks = [(step_ms, results, results)] * steps
    told = story(ticks[:33], step_ms * rest // 1000, 100 * results, results, 1)
    assert progress(**told).rate == pytest.approx(results * 1000 / step_ms)


@EXAMPLES
@given(st.integers(-(10**6), 10**6), *[st.integers(0, 10**6)] * 4, st.none() | st.integers(0, 10**6))
def test_the_clock_of_a_job_never_runs_faster_than_time(now, idle, last, since, hold, until):
    stops = PauseHistory(T0 + since, None if until is None else T0 + since + until, T0 + hold)
    got = clock_ms(
        started_at_ms=T0, idle_ms=idle, last_at_ms=last, paused_at_ms=None, stops=stops, now_ms=T0 + now
    )  # fmt: skip
    assert got <= now - idle
