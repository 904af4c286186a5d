"""How long a job will take, from the samples that the ledger keeps of its results.

Times are milliseconds on the job's clock, which runs from its start and stands while the job may not go on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.throughput import START, WINDOW_MS, rate_of, step_of

_EXPERIMENT_LAPS = 4
"""Calls that follow each other while the limit is lowered to see what comes of it."""
_CLEARLY_LOWER = 0.8
"""The share of the usual calls at once below which a limit is no experiment's."""
_CLEARLY_HIGHER = 1.25
_FAR_MORE = 3
"""Times as many references in calls as these bring results for, from which on they are not the same."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Results per second at present, and seconds until the last one; None where neither can be said.

    `call_s` is how long a call takes, None where that cannot be said.
    """

    rate: float | None
    eta_s: float | None
    call_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PauseHistory:
    """When an account stood still last, by the server's clock: its pause, `until` None while it lasts, and its hold."""

    paused_from_ms: int
    paused_until_ms: int | None
    hold_until_ms: int


HOLD_MS = 5000
"""A hold at least this long is no part of a job's pace; shorter ones are how a platform's limit shows."""


def stops_clock(hold_until_ms: int, last_ms: int) -> bool:
    """Whether a hold stops the clock of a job whose last result came at `last_ms`, both by the server's clock."""
    return hold_until_ms - last_ms >= HOLD_MS


def clock_ms(
    *, started_at_ms: int, idle_ms: int, last_at_ms: int, paused_at_ms: int | None, stops: PauseHistory, now_ms: int
) -> int:
    """The job's clock: how long it has run, without the time in which it or its account stood still.

    What it stood before its last result is in `idle_ms` already, as lua/shared/progress_samples.lua has reckoned it.
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
    """Reckons the present rate and the time left of a job that goes on.

    Args:
        left: references without a result.
        samples: oldest first; the last is of the last result.
        in_calls: references that the calls in flight name.
        calls: calls in flight.
        now_ms: on the job's clock.
        claims: calls in flight and those that are staged, each perhaps the reading of one reference; 0 where others'
            calls are among them.
        unclaimed: references that are in none of them.
        limit: calls at once that are allowed now; None where that is not known.
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
    lists = _lists(points, now_ms) or _Lists.alike(in_calls / max(1, calls))
    usual = _from_now_on(usual, lists, calls, claims, limit)
    if not claims or (unclaimed and claims <= calls):  # others' calls are among them, or a rate holds calls back
        laps = _Laps(left / usual, usual / lists.mean)
    elif unclaimed:
        number = claims + lists.number(unclaimed)
        laps = _Laps.of(number, _soon_at_once(number, calls, usual / lists.mean))
    elif claims > calls:
        laps = _Laps.of(claims, calls or usual / lists.mean)
    else:
        laps = _Laps.of(claims, max(calls, round(_last_lap(points, in_calls, call_ms) / lists.mean)))
    return Progress(rate, _left_ms(points, laps, lists.mean, call_ms, now_ms) / 1000, call_ms / 1000)


@dataclass(frozen=True, slots=True)
class _Laps:
    """How often calls still follow each other, so many side by side."""

    number: float
    at_once: float

    @classmethod
    def of(cls, calls: int, at_once: float) -> Self:
        """Those that so many calls will take."""
        return cls(calls / max(1.0, at_once), max(1.0, at_once))


@dataclass(frozen=True, slots=True)
class _Lists:
    """References of a call: on average, and at most."""

    mean: float
    longest: float

    @classmethod
    def alike(cls, per_call: float) -> Self:
        """All of the same length."""
        return cls(max(1.0, per_call), max(1.0, per_call))

    def number(self, references: int) -> int:
        """Calls that so many references will take: shorter lists are rare, and the fewer lists the less likely."""
        return max(math.ceil(references / self.longest), round(references / self.mean))


