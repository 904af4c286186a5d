from dataclasses import replace

from cancellist.jobs.flow import concurrency
from cancellist.jobs.flow.concurrency import (
    ConcurrencyPolicy,
    ConcurrencyState,
    clear,
    enough,
    resume,
    start,
    suspend,
)
from cancellist.jobs.flow.counters import Counters, Sized, bucket
from cancellist.jobs.flow.sample import FlowSample

POLICY = ConcurrencyPolicy()
ROUND_MS = 100
T0 = 1_000_000
CEILING = 32


def counts(accepted=0, refused=0, timed_out=0):
    sizes = {bucket(100): Sized(accepted, 100 * accepted, float(ROUND_MS * accepted))} if accepted else {}
    return Counters(accepted=accepted, refused=refused, timed_out=timed_out, sizes=sizes)


class Story:
    """A limiter in steps of time; calls in flight are as many as the limit allows unless told."""

    def __init__(self, limit=8.0, by_chance=0.0, **state):
        self.by_chance = by_chance
        self.limiter = ConcurrencyState(limit, round_ms=float(ROUND_MS), **state)
        self.at_ms = T0

    def step(self, span_ms=ROUND_MS, *, in_flight=None, slowed=False, **came):
        self.at_ms += span_ms
        in_flight = int(self.limiter.limit) if in_flight is None else in_flight
        sample = FlowSample(self.at_ms, self.at_ms - span_ms, in_flight, counts(**came))
        self.limiter = concurrency.step(self.limiter, sample, POLICY, CEILING, slowed=slowed, by_chance=self.by_chance)
        return self.limiter


def test_without_knowledge_the_limit_is_sixteen_or_the_ceiling_if_lower():
    assert start(POLICY, 32, T0).limit == 16
    assert start(POLICY, 4, T0).limit == 4
    assert start(POLICY, 0, T0).limit == 1


def test_it_grows_by_one_a_round_trip_where_it_was_reached_up_to_the_ceiling():
    story = Story(8.0)
    assert story.step(accepted=8).limit == 9
    assert story.step(accepted=9).limit == 10
    for _ in range(60):
        story.step(accepted=10)
    assert story.limiter.limit == CEILING


def test_it_grows_by_a_quarter_a_move_at_most_and_by_one_once_it_was_refused():
    assert Story(8.0).step(1_000, accepted=80).limit == 10
    assert Story(8.0, lowered_ms=T0 - 60_000).step(1_000, accepted=80).limit == 9


def test_it_does_not_grow_where_calls_are_few_or_take_longer():
    assert Story(8.0).step(accepted=5, in_flight=5).limit == 8
    assert Story(8.0).step(accepted=8, slowed=True).limit == 8


def test_refusals_within_one_round_trip_are_one_decrease():
    story = Story(12.0, raised_ms=T0)
    first = story.step(5, refused=1).limit
    assert 10 <= first < 12
    assert story.step(5, refused=1).limit == first
    assert story.step(5, in_flight=11, accepted=3).limit == first


def test_a_share_that_was_refused_is_taken_off_at_the_end_of_the_round_trip():
    story = Story(12.0, raised_ms=T0)
    for _ in range(4):
        story.step(2, refused=1)
    assert int(story.step(ROUND_MS, in_flight=12, accepted=4).limit) == 8


def test_calls_refused_beside_others_of_which_nothing_is_known_yet_show_at_once_how_many_fit():
    story = Story(16.0)
    story.limiter = start(POLICY, CEILING, T0)
    assert story.step(10, refused=4).limit == 12
    assert story.step(20, refused=4, in_flight=16).limit == 8


def test_it_falls_to_what_fits_in_a_round_trip():
    story = Story(12.0, raised_ms=T0)
    story.step(2, refused=9)
    assert story.step(ROUND_MS, in_flight=12, accepted=1).limit == 3


def test_one_refusal_at_a_level_that_was_long_in_use_may_be_chance():
    story = Story(16.0)
    assert story.step(refused=1, accepted=15, in_flight=8).limit == 16
    for _ in range(20):
        story.step(accepted=16, in_flight=8)
    assert story.step(refused=1, accepted=15, in_flight=8).limit == 16


