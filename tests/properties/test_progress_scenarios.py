"""The rate and the time left, in virtual time, against what then really happened."""

from dataclasses import replace
from random import Random

import pytest

from tests.scenarios.simulator.pace import PER_CALL, Load, even, play, steady, wrong

LATENCIES_MS = (20, 100, 500, 2000, 5000)
CONCURRENCIES = (1, 2, 7, 8, 32)
WITHIN = 0.2


def rate_of(concurrency, latency_ms):
    return concurrency * PER_CALL * 1000 / latency_ms


def unrounded_s(latency_ms):
    """Fast calls are told apart no finer than samples are, and a call's time is known to some hundredths."""
    return 0.02 + 0.06 * latency_ms / 1000


@pytest.mark.parametrize("rounds", [20, 50.5, 200])
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_after_a_tenth_of_a_job_its_rate_and_its_time_left_are_right_within_a_fifth(latency_ms, concurrency, rounds):
    load = Load(even(int(rounds * concurrency)), lambda _: concurrency, lambda _: latency_ms)
    seen, end = play(load, max(7, int(latency_ms * rounds // 97)))
    after = [one for one in seen if one.left <= 0.9 * sum(load.lists)]
    assert len(after) > 30
    rate = rate_of(concurrency, latency_ms)
    assert not wrong(after, end, rate=rate, within=WITHIN, and_s=unrounded_s(latency_ms))


def later(seen, by_ms):
    """The same of a job whose clock has run for so long when its calls begin: behind those of another."""
    samples = [
        replace(one, at_ms=one.at_ms + by_ms, sum_ms=one.sum_ms + one.count * by_ms) for one in seen.samples
    ]  # fmt: skip
    return replace(seen, now_ms=seen.now_ms + by_ms, samples=samples)


@pytest.mark.parametrize("rounds", [20, 50.5])
@pytest.mark.parametrize("behind", [0.3, 1, 1.7, 3])
@pytest.mark.parametrize("concurrency", [7, 8, 32])  # one or two calls at once tell it later
@pytest.mark.parametrize("latency_ms", [100, 500, 2000])
def test_so_they_are_where_its_calls_begin_long_after_it_once_two_of_them_have_followed_each_other(
    latency_ms, concurrency, behind, rounds
):
    lists = even(int(rounds * concurrency))
    load = Load(lists, lambda _: concurrency, lambda _: latency_ms)
    seen, end = play(load, max(7, int(latency_ms * rounds // 97)))
    by_ms = int(behind * latency_ms)
    known = sum(lists) - 2 * concurrency * PER_CALL
    after = [later(one, by_ms) for one in seen if one.left <= min(0.9 * sum(lists), known)]
    assert len(after) > 30
    rate = rate_of(concurrency, latency_ms)
    assert not wrong(after, end + by_ms, rate=rate, within=WITHIN, and_s=unrounded_s(latency_ms))


@pytest.mark.parametrize("more", [0, 50, 130, 450, 750])
@pytest.mark.parametrize("concurrency", [2, 7, 8, 32])
@pytest.mark.parametrize("latency_ms", [100, 500, 2000])
def test_lists_that_are_shorter_now_and_then_make_no_difference_nor_does_a_rest(latency_ms, concurrency, more):
    lists, left = [], 30 * concurrency * PER_CALL + more
    while left:
        lists.append(min(left, PER_CALL // 2 if len(lists) % 20 == 19 else PER_CALL))
        left -= lists[-1]
    load = Load(lists, lambda _: concurrency, lambda _: latency_ms)
    seen, end = play(load, max(7, latency_ms * 30 // 97))
    after = [one for one in seen if one.left <= 0.9 * sum(lists)]
    rate = rate_of(concurrency, latency_ms) * sum(lists) / len(lists) / PER_CALL
    assert not wrong(after, end, rate=rate, within=WITHIN, and_s=unrounded_s(latency_ms))


@pytest.mark.parametrize("laps", [20, 20.37, 20.74, 36.5, 38.2])
@pytest.mark.parametrize("concurrency", [8, 32])
@pytest.mark.parametrize("latency_ms", [100, 500, 2000])
def test_an_experiment_with_a_lower_limit_makes_no_difference_even_as_it_parts_calls_that_ended_together(
    latency_ms, concurrency, laps
):
    begins_ms = laps * latency_ms

    def limit(at_ms):
        return int(0.85 * concurrency) if begins_ms <= at_ms < begins_ms + 4 * latency_ms else concurrency

    load = Load(even(40 * concurrency + 3), limit, lambda _: latency_ms)
    seen, end = play(load, max(7, latency_ms * 40 // 97))
    after = [one for one in seen if one.left <= 0.9 * sum(load.lists)]
    found = wrong(after, end, rate=rate_of(concurrency, latency_ms), within=WITHIN, and_s=unrounded_s(latency_ms))
    assert len(found) <= 0.1 * len(after), found


@pytest.mark.parametrize("gap_ms", [20, 50, 500])
@pytest.mark.parametrize("latency_ms", [80, 200])
def test_a_rate_of_calls_tells_the_time_left_whatever_is_in_flight(latency_ms, gap_ms):
    load = Load(even(400), lambda _: 64, lambda _: latency_ms, gap_ms)
    seen, end = play(load, 4 * gap_ms)
    after = [one for one in seen if one.left <= 0.9 * sum(load.lists)]
    rate = PER_CALL * 1000 / gap_ms
    assert not wrong(after, end, rate=rate, within=WITHIN, and_s=0.05 + 0.1 * max(latency_ms, gap_ms) / 1000)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("concurrency", [4, 8, 32])
@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_calls_of_uneven_length_that_spread_over_time_make_no_difference(latency_ms, concurrency, seed):
    latency = steady(latency_ms, 0.3, Random(f"{latency_ms} {concurrency} {seed}"))
    load = Load(even(40 * concurrency), lambda _: concurrency, latency)
    seen, end = play(load, max(7, latency_ms * 40 // 97))
    after = [one for one in seen if one.left <= 0.9 * sum(load.lists)]
    # The last call may be a long one or a short one: nothing can tell, and the time left is off by as much.
    assert not wrong(
        after, end, rate=rate_of(concurrency, latency_ms), within=WITHIN, and_s=0.02 + 0.3 * latency_ms / 1000
    )


@pytest.mark.parametrize(
    ("before_ms", "after_ms"), [(100, 300), (300, 100), (500, 1500), (1500, 500), (20, 2000), (2000, 20), (1000, 1300)]
)
@pytest.mark.parametrize("concurrency", [1, 4, 32])
def test_ten_seconds_after_a_change_they_are_right_again(before_ms, after_ms, concurrency):
    change_ms = 40_000
    calls = concurrency * (change_ms // before_ms + 60_000 // after_ms)
    load = Load(even(calls), lambda _: concurrency, lambda at: before_ms if at < change_ms else after_ms)
    seen, end = play(load, 173)
    # A call that is under way at the change still takes its old time.
    after = [one for one in seen if one.now_ms >= change_ms + before_ms + 10_000]
    assert len(after) > 100
    assert not wrong(after, end, rate=rate_of(concurrency, after_ms), within=WITHIN, and_s=unrounded_s(after_ms))


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_what_an_earlier_version_has_kept_without_counting_calls_does_as_well_where_lists_are_alike(
    latency_ms, concurrency
):
    load = Load(even(50 * concurrency + concurrency // 2), lambda _: concurrency, lambda _: latency_ms)
    seen, end = play(load, max(7, latency_ms * 50 // 97))
    after = [one for one in seen if one.left <= 0.9 * sum(load.lists)]
    rate = rate_of(concurrency, latency_ms)
    assert not wrong(after, end, rate=rate, within=WITHIN, and_s=unrounded_s(latency_ms), counted=False)


@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
def test_a_platform_that_has_stopped_is_seen_to_within_a_window_or_three_calls(latency_ms):
    seen, _ = play(Load(even(800), lambda _: 8, lambda _: latency_ms), max(7, latency_ms * 100 // 97))
    one = seen[len(seen) // 2]
    rate = one.progress().rate
    assert one.progress(late_ms=3 * latency_ms).rate < 0.9 * rate or latency_ms < 1000
    stopped = one.progress(late_ms=max(10_000, 4 * latency_ms) + latency_ms)
    assert (stopped.rate, stopped.eta_s) == (0.0, None)
