"""Whether round trips grow with the calls in flight: then fewer calls at once get as much done.

A window is long where its mean round trip is far above the usual one. Long windows begin an experiment, and so does
time (`unprovoked`): the limit is lowered for a window, and Little's law says whether that cost throughput.

    lowered limit = limit * lowered
    keep it where  round trip below <= round trip above * lowered limit / limit
    else go back

So neither noise of our own nor a platform that has become slower costs throughput.

Source of the thresholds: Vector's adaptive request concurrency.
"""

from dataclasses import dataclass, field, replace
from math import floor

from cancellist.jobs.flow.counters import Timed
from cancellist.jobs.flow.sample import FlowSample

_SMOOTH = 0.1
_SAME = 0.03
"""Round trips or throughput that differ by less do not differ."""
_FEWEST = 5
_SHORTEST_MS = 200
"""A window is no shorter, and of no fewer calls."""
_ERROR, _MOST = 0.03, 20
"""The standard error of a window's mean, as its share, that is small enough; and how many round trips may go to it."""


@dataclass(frozen=True, slots=True)
class RoundTripPolicy:
    """The constants of the watch on round trips.

    Attributes:
        growth: by which share a long round trip is above the usual (0.02 to 1.0).
        windows: long windows in a row that begin an experiment (1 to 10).
        trial_after_ms: pause before an unprovoked experiment, doubled by each that gained nothing (1000 to 3600000).
        trial_most_ms: longest such pause (1000 to 3600000).
        lowered: what an experiment leaves of the limit (0.5 to 0.99).
    """

    growth: float = 0.15
    windows: int = 2
    trial_after_ms: int = 30_000
    trial_most_ms: int = 240_000
    lowered: float = 0.85


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """What is known of the round trips of full lists.

    Attributes:
        usual_ms: the mean of windows that were not long; 0: unknown.
        reserved_deviation: earlier versions kept how much means differ; written as 0, never read.
        level: the most calls in flight of which that is known to hold.
        since_ms: when the present window began.
        n: calls in it.
        ms: the sum of their times.
        squares: the sum of the squares of their times.
        last_ms: the mean of the last window.
        long: long windows in a row.
        from_limit: the limit before the experiment under way; 0: none is.
        from_ms: the mean round trip before it.
        provoked: the experiment was begun by long windows.
        reserved_descending: earlier versions noted here that the one before it was kept; written as 0, never read.
        next_ms: when the next unprovoked experiment is due; 0: not set.
        pause_ms: the pause before the one after that.
    """

    usual_ms: float = 0.0
    reserved_deviation: float = field(default=0.0, init=False)
    level: float = 0.0
    since_ms: int = 0
    n: int = 0
    ms: float = 0.0
    squares: float = 0.0
    last_ms: float = 0.0
    long: int = 0
    from_limit: float = 0.0
    from_ms: float = 0.0
    provoked: bool = False
    reserved_descending: bool = field(default=False, init=False)
    next_ms: int = 0
    pause_ms: int = 0

    @property
    def slowed(self) -> bool:
        """Whether more calls at once would gain nothing, as far as is known."""
        return self.from_limit > 0


@dataclass(frozen=True, slots=True)
class Advice:
    """What round trips say of the limit.

    Attributes:
        limit: what it should be now.
        enough: more calls at once than that are known to get no more done.
    """

    limit: float
    enough: bool = False


def step(
    trips: RoundTrips, limit: float, sample: FlowSample, policy: RoundTripPolicy, *, saturated: bool
) -> tuple[RoundTrips, Advice]:
    """What is known after a sample, and what it says; `saturated`: the limit is what holds calls back."""
    now_ms = sample.at_ms
    if not saturated or not trips.since_ms:
        # Fewer calls in flight than the limit say nothing about it.
        return replace(_anew(trips, now_ms), from_limit=0.0, long=0), Advice(max(limit, trips.from_limit))
    trips = _collect(trips, sample.counts.full)
    if trips.from_limit and limit != _lowered(trips, policy):
        # Something else has moved the limit: the experiment is spoilt.
        trips = replace(trips, from_limit=0.0, long=0)
    if not _complete(trips, limit, now_ms):
        return trips, Advice(limit)
    mean, first = trips.ms / trips.n, not trips.last_ms
    after = replace(_anew(trips, now_ms), last_ms=mean)
    if first:
        # It holds calls from before the limit moved.
        return after, Advice(limit)
    if trips.from_limit:
        return _conclude(after, mean, limit, policy, now_ms)
    return _watch(after, mean, limit, policy, now_ms)