def test_refusals_that_go_on_are_not_chance():
    story = Story(16.0)
    for _ in range(6):
        story.step(refused=1, accepted=15, in_flight=16)
    assert story.limiter.limit < 16
    assert story.limiter.refused_at


def test_it_stays_below_the_level_that_was_refused_until_calls_have_paid_for_a_look():
    story = Story(4.0, refused_at=5)
    for _ in range(POLICY.trial_after // 4 - 1):
        assert story.step(accepted=4).limit == 4
    assert story.step(accepted=4).limit == 5
    failed = story.step(5, refused=1)
    assert (failed.limit, failed.refused_at) == (4, 5)
    assert failed.credit <= 0


def test_a_look_whose_one_call_too_many_is_refused_twice_goes_back_by_one():
    story = Story(7.0, refused_at=8, credit=float(POLICY.trial_after))
    assert story.step(accepted=7).limit == 8
    assert story.step(5, refused=2).limit == 7
    assert story.step(ROUND_MS, accepted=7, in_flight=7).limit == 7


LOSSY = 0.1


def test_a_look_among_losses_by_chance_goes_on_until_it_tells():
    story = Story(19.0, LOSSY, refused_at=20, credit=float(POLICY.trial_after))
    assert story.step(accepted=19).limit == 20
    rounds = 0
    while story.limiter.trial_ms:
        story.step(accepted=18, refused=rounds % 2)  # half of what is to be expected
        rounds += 1
        assert rounds < 20
    assert rounds > 2
    assert (story.limiter.refused_at, story.limiter.log_odds) == (0, 0)


def test_a_look_among_losses_by_chance_fails_where_more_are_lost_in_each_round_trip():
    story = Story(19.0, LOSSY, refused_at=20, credit=float(POLICY.trial_after))
    story.step(accepted=19)
    rounds = 0
    while story.limiter.trial_ms:
        story.step(accepted=16, refused=4)
        rounds += 1
        assert rounds < 20
    assert (story.limiter.limit, story.limiter.refused_at) == (19, 20)


def test_a_look_that_goes_well_forgets_the_level_and_growth_goes_on():
    story = Story(4.0, refused_at=5, credit=float(POLICY.trial_after))
    story.step(accepted=4)
    levels = [int(story.step(250, accepted=12).limit) for _ in range(6)]
    assert story.limiter.refused_at == 0
    assert levels[-1] >= 12


def test_timeouts_lower_it_without_marking_a_level():
    story = Story(8.0, raised_ms=T0)
    lowered = story.step(timed_out=3)
    assert lowered.limit < 8
    assert lowered.refused_at == 0


def test_a_level_that_gains_nothing_is_as_good_as_refused():
    got = enough(ConcurrencyState(12.0), 8.0)
    assert (got.limit, got.refused_at) == (8, 9)
    assert got.credit == 0


def test_an_outage_costs_nothing_of_the_limit():
    story = Story(16.0, raised_ms=T0)
    story.step(2, refused=12)
    story.step(ROUND_MS, in_flight=16)
    assert story.limiter.limit <= 8
    suspended = suspend(story.limiter, story.at_ms + 10)
    assert suspended.limit == 16
    story.limiter = resume(suspended, story.at_ms)
    assert story.limiter.limit == 16
    assert story.step(refused=2).limit < 16


def test_refusals_of_a_rate_are_not_held_against_the_limit():
    got = clear(replace(ConcurrencyState(1.0, refused_at=2), limit_before_decreases=16.0))
    assert (got.limit, got.refused_at) == (16, 0)


def test_it_does_not_grow_while_no_call_ends():
    story = Story(8.0)
    story.limiter = resume(story.limiter, T0)
    for _ in range(60):
        story.step(1_000, in_flight=8)
    assert story.limiter.limit == 8


def test_slow_calls_raise_it_by_one_a_round_trip_though_it_is_moved_more_often():
    story = Story(8.0)
    for _ in range(3):
        for _ in range(9):
            story.step(ROUND_MS // 10)
        story.step(ROUND_MS // 10, accepted=int(story.limiter.limit))
    assert 10.5 <= story.limiter.limit <= 11
