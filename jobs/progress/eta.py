"""Estimates how long a job will take, from the samples that the ledger keeps of its results.

Times are milliseconds on the job's clock. The clock runs from the job's start and stops while the job may not run.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.throughput import START, WINDOW_MS, rate_of, step_of

_EXPERIMENT_LAPS = 4
"""How many calls follow each other while flow control lowers the limit as an experiment."""
_CLEARLY_LOWER = 0.8
"""A limit below this share of the usual calls at once was lowered by refusals, not by an experiment."""
_CLEARLY_HIGHER = 1.25
_FAR_MORE = 3
"""With this many times more references in calls than calls bring results for, most references get none from their
call."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The present rate in results a second, and the seconds until the last result; None where it is unknown.

    `call_s` is how long a call takes.
    """

    rate: float | None
    eta_s: float | None
    call_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PauseHistory:
    """The last pause and hold of an account, by the server's clock; `paused_until_ms` is None during a pause."""

    paused_from_ms: int
    paused_until_ms: int | None
    hold_until_ms: int


HOLD_MS = 5000
"""Holds this long or longer stop the job's clock. Shorter ones come from the platform's rate limit, so they are part of
the job's pace."""


def stops_clock(hold_until_ms: int, last_ms: int) -> bool:
    """Whether a hold stops the clock of a job whose last result came at `last_ms`, both by the server's clock."""
    return hold_until_ms - last_ms >= HOLD_MS


def clock_ms(
    *, started_at_ms: int, idle_ms: int, last_at_ms: int, paused_at_ms: int | None, stops: PauseHistory, now_ms: int
) -> int:
    """The job's clock: how long the job has run, without the time in which it or its account was stopped.

    `idle_ms` already holds the stops before the last result (lua/shared/progress_samples.lua).
    """
    zero = started_at_ms + idle_ms
    last = zero + last_at_ms
    until = now_ms if stops.paused_until_ms is None else stops.paused_until_ms
    stood = [0, until - max(last, stops.paused_from_ms)]
    if paused_at_ms is not None:
        stood.append(now_ms - max(last, paused_at_ms))
    if stops_clock(stops.hold_until_ms, last):
        stood.append(min(now_ms, stops.hold_until_ms) - last)
    return now_ms - zero - max(stood)


def progress(
    *,
    left: int,
    samples: Sequence[ResultSample],
    in_calls: float,
    calls: int,
    now_ms: int,
    claims: int = 0,
    unclaimed: int = 0,
    limit: int | None = None,
) -> Progress:
    """Estimates the present rate and the time left of a job that runs.

    Args:
        left: references without a result.
        samples: oldest first; the last one was taken at the last result.
        in_calls: references that the calls in flight name.
        calls: calls in flight.
        now_ms: on the job's clock.
        claims: claims of the job, in flight or staged; some may be reads of one reference. 0 where other jobs' claims
            are among them.
        unclaimed: references that are in no claim.
        limit: calls at once that flow control allows now; None where it is not known.
    """
    points: Sequence[ResultSample] = [START, *samples]
    if points[-1].count == 0:
        return Progress(None, None)
    points, in_calls = _that_bring(points, in_calls, calls, limit, now_ms)
    step = step_of(points, in_calls, now_ms)
    rate = rate_of(points, step, step / max(1, calls), now_ms)
    if not rate:
        return Progress(rate, None)
    usual = _usually_in_calls(points, step, now_ms)
    call_ms = 1000 * usual / rate
    batches = _batches(points, now_ms) or _Batches.alike(in_calls / max(1, calls))
    usual = _from_now_on(usual, batches, calls, claims, limit)
    last_lap = _last_lap(points, in_calls, call_ms)
    laps = _laps_of(left, claims, unclaimed, calls=calls, usual=usual, last_lap=last_lap, batches=batches)
    return Progress(rate, _left_ms(points, laps, batches.mean, call_ms, now_ms) / 1000, call_ms / 1000)


@dataclass(frozen=True, slots=True)
class _Laps:
    """Laps of calls: how many follow each other, with how many calls at once."""

    number: float
    at_once: float

    @classmethod
    def of(cls, calls: int, at_once: float) -> Self:
        """The laps that this number of calls takes."""
        return cls(calls / max(1.0, at_once), max(1.0, at_once))


@dataclass(frozen=True, slots=True)
class _Batches:
    """The batch sizes of calls: the mean and the largest."""

    mean: float
    largest: float

    @classmethod
    def alike(cls, per_call: float) -> Self:
        """Batches that all have the same size."""
        return cls(max(1.0, per_call), max(1.0, per_call))

    def number(self, references: int) -> int:
        """The calls that these references take; few of them are smaller than usual."""
        return max(math.ceil(references / self.largest), round(references / self.mean))


