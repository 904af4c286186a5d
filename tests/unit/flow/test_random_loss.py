from dataclasses import replace

from cancellist.jobs.flow import random_loss
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy, ConcurrencyState
from cancellist.jobs.flow.counters import Counters
from cancellist.jobs.flow.random_loss import Losses, RandomLossPolicy
from cancellist.jobs.flow.sample import FlowSample

POLICY, LIMITS = RandomLossPolicy(), ConcurrencyPolicy()
T0 = 1_000_000


class Story:
    """Losses and a limiter that is lowered where the story says so; a sample is a round trip."""

    def __init__(self, limit, losses=Losses(), limits=LIMITS):  # noqa: B008 - frozen
        self.limits = limits
        self.limiter = ConcurrencyState(limit, round_ms=100.0)
        self.losses = losses
        self.at_ms = T0

    def step(self, *, lowered_to=None, accepted=0, refused=0, timed_out=0):
        self.at_ms += 200
        before = self.limiter
        if lowered_to:
            self.limiter = replace(self.limiter, limit=lowered_to, lowered_ms=self.at_ms, refused_at=int(before.limit))
        came = Counters(accepted=accepted, refused=refused, timed_out=timed_out)
        sample = FlowSample(self.at_ms, self.at_ms - 200, int(before.limit), came)
        self.losses, self.limiter = random_loss.step(self.losses, before, self.limiter, sample, POLICY, self.limits)
        return self.losses

    def lowered_twice(self):
        self.step(lowered_to=18.0, refused=1)
        self.step(accepted=27, refused=3)
        self.step(lowered_to=17.0, refused=1)


def weighing(limit=20.0):
    story = Story(limit)
    story.lowered_twice()
    assert story.losses.weighing
    return story


def tried():
    story = weighing()
    story.step(accepted=53, refused=6)
    assert story.losses.share > 0
    return story


def test_losses_that_lower_a_limit_again_are_counted_at_a_level_that_stays_until_there_are_enough():
    story = weighing()
    story.step(accepted=20, refused=2)
    assert (story.losses.weighing, story.losses.tried, story.limiter.limit) == (True, True, 17)
    story.step(accepted=30, refused=4)
    assert (story.losses.weighing, story.losses.tried) == (False, True)
    assert story.limiter.limit < 17


def test_losses_that_end_while_they_are_counted_are_for_a_limit():
    story = weighing()
    for _ in range(60):
        story.step(accepted=17)
    assert (story.losses.tried, story.limiter.limit) == (False, 17)
    assert story.losses.chance < 0.01


def test_losses_that_end_are_not_counted_for_ever_where_none_are_tolerated():
    story = Story(20.0, limits=ConcurrencyPolicy(tolerated=0.0))
    story.lowered_twice()
    assert story.losses.weighing
    for _ in range(POLICY.memory // 17 + 1):
        story.step(accepted=17)
    assert (story.losses.tried, story.losses.chance, story.limiter.limit) == (False, 0, 17)


def test_far_more_losses_than_chance_may_take_are_not_counted_for_long():
    story = weighing()
    story.step(accepted=4, refused=13)
    assert not story.losses.tried


def test_few_losses_are_tolerated_without_an_experiment_and_the_limit_stays_where_it_is():
    story = weighing()
    story.losses = replace(story.losses, calls=0, lost=0)
    for _ in range(8):
        story.step(accepted=69, refused=1)
    assert not story.losses.tried
    assert 0.01 < story.losses.chance <= 0.02
    assert story.limiter.limit == 17


def test_a_trial_puts_off_the_next_experiment():
    story = Story(20.0, Losses(chance=0.1, most=0.12, windows=10))
    story.limiter = replace(story.limiter, trial_ms=T0)
    story.step(accepted=240, refused=25)
    assert not story.losses.tried
    story.limiter = replace(story.limiter, trial_ms=0)
    story.step(accepted=240, refused=25)
    assert story.losses.tried


def test_losses_that_go_on_well_below_are_chance_and_what_they_have_cost_is_undone():
    story = tried()
    assert story.limiter.limit < 17
    for _ in range(3):
        story.step(accepted=36, refused=4)
    assert 0.1 <= story.losses.chance <= 0.15
    assert (story.limiter.limit, story.limiter.refused_at, story.losses.tried) == (20, 0, False)
    assert story.losses.tolerated(POLICY) > 0.1


def test_losses_that_end_below_are_for_a_limit():
    story = tried()
    level = story.limiter.limit
    for _ in range(3):
        story.step(accepted=40)
    assert (story.losses.tried, story.losses.chance, story.limiter.limit) == (False, 0, level)
    assert story.losses.tolerated(POLICY) == 0


def test_a_limit_that_was_lowered_once_is_no_matter_of_chance():
    story = Story(20.0)
    story.step(lowered_to=18.0, refused=2)
    for _ in range(10):
        story.step(accepted=90, refused=1)
    assert not story.losses.tried


def test_of_a_limit_that_was_far_off_only_what_is_lost_below_is_a_matter_of_chance():
    story = Story(20.0)
    story.step(lowered_to=10.0, refused=1)
    story.step(accepted=90, refused=9)
    story.step(lowered_to=9.0, refused=1)
    assert (story.losses.weighing, story.losses.level, story.losses.lost) == (True, 10, 0)


def test_most_calls_lost_are_never_chance():
    story = Story(20.0)
    story.step(lowered_to=18.0, refused=1)
    story.step(accepted=20, refused=20)
    story.step(lowered_to=17.0, refused=1)
    assert not story.losses.tried


def test_chance_fades_with_the_losses():
    story = Story(20.0, Losses(chance=0.1, most=0.15))
    for _ in range(60):
        story.step(accepted=400)
    assert story.losses.chance < 0.01


def test_chance_is_measured_no_higher_than_the_experiment_has_shown_and_tried_again():
    story = Story(20.0, Losses(chance=0.1, most=0.12))
    for _ in range(10):
        story.step(accepted=215, refused=35)
        assert 0.1 < story.losses.chance <= 0.12
    assert not story.losses.tried
    story.step(accepted=215, refused=35)
    assert story.losses.tried
    assert story.limiter.limit < 20
