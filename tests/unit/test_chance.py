from dataclasses import replace

from jobs.chance import Losses, move
from jobs.limiter import Limiter, LimiterPolicy
from jobs.samples import Counters, Sample

POLICY = LimiterPolicy()
T0 = 1_000_000


class Story:
    """Losses and a limiter that is lowered where the story says so; a sample is a round trip."""

    def __init__(self, limit, losses=Losses()):  # noqa: B008 - frozen
        self.limiter = Limiter(limit, round_ms=100.0)
        self.losses = losses
        self.at_ms = T0

    def step(self, *, lowered_to=None, accepted=0, refused=0, timed_out=0):
        self.at_ms += 200
        before = self.limiter
        if lowered_to:
            self.limiter = replace(self.limiter, limit=lowered_to, lowered_ms=self.at_ms, cap=int(before.limit))
        came = Counters(accepted=accepted, refused=refused, timed_out=timed_out)
        sample = Sample(self.at_ms, self.at_ms - 200, int(before.limit), came)
        self.losses, self.limiter = move(self.losses, before, self.limiter, sample, POLICY)
        return self.losses

    def lowered_twice(self):
        self.step(lowered_to=18.0, refused=1)
        self.step(accepted=90, refused=9)
        self.step(lowered_to=17.0, refused=1)


def tried():
    story = Story(20.0)
    story.lowered_twice()
    assert story.losses.tried
    return story


def test_losses_that_go_on_well_below_are_chance_and_what_they_have_cost_is_undone():
    story = tried()
    assert story.limiter.limit < 17
    for _ in range(3):
        story.step(accepted=36, refused=4)
    assert 0.1 <= story.losses.chance <= 0.15
    assert (story.limiter.limit, story.limiter.cap, story.losses.tried) == (20, 0, False)
    assert story.losses.tolerant(POLICY).tolerated > 0.1


def test_losses_that_end_below_are_for_a_limit():
    story = tried()
    level = story.limiter.limit
    for _ in range(3):
        story.step(accepted=40)
    assert (story.losses.tried, story.losses.chance, story.limiter.limit) == (False, 0, level)
    assert story.losses.tolerant(POLICY) == POLICY


def test_more_losses_below_than_above_are_a_limit_that_has_come_down():
    story = tried()
    level = story.limiter.limit
    story.step(accepted=20, refused=12)
    assert (story.losses.tried, story.losses.chance, story.limiter.limit) == (False, 0, level)


def test_a_limit_that_was_lowered_once_is_no_matter_of_chance():
    story = Story(20.0)
    story.step(lowered_to=18.0, refused=2)
    for _ in range(10):
        story.step(accepted=90, refused=1)
    assert not story.losses.tried


def test_a_limit_that_was_far_off_is_not_taken_for_chance():
    story = Story(20.0)
    story.step(lowered_to=10.0, refused=1)
    story.step(accepted=90, refused=9)
    story.step(lowered_to=9.0, refused=1)
    assert not story.losses.tried


def test_most_calls_lost_are_never_chance():
    story = Story(20.0)
    story.step(lowered_to=18.0, refused=1)
    story.step(accepted=20, refused=20)
    story.step(lowered_to=17.0, refused=1)
    assert not story.losses.tried


def test_timeouts_of_calls_from_before_the_experiment_prove_nothing():
    story = tried()
    excused = story.losses.excused
    story.step(timed_out=excused)
    assert story.losses.lost == 0
    story.step(timed_out=1)
    assert story.losses.lost == 1


def test_chance_fades_with_the_losses():
    story = Story(20.0, Losses(chance=0.1, most=0.15))
    for _ in range(60):
        story.step(accepted=400)
    assert story.losses.chance < 0.01


def test_chance_is_measured_no_higher_than_the_experiment_has_shown_and_tried_again():
    story = Story(20.0, Losses(chance=0.1, most=0.12))
    for _ in range(10):
        story.step(accepted=172, refused=28)
        assert 0.1 < story.losses.chance <= 0.12
    assert not story.losses.tried
    story.step(accepted=172, refused=28)
    assert story.losses.tried
    assert story.limiter.limit < 20