def _laps_of(
    left: int, claims: int, unclaimed: int, *, calls: int, usual: float, last_lap: float, batches: _Batches
) -> _Laps:
    """The laps that are left: of references where claims are not known to be the job's, else of claims and batches."""
    at_once = usual / batches.mean
    if not claims or (unclaimed and claims <= calls):  # other jobs' claims are among them, or a rate delays calls
        return _Laps(left / usual, at_once)
    if unclaimed:
        number = claims + batches.number(unclaimed)
        return _Laps.of(number, _soon_at_once(number, calls, at_once))
    if claims > calls:
        return _Laps.of(claims, calls or at_once)
    return _Laps.of(claims, max(calls, round(last_lap / batches.mean)))


def _that_bring(
    points: Sequence[ResultSample], in_calls: float, calls: int, limit: int | None, now_ms: int
) -> tuple[Sequence[ResultSample], float]:
    """The samples and the references in calls now, counting only references that get their result from their call.

    A batch that is refused brings no result. Each of its references is read then, and that read brings it.
    """
    batches = _batches(points, now_ms)
    if batches is None:
        return points, in_calls
    now, most = max(1, calls) * batches.mean, max(1, calls, limit or 0) * batches.largest
    if in_calls <= _FAR_MORE * max(1, calls) * batches.largest:
        if all(point.in_calls <= _FAR_MORE**2 * most for point in points):
            return points, in_calls
        now = in_calls
    return [replace(point, in_calls=min(point.in_calls, round(now))) for point in points], min(in_calls, now)


def _soon_at_once(number: int, calls: int, usual: float) -> float:
    """The calls at once for the rest: the present number, unless an experiment set it (jobs/flow/latency.py)."""
    return calls if number <= _EXPERIMENT_LAPS * calls or abs(calls - usual) <= usual / 8 else usual


def _from_now_on(usual: float, batches: _Batches, calls: int, claims: int, limit: int | None) -> float:
    """The references in calls from now on, where they will clearly be fewer or more than usual."""
    if limit is not None and limit * batches.mean < _CLEARLY_LOWER * usual:
        return limit * batches.mean  # refusals lowered the limit, and it stays low
    if claims > calls and calls * batches.mean > _CLEARLY_HIGHER * usual:
        return calls * batches.mean  # another job has ended and left its calls to this one
    return usual


def _batches(points: Sequence[ResultSample], now_ms: int) -> _Batches | None:
    """The sizes of the batches that brought results lately; None where calls were not counted."""
    stretches = [
        (after.count - before.count, after.calls - before.calls)
        for before, after in pairwise(points)
        if after is points[-1] or now_ms - before.at_ms <= WINDOW_MS
    ]
    counted = [(count, calls) for count, calls in stretches if calls > 0]
    if not counted or not points[-1].calls:
        return None
    mean = sum(count for count, _ in counted) / sum(calls for _, calls in counted)
    return _Batches(max(1.0, mean), max(1.0, *(count / calls for count, calls in counted)))


def _usually_in_calls(points: Sequence[ResultSample], step: float, now_ms: int) -> float:
    """The recent average of references in calls, without the last lap, in which fewer may be left."""
    weighed = [
        (after.in_calls, after.at_ms - before.at_ms)
        for before, after in pairwise(points)
        if after.in_calls and after.count <= points[-1].count - step and now_ms - after.at_ms <= WINDOW_MS
    ]
    lasted_ms = sum(weight for _, weight in weighed)
    return sum(number * weight for number, weight in weighed) / lasted_ms if lasted_ms else step


def _last_lap(points: Sequence[ResultSample], in_calls: float, call_ms: float) -> float:
    """The references in calls during the last lap in which more were still to follow."""
    since_ms = points[-1].at_ms - call_ms
    return max(in_calls, *(point.in_calls for point in points if point.at_ms >= since_ms))


def _left_ms(points: Sequence[ResultSample], laps: _Laps, per_call: float, call_ms: float, now_ms: int) -> float:
    """The time until the last call ends, where each call begins when one of the lap before it has ended.

    So calls end at the same points of a lap as they did in the last one, and each lap takes a call's time.
    """
    newest, whole = points[-1], math.ceil(laps.number)
    since_ms = max(0, now_ms - newest.at_ms)
    ended_ms = _end_of_call_ms(points, (whole - laps.number) * laps.at_once, per_call)
    # An overdue call may end at any moment, and the calls that follow it are late by as much.
    ahead_ms = min(float(newest.at_ms - ended_ms), call_ms) + min(since_ms, call_ms)
    return max(0.0, whole * call_ms - ahead_ms)


def _end_of_call_ms(points: Sequence[ResultSample], back: float, per_call: float) -> float:
    """When the call ended that came `back` calls before the last one.

    Calls between two samples are taken to end evenly around the mean time of their results, the last at the later
    sample.
    """
    counted = points[-1].calls > 0
    ended = [float(point.calls) if counted else point.count / per_call for point in points]
    number = ended[-1] - back
    for n, (before, after) in enumerate(pairwise(points), 1):
        if ended[n - 1] < number <= ended[n]:
            mean_ms = (after.sum_ms - before.sum_ms) / (after.count - before.count)
            first_ms = max(before.at_ms, 2 * mean_ms - after.at_ms)
            return first_ms + (number - ended[n - 1]) / (ended[n] - ended[n - 1]) * (after.at_ms - first_ms)
    return float(points[0 if number <= 0 else -1].at_ms)
