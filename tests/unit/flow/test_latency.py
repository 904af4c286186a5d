from cancellist.jobs.flow import latency
from cancellist.jobs.flow.counters import Counters, Timed
from cancellist.jobs.flow.latency import RoundTripPolicy, RoundTrips
from cancellist.jobs.flow.sample import FlowSample

POLICY = RoundTripPolicy()


class Story:
    """A limit under watch: every step is a quarter of a second in which calls take `round_ms(limit)`."""

    def __init__(self, limit):
        self.trips, self.limit, self.at_ms, self.limits, self.enough = RoundTrips(), float(limit), 1_000_000, [], []

    def run(self, seconds, round_ms, *, saturated=True):
        for _ in range(int(seconds * 4)):
            self.at_ms += 250
            ms = round_ms(int(self.limit))
            n = max(1, round(self.limit * 250 / ms))
            counts = Counters(accepted=n, full=Timed(n, n * ms, n * ms * ms))
            sample = FlowSample(self.at_ms, self.at_ms - 250, int(self.limit), counts)
            self.trips, advice = latency.step(self.trips, self.limit, sample, POLICY, saturated=saturated)
            self.limit = advice.limit
            self.limits.append(int(self.limit))
            if advice.enough:
                self.enough.append(int(self.limit))
        return self


def test_nothing_happens_while_round_trips_stay_as_they_are():
    story = Story(16).run(25, lambda _: 50.0)
    assert set(story.limits) == {16}


def test_an_experiment_that_gains_nothing_is_undone_and_the_next_one_waits_longer():
    story = Story(16).run(300, lambda _: 50.0)
    assert story.limit == 16
    assert story.limits.count(16) > 0.97 * len(story.limits)
    assert not story.enough


def test_a_limit_past_the_knee_is_lowered_to_it():
    story = Story(16).run(90, lambda n: 100.0 * max(1.0, n / 8) ** 1.5)
    assert 7 <= story.limit <= 9
    assert story.enough


def test_round_trips_that_grow_with_the_load_are_brought_down():
    story = Story(8).run(5, lambda _: 100.0)
    story.run(3, lambda n: 100.0 * n / 4)
    assert story.limit < 8


def test_a_platform_that_becomes_slower_at_any_load_costs_nothing_for_long():
    story = Story(16).run(5, lambda _: 50.0).run(10, lambda _: 150.0)
    assert story.limit == 16
    assert not story.trips.slowed
    assert story.trips.usual_ms == 150


def test_a_single_long_window_is_noise():
    story = Story(16).run(5, lambda _: 50.0).run(0.25, lambda _: 90.0).run(5, lambda _: 50.0)
    assert set(story.limits) == {16}


def test_too_few_calls_say_nothing_and_end_an_experiment():
    story = Story(16).run(5, lambda _: 50.0).run(2, lambda n: n * n / 2)
    assert story.limit < 16
    story.run(0.25, lambda _: 50.0, saturated=False)
    assert story.trips.from_limit == 0
