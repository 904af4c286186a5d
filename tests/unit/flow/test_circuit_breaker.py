from dataclasses import replace

import pytest

from cancellist.jobs.flow import circuit_breaker
from cancellist.jobs.flow.circuit_breaker import Breaker, BreakerPolicy, Mode, pause_ms, probe_now
from cancellist.jobs.flow.counters import Counters
from cancellist.jobs.flow.sample import FlowSample
from cancellist.jobs.model import BreakerCause

POLICY = BreakerPolicy()
T0 = 1_000_000


def after(breaker, counts, at_ms=T0, jitter=0.999999, **known):
    return circuit_breaker.step(breaker, FlowSample(at_ms, at_ms - 250, 4, counts), POLICY, jitter, **known)


def test_a_denial_opens_at_once():
    got = after(Breaker(), Counters(accepted=1, denied=1, why="HTTP 401"))
    assert (got.mode, got.kind, got.why) == (Mode.OPEN, BreakerCause.DENIED, "HTTP 401")
    assert got.next_probe_ms == T0 + POLICY.denied_first_ms


def test_a_run_of_failures_opens_and_one_less_does_not():
    less = POLICY.threshold - 1
    assert after(Breaker(), Counters(failed=less, run=less)).closed
    got = after(Breaker(), Counters(failed=less, timed_out=1, run=less + 1, why="no answer in time"))
    assert (got.mode, got.kind, got.why) == (Mode.OPEN, BreakerCause.OUTAGE, "no answer in time")


def test_a_run_goes_on_over_samples_and_an_accepted_call_ends_it():
    breaker = Breaker()
    for n in range(1, 5):
        breaker = after(breaker, Counters(failed=1, run=n))
        assert (breaker.run, breaker.closed) == (n, True)
    assert after(breaker, Counters(accepted=1)).run == 0
    assert not after(breaker, Counters(failed=1, run=5)).closed


def test_refusals_for_load_are_no_outage_but_overload_is():
    assert after(Breaker(), Counters(refused=9)).closed
    assert not after(Breaker(), Counters(refused=9, run=9)).closed


def test_runs_of_many_drains_that_others_have_ended_meanwhile_open_nothing():
    assert after(Breaker(), Counters(accepted=40, failed=2, run=9)).closed


@pytest.mark.parametrize(("kind", "most"), [(BreakerCause.OUTAGE, 3_000), (BreakerCause.DENIED, 60_000)])
def test_pauses_double_up_to_the_longest_and_never_fall_below_half(kind, most):
    longest = [pause_ms(kind, tries, POLICY, 0.999999) for tries in range(40)]
    shortest = [pause_ms(kind, tries, POLICY, 0.0) for tries in range(40)]
    assert longest[1] == 2 * longest[0]
    assert longest[-1] == most
    assert all(low * 2 == pytest.approx(high, abs=2) for low, high in zip(shortest, longest, strict=True))


def test_a_probe_that_passes_closes_and_one_that_fails_opens_for_longer():
    opened = after(Breaker(), Counters(denied=1, why="HTTP 401"))
    due = after(opened, Counters(), opened.next_probe_ms)
    assert due.mode is Mode.HALF_OPEN
    failed = after(due, Counters(denied=1, probes_failed=1, why="HTTP 403"), due.since_ms + 50)
    assert (failed.mode, failed.why, failed.tries) == (Mode.OPEN, "HTTP 403", 2)
    assert failed.next_probe_ms - failed.since_ms == 2 * POLICY.denied_first_ms
    passed = after(failed, Counters(accepted=1, probes_passed=1), failed.next_probe_ms)
    assert (passed.mode, passed.next_probe_ms, passed.run) == (Mode.CLOSED, 0, 0)


def test_what_belongs_to_calls_from_before_it_opened_changes_nothing():
    opened = after(Breaker(), Counters(denied=1, why="HTTP 401"))
    late = after(opened, Counters(accepted=1, denied=1, failed=1, run=1, why="reset"), T0 + 5)
    assert replace(late, run=0) == opened


def test_a_breaker_that_opens_again_soon_goes_on_with_longer_pauses():
    opened = after(Breaker(), Counters(denied=1, why="HTTP 401"))
    closed = after(opened, Counters(accepted=1, probes_passed=1), opened.next_probe_ms)
    soon = after(closed, Counters(denied=1, why="HTTP 401"), closed.since_ms + 100)
    assert soon.next_probe_ms - soon.since_ms == 2 * POLICY.denied_first_ms
    settled = after(closed, Counters(accepted=1), closed.since_ms + POLICY.settled_ms)
    assert settled.tries == 0


def test_a_person_makes_the_next_probe_due():
    opened = after(Breaker(), Counters(denied=1, why="HTTP 401"))
    assert probe_now(opened, T0 + 3).next_probe_ms == T0 + 3
    assert probe_now(Breaker(), T0) == Breaker()
