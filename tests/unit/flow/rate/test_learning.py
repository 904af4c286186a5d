import pytest

from cancellist.jobs.flow.counters import Counters
from cancellist.jobs.flow.rate import learning
from cancellist.jobs.flow.rate.learning import outdated
from cancellist.jobs.flow.rate.state import Pacing, PacingPolicy
from cancellist.jobs.flow.sample import FlowSample

POLICY = PacingPolicy()
T0 = 1_000_000


def step(pacing, at_ms, *, saturated=False, in_flight=1, **counts):
    return learning.step(
        pacing,
        FlowSample(at_ms, at_ms - 250, in_flight, Counters(**counts)),
        POLICY,
        saturated=saturated,
        round_ms=100.0,
    )


def test_a_refusal_while_many_calls_are_in_flight_says_nothing_of_a_rate():
    pacing = step(Pacing(cycle_ms=T0), T0 + 250, refused=3, accepted=8)
    assert pacing.in_force_us == 0


def test_a_refusal_among_accepted_calls_one_at_a_time_is_chance():
    pacing = Pacing(cycle_ms=T0)
    for n in range(20):
        pacing = step(pacing, T0 + 1000 * n, refused=1)
        pacing = step(pacing, T0 + 1000 * n + 500, refused=1)
        pacing = step(pacing, T0 + 1000 * n + 900, accepted=5)
    assert pacing.in_force_us == 0


def test_one_call_at_a_time_that_is_refused_again_and_again_backs_off_ever_longer():
    pacing = Pacing(cycle_ms=T0, row=2)
    pauses = []
    for n in range(12):
        pacing = step(pacing, T0 + 1000 * n, refused=1)
        pauses.append(pacing.in_force_us)
    assert pauses[0] > 0
    assert pauses[1] == 2 * pauses[0]
    assert pauses[-1] == POLICY.slowest_ms * 1000


def test_one_overload_that_has_passed_tells_no_rate():
    pacing = step(Pacing(cycle_ms=T0), T0 + 500, accepted=20)
    pacing = step(pacing, T0 + 600, refused=4, with_retry_after=4)
    assert step(pacing, T0 + 2_000, accepted=5).interval_us == 0


def test_what_was_accepted_between_two_pardons_is_the_rate():
    pacing = Pacing(cycle_ms=T0, first_recovery_ms=T0)
    pacing = step(pacing, T0 + 500, accepted=20)
    pacing = step(pacing, T0 + 600, refused=4, with_retry_after=4)
    pacing = step(pacing, T0 + 2_000, accepted=5)
    assert 1e6 / pacing.interval_us == pytest.approx(10 * POLICY.margin, rel=0.001)


def test_what_was_in_flight_at_the_refusal_is_no_pardon():
    pacing = step(Pacing(cycle_ms=T0), T0 + 2_000, accepted=20)
    pacing = step(pacing, T0 + 2_100, refused=4, with_retry_after=4)
    assert step(pacing, T0 + 2_300, accepted=5).interval_us == 0


def test_a_rate_that_is_kept_is_raised_and_the_raise_is_taken_back_when_it_is_refused():
    pacing = Pacing(100_000, cycle_ms=T0, need=50, step=0.04)
    raised = step(pacing, T0 + 60_000, accepted=50)
    assert raised.interval_us < 100_000
    back = step(raised, T0 + 61_000, refused=1, with_retry_after=1)
    assert back.interval_us == 100_000
    assert back.need > 50


def test_a_rate_that_had_held_is_lowered_by_a_retry_after():
    assert step(Pacing(100_000, cycle_ms=T0, need=50), T0 + 500, refused=1, with_retry_after=1).interval_us > 100_000


def test_a_rate_that_had_held_is_lowered_by_plain_refusals_in_close_succession():
    pacing, intervals = Pacing(100_000, cycle_ms=T0, need=50), []
    for n in range(1, 6):
        pacing = step(pacing, T0 + 1_000 * n, refused=1, accepted=2)
        intervals.append(pacing.interval_us)
    assert intervals[:2] == [100_000] * 2
    assert intervals[-1] > 100_000


def test_plain_refusals_that_are_far_apart_are_chance_and_hold_nothing_up():
    pacing = Pacing(10_000, cycle_ms=T0, need=10_000, step=0.08)
    for n in range(1, 25):
        pacing = step(pacing, T0 + 1_000 * n, refused=1, accepted=99)
        assert pacing.in_force_us == 10_000


def test_one_plain_refusal_takes_back_the_raise_of_a_slow_rate_and_two_that_of_a_fast_one():
    slow = Pacing(4_800_000, cycle_ms=T0, safe_us=5_000_000, need=100)
    assert step(slow, T0 + 5_000, refused=1).interval_us == 5_000_000
    fast = Pacing(48_000, cycle_ms=T0, safe_us=50_000, need=100)
    once = step(fast, T0 + 500, refused=1, accepted=8)
    assert once.interval_us == 48_000
    assert step(once, T0 + 1_000, refused=1, accepted=8).interval_us == 50_000


