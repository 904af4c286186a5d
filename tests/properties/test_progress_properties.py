from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.progress import WINDOW_MS, progress

EXAMPLES = settings(max_examples=120, deadline=None)
T0 = 1_795_456_800_000
ticks = st.lists(st.tuples(st.integers(1000, 60_000), st.integers(0, 5000)), max_size=40)


def story(ticks, rest_ms, more, missing):
    """A job's samples as the ledger keeps them, and where it stands `rest_ms` after the last."""
    at, count, samples = T0, 0, []
    for step_ms, settled in ticks:
        at, count = at + step_ms, count + settled
        samples.append((at, count))
    settled = count + more
    return {
        "total": settled + missing, "settled": settled, "started_at_ms": T0, "finished_at_ms": None,
        "samples": samples[-12:], "now_ms": at + rest_ms,
    }  # fmt: skip


stories = st.builds(story, ticks, st.integers(0, 100_000), st.integers(0, 5000), st.integers(0, 10**7))


@EXAMPLES
@given(stories)
def test_the_rate_and_the_time_left_are_never_negative_and_agree(told):
    got = progress(**told)
    assert got.rate is None or got.rate >= 0.0
    if got.eta_s is not None:
        assert got.eta_s >= 0.0
        assert got.eta_s * got.rate == pytest.approx(told["total"] - told["settled"])
    if got.rate:
        assert got.eta_s is not None


@EXAMPLES
@given(stories)
def test_the_rate_lies_between_the_slowest_and_the_fastest_stretch(told):
    got = progress(**told)
    marks = [(T0, 0), *told["samples"], (told["now_ms"], told["settled"])]
    stretches = [(b[1] - a[1]) * 1000 / (b[0] - a[0]) for a, b in pairwise(marks) if b[0] > a[0]]
    jumped = told["samples"] and told["samples"][-1][0] == told["now_ms"]
    if got.rate is not None and not jumped:
        assert min(stretches) * 0.999 <= got.rate <= max(stretches) * 1.001


@EXAMPLES
@given(stories, st.integers(0, 10**6))
def test_an_ended_job_has_its_overall_rate_and_no_time_left(told, took_ms):
    got = progress(**told | {"finished_at_ms": T0 + took_ms, "settled": told["total"]})
    assert got.eta_s == 0.0
    assert got.rate is None if took_ms == 0 else got.rate == pytest.approx(told["total"] * 1000 / took_ms)


@EXAMPLES
@given(st.integers(1, 5000), st.integers(1, 3000), st.integers(0, 999))
def test_a_steady_job_shows_its_steady_rate(per_second, seconds, rest_ms):
    now = T0 + seconds * 1000 + rest_ms
    samples = [(T0 + s * 1000, s * per_second) for s in range(max(1, seconds - 11), seconds + 1)]
    settled = per_second * (seconds * 1000 + rest_ms) // 1000
    got = progress(
        total=settled + per_second, settled=settled, started_at_ms=T0, finished_at_ms=None, samples=samples, now_ms=now
    )
    assert got.rate == pytest.approx(per_second, abs=1.0)


@EXAMPLES
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(-(10**6), 10**6))
def test_no_clock_however_wrong_raises(total, settled, skew_ms):
    samples = [(T0 + s * 1000, s) for s in range(12)]
    got = progress(
        total=total + settled, settled=settled, started_at_ms=T0, finished_at_ms=None, samples=samples,
        now_ms=T0 + skew_ms,
    )  # fmt: skip
    assert got.rate is None or skew_ms > -WINDOW_MS
