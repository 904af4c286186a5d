"""The rate and the time left, in virtual time, against what then really happened."""

from random import Random

import pytest

from tests.scenarios.pace import PER_CALL, Load, play, steady

LATENCIES_MS = (20, 100, 500, 2000, 5000)
CONCURRENCIES = (1, 2, 8, 32)
WITHIN = 0.2


def rate_of(concurrency, latency_ms):
    return concurrency * PER_CALL * 1000 / latency_ms


@pytest.mark.parametrize("rounds", [20, 50, 200])
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_after_a_tenth_of_a_job_its_rate_and_its_time_left_are_right_within_a_fifth(latency_ms, concurrency, rounds):
    load = Load(rounds * concurrency, concurrency, lambda _: latency_ms)
    seen, end = play(load, max(7, latency_ms * rounds // 97))
    total = load.calls * PER_CALL
    after = [one for one in seen if one.left <= 0.9 * total]
    assert len(after) > 30
    for one in after:
        got = one.progress()
        assert got.rate == pytest.approx(rate_of(concurrency, latency_ms), rel=WITHIN), one.now_ms
        # While calls that end together do, one by one, the next may be a millisecond away, or a call.
        assert got.eta_s == pytest.approx((end - one.now_ms) / 1000, rel=WITHIN, abs=0.01 + latency_ms / 1000)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("concurrency", [4, 8, 32])
@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_calls_of_uneven_length_that_spread_over_time_make_no_difference(latency_ms, concurrency, seed):
    load = Load(40 * concurrency, concurrency, steady(latency_ms, 0.3, Random(f"{latency_ms} {concurrency} {seed}")))
    seen, end = play(load, max(7, latency_ms * 40 // 97))
    wrong = []
    for one in seen:
        if one.left > 0.9 * load.calls * PER_CALL:
            continue
        got, left_s = one.progress(), (end - one.now_ms) / 1000
        if abs(got.rate / rate_of(concurrency, latency_ms) - 1) > WITHIN:
            wrong.append((one.now_ms, got))
        elif abs(got.eta_s - left_s) > WITHIN * left_s + 1.3 * latency_ms / 1000:
            wrong.append((one.now_ms, got, left_s))
    assert not wrong


@pytest.mark.parametrize(
    ("before_ms", "after_ms"), [(100, 300), (300, 100), (500, 1500), (1500, 500), (20, 2000), (2000, 20), (1000, 1300)]
)
@pytest.mark.parametrize("concurrency", [1, 4, 32])
def test_ten_seconds_after_a_change_they_are_right_again(before_ms, after_ms, concurrency):
    change_ms = 40_000
    calls = concurrency * (change_ms // before_ms + 60_000 // after_ms)
    load = Load(calls, concurrency, lambda at: before_ms if at < change_ms else after_ms)
    seen, end = play(load, 173)
    # A call that is under way at the change still takes its old time.
    after = [one for one in seen if one.now_ms >= change_ms + before_ms + 10_000]
    assert len(after) > 100
    for one in after:
        got = one.progress()
        assert got.rate == pytest.approx(rate_of(concurrency, after_ms), rel=WITHIN), one.now_ms
        assert got.eta_s == pytest.approx((end - one.now_ms) / 1000, rel=WITHIN, abs=0.05 + 0.1 * after_ms / 1000)


@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_a_platform_that_has_stopped_is_seen_to_within_a_window_or_three_calls(latency_ms):
    seen, _ = play(Load(800, 8, lambda _: latency_ms), max(7, latency_ms * 100 // 97))
    one = seen[len(seen) // 2]
    rate = one.progress().rate
    assert one.progress(late_ms=3 * latency_ms).rate < 0.9 * rate or latency_ms < 1000
    stopped = one.progress(late_ms=max(10_000, 4 * latency_ms) + latency_ms)
    assert (stopped.rate, stopped.eta_s) == (0.0, None)