def test_a_rate_that_holds_nothing_back_is_dropped():
    pacing = Pacing(1_000, cycle_ms=T0, need=10_000, step=0.04)
    for at_ms in range(T0, T0 + POLICY.unbound_ms + 500, 250):
        pacing = step(pacing, at_ms, accepted=1, saturated=True)
    assert pacing.interval_us == 0


def test_a_rate_that_binds_is_kept():
    pacing = Pacing(100_000, cycle_ms=T0, need=10_000, step=0.04)
    for at_ms in range(T0, T0 + 3 * POLICY.unbound_ms, 250):
        pacing = step(pacing, at_ms, accepted=1)
    assert pacing.interval_us == 100_000


@pytest.mark.parametrize(("every_ms", "calls"), [(1_000, 60), (5_000, 60), (20_000, 15)])
def test_a_slow_rate_is_tried_again_after_a_minute_or_five_however_often_it_was_refused(every_ms, calls):
    pacing = Pacing(1000 * every_ms, cycle_ms=T0, need=400, step=0.04)
    for n in range(1, calls):
        pacing = step(pacing, T0 + every_ms * n, accepted=1)
    assert pacing.interval_us == 1000 * every_ms
    pacing = step(pacing, T0 + every_ms * (calls + 1), accepted=2)
    assert pacing.interval_us < 1000 * every_ms


def refused_all_at_once(in_flight, **counts):
    sample = FlowSample(T0 + 1_030, T0 + 1_000, in_flight, Counters(**counts))
    return learning.step(Pacing(cycle_ms=T0), sample, POLICY, saturated=True, round_ms=100.0)


def test_refusals_of_all_calls_in_flight_at_the_same_time_mean_a_rate_at_once():
    assert refused_all_at_once(8, refused=8).in_force_us > 0
    assert refused_all_at_once(8, refused=4).in_force_us == 0
    assert refused_all_at_once(8, refused=8, accepted=1).in_force_us == 0


def test_calls_of_which_none_is_worked_on_any_more_are_refused_for_a_rate():
    pacing = step(Pacing(cycle_ms=T0), T0 + 250, accepted=4, in_flight=4)
    soon = step(pacing, T0 + 350, refused=4, in_flight=4)
    assert soon.in_force_us == 0
    assert step(soon, T0 + 600, refused=4, in_flight=4).in_force_us > 0


def test_failures_of_an_overloaded_platform_mean_no_rate():
    assert refused_all_at_once(8, refused=8, run=8).in_force_us == 0


def test_a_rate_of_three_calls_a_minute_is_measured_and_hoped_to_be_that_of_a_whole_minute():
    pacing = Pacing(cycle_ms=T0, first_recovery_ms=T0)
    pacing = step(pacing, T0 + 1_000, accepted=3)
    pacing = step(pacing, T0 + 2_000, refused=1, with_retry_after=1)
    pacing = step(pacing, T0 + 60_250, accepted=1)
    assert 1e6 / pacing.interval_us == pytest.approx(3 / 60 * POLICY.margin, rel=0.001)
    assert 1e6 / pacing.safe_us == pytest.approx(3 / 60.25 * POLICY.margin, rel=0.001)


def test_what_a_window_still_holds_from_before_the_rate_was_known_does_not_lower_it():
    pacing = Pacing(100_000, cycle_ms=T0, learnt_ms=T0, window_ms=5_000)
    assert step(pacing, T0 + 4_000, refused=1, with_retry_after=1).interval_us == 100_000
    assert step(pacing, T0 + 6_000, refused=1, with_retry_after=1).interval_us > 100_000


@pytest.mark.parametrize(
    ("pacing", "silent_ms", "is_so"),
    [
        (Pacing(), 60_001, True),
        (Pacing(100_000), 60_001, True),
        (Pacing(20_000_000), 60_001, False),
        (Pacing(20_000_000), 80_001, True),
        (Pacing(blocked_ms=T0), 600_000, False),
        (Pacing(blocked_ms=T0), 600_001, True),
    ],
)
def test_a_rate_outlives_the_silence_that_it_brings_with_it_but_no_longer_one(pacing, silent_ms, is_so):
    assert outdated(pacing, silent_ms, 60_000) is is_so


def test_a_rate_of_one_call_in_many_seconds_is_raised_though_samples_are_far_apart():
    pacing = Pacing(5_000_000, cycle_ms=T0, need=20, step=0.08)
    for n in range(1, 7):
        sample = FlowSample(T0 + 5_000 * n, T0 + 5_000 * (n - 1), 1, Counters(accepted=1))
        pacing = learning.step(pacing, sample, POLICY, saturated=True, round_ms=100.0)
    assert pacing.interval_us < 5_000_000


def test_a_rate_is_not_dropped_while_no_call_ends():
    pacing = Pacing(100_000, cycle_ms=T0, need=10_000, step=0.04)
    for n in range(1, 60):
        sample = FlowSample(T0 + 1_000 * n, T0 + 1_000 * (n - 1), 16, Counters())
        pacing = learning.step(pacing, sample, POLICY, saturated=True, round_ms=100.0)
    assert pacing.interval_us == 100_000