def _that_bring(
    points: Sequence[ResultSample], in_calls: float, calls: int, limit: int | None, now_ms: int
) -> tuple[Sequence[ResultSample], float]:
    """The samples, and the references in calls now, with as many in calls as these bring results for.

    Lists that are refused bring none: each of their references is then read, and that brings one.
    """
    lists = _lists(points, now_ms)
    if lists is None:
        return points, in_calls
    now, most = max(1, calls) * lists.mean, max(1, calls, limit or 0) * lists.longest
    if in_calls <= _FAR_MORE * max(1, calls) * lists.longest:
        if all(point.in_calls <= _FAR_MORE**2 * most for point in points):
            return points, in_calls
        now = in_calls
    return [replace(point, in_calls=min(point.in_calls, round(now))) for point in points], min(in_calls, now)


def _soon_at_once(number: int, calls: int, usual: float) -> float:
    """Calls at once for so many: those of now, but for long not those of an experiment (jobs/flow/latency.py)."""
    return calls if number <= _EXPERIMENT_LAPS * calls or abs(calls - usual) <= usual / 8 else usual


def _from_now_on(usual: float, lists: _Lists, calls: int, claims: int, limit: int | None) -> float:
    """References in calls, where it is clear that they will be fewer or more than usual."""
    if limit is not None and limit * lists.mean < _CLEARLY_LOWER * usual:
        return limit * lists.mean  # what refusals have lowered stays low
    if claims > calls and calls * lists.mean > _CLEARLY_HIGHER * usual:
        return calls * lists.mean  # another job has ended and left its calls to this
    return usual


def _lists(points: Sequence[ResultSample], now_ms: int) -> _Lists | None:
    """The lists that have brought results lately; None where calls were not counted."""
    stretches = [
        (after.count - before.count, after.calls - before.calls)
        for before, after in pairwise(points)
        if after is points[-1] or now_ms - before.at_ms <= WINDOW_MS
    ]
    counted = [(count, calls) for count, calls in stretches if calls > 0]
    if not counted or not points[-1].calls:
        return None
    mean = sum(count for count, _ in counted) / sum(calls for _, calls in counted)
    return _Lists(max(1.0, mean), max(1.0, *(count / calls for count, calls in counted)))


def _usually_in_calls(points: Sequence[ResultSample], step: float, now_ms: int) -> float:
    """References in calls on average lately, but for the last lap: in it they may have got fewer for want of more."""
    weighed = [
        (after.in_calls, after.at_ms - before.at_ms)
        for before, after in pairwise(points)
        if after.in_calls and after.count <= points[-1].count - step and now_ms - after.at_ms <= WINDOW_MS
    ]
    lasted_ms = sum(weight for _, weight in weighed)
    return sum(number * weight for number, weight in weighed) / lasted_ms if lasted_ms else step


def _last_lap(points: Sequence[ResultSample], in_calls: float, call_ms: float) -> float:
    """References in calls while there were still more to follow, now that there are none."""
    since_ms = points[-1].at_ms - call_ms
    return max(in_calls, *(point.in_calls for point in points if point.at_ms >= since_ms))


def _left_ms(points: Sequence[ResultSample], laps: _Laps, per_call: float, call_ms: float, now_ms: int) -> float:
    """How long until the last call ends, each beginning where one ended a lap before it.

    So calls end as they did in the last lap, a call's time later each lap, and what those that end together leave over
    takes as long as they.
    """
    newest, whole = points[-1], math.ceil(laps.number)
    since_ms = max(0, now_ms - newest.at_ms)
    ended_ms = _end_of_call_ms(points, (whole - laps.number) * laps.at_once, per_call)
    # What is overdue may come at any moment, and what follows it is late by as much.
    ahead_ms = min(float(newest.at_ms - ended_ms), call_ms) + min(since_ms, call_ms)
    return max(0.0, whole * call_ms - ahead_ms)


def _end_of_call_ms(points: Sequence[ResultSample], back: float, per_call: float) -> float:
    """When the call ended that is so many before the last one.

    Calls between two samples ended evenly about the mean time of their results, the last of them at the later sample.
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
