from cancellist.jobs.flow import controller
from cancellist.jobs.flow.concurrency import ConcurrencyState
from cancellist.jobs.flow.controller import FlowPolicy, FlowState
from cancellist.jobs.flow.counters import Counters, Sized
from cancellist.jobs.flow.rate.spacing import spread_us
from cancellist.jobs.flow.rate.state import Pacing, PacingPolicy

POLICY = PacingPolicy(spread=1.25)
T0 = 1_000_000


def test_slow_calls_begin_one_after_the_other_once_a_limit_was_met():
    assert spread_us(ConcurrencyState(10.0, round_ms=2_000.0, lowered_ms=T0), POLICY) == 160_000


def test_fast_calls_and_those_that_no_limit_has_held_back_may_begin_at_once():
    assert spread_us(ConcurrencyState(10.0, round_ms=900.0, lowered_ms=T0), POLICY) == 0
    assert spread_us(ConcurrencyState(10.0, round_ms=2_000.0), POLICY) == 0


def after(pacing):
    counters = Counters(accepted=10, sizes={0: Sized(10, 10, 20_000.0)})
    limiter = ConcurrencyState(10.0, refused_at=11, round_ms=2_000.0, lowered_ms=T0 - 60_000)
    state = FlowState(T0, limiter, pacing=pacing)
    return controller.step(state, {"d": counters}, 10, FlowPolicy(32), T0 + 250, 0.5)


def test_the_limit_is_found_anew_as_calls_begin_to_be_spread_and_kept_while_they_are():
    assert after(Pacing()).limiter.refused_at == 0
    assert after(Pacing(spread_us=185_000)).limiter.refused_at == 11


def test_a_rate_that_is_known_goes_before_the_spread():
    assert after(Pacing(interval_us=300_000)).interval_us == 300_000