def _anew(trips: RoundTrips, now_ms: int) -> RoundTrips:
    return replace(trips, since_ms=now_ms, n=0, ms=0.0, squares=0.0)


def _collect(trips: RoundTrips, full: Timed) -> RoundTrips:
    return replace(trips, n=trips.n + full.n, ms=trips.ms + full.ms, squares=trips.squares + full.squares)


def _complete(trips: RoundTrips, limit: float, now_ms: int) -> bool:
    """Whether a window says enough: a round trip's calls, and as many as make its mean certain."""
    fewest = max(_FEWEST, floor(limit))
    if trips.n < fewest or now_ms - trips.since_ms < max(_SHORTEST_MS, trips.last_ms):
        return False
    mean = trips.ms / trips.n
    variance = max(0.0, trips.squares / trips.n - mean * mean)
    return trips.n >= _MOST * fewest or variance <= trips.n * (_ERROR * mean) ** 2


def _lowered(trips: RoundTrips, policy: RoundTripPolicy) -> float:
    return float(max(1, min(floor(trips.from_limit) - 1, round(trips.from_limit * policy.lowered))))


def _long(trips: RoundTrips, mean: float, policy: RoundTripPolicy) -> bool:
    return mean > trips.usual_ms * (1 + policy.growth)


def _watch(
    trips: RoundTrips, mean: float, limit: float, policy: RoundTripPolicy, now_ms: int
) -> tuple[RoundTrips, Advice]:
    """Compares a window with the usual, and begins an experiment where that is due."""
    if not trips.usual_ms:
        pause_ms = policy.trial_after_ms
        first = replace(trips, usual_ms=mean, level=limit, next_ms=now_ms + pause_ms, pause_ms=pause_ms)
        return first, Advice(limit)
    if _long(trips, mean, policy):
        trips = replace(trips, long=trips.long + 1)
        return (
            _begin(trips, limit, mean, policy, provoked=True)
            if trips.long >= policy.windows
            else (trips, Advice(limit))
        )
    trips = _learn(replace(trips, long=0), mean, limit)
    return _begin(trips, limit, mean, policy, provoked=False) if now_ms >= trips.next_ms else (trips, Advice(limit))


def _learn(trips: RoundTrips, mean: float, limit: float) -> RoundTrips:
    """Takes a window into the usual, except longer round trips at a level that was not in use before."""
    off = mean - trips.usual_ms
    if limit > trips.level and off > _SAME * trips.usual_ms:
        return trips
    return replace(trips, usual_ms=trips.usual_ms + _SMOOTH * off, level=max(trips.level, limit))


def _begin(
    trips: RoundTrips, limit: float, mean: float, policy: RoundTripPolicy, *, provoked: bool
) -> tuple[RoundTrips, Advice]:
    if floor(limit) <= 1:
        return replace(trips, long=0, from_limit=0.0, next_ms=trips.next_ms + trips.pause_ms), Advice(limit)
    begun = replace(trips, from_limit=limit, from_ms=mean, provoked=provoked, last_ms=0.0)
    return begun, Advice(_lowered(begun, policy))


def _conclude(
    trips: RoundTrips, mean: float, limit: float, policy: RoundTripPolicy, now_ms: int
) -> tuple[RoundTrips, Advice]:
    """Keeps the lower limit where as much gets done with it, and goes back where it does not."""
    before, ratio = trips.from_limit, limit / floor(trips.from_limit)
    done = replace(trips, from_limit=0.0, long=0)
    if mean <= trips.from_ms * ratio * (1 + _SAME):
        pause_ms = policy.trial_after_ms
        kept = replace(done, usual_ms=min(mean, trips.usual_ms), level=limit, pause_ms=pause_ms)
        return kept, Advice(limit, enough=True)
    if trips.provoked:
        return replace(done, usual_ms=mean, level=before), Advice(before)
    pause_ms = max(trips.pause_ms, min(policy.trial_most_ms, 2 * trips.pause_ms))
    return replace(done, next_ms=now_ms + pause_ms, pause_ms=pause_ms), Advice(before)
