"""How fast a job goes and how long it will take, from the samples that the ledger keeps.

Calls often end together: then the count of results is a staircase, and what it has risen by since some moment depends
on the phase of that moment. So a count is never set against the moment at which it was read, but against the mean time
of the last results that came, as many as are in flight at once. That is one step of the staircase, and the same
moment however the steps are spread over the time between them.

Times are milliseconds on the job's clock, which runs from its start and stands while the job may not go on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WINDOW_MS = 10_000
"""What is older than this says nothing about the present rate, unless there were few calls and no change since."""
ENOUGH_CALLS = 40
"""So many calls tell the rate, however they differ."""
_LEAST_DIFFERENCE, _DIFFERENCE_OF_ONE_CALL = 0.12, 0.35


@dataclass(frozen=True, slots=True)
class Sample:
    """How many results there were at a time, the sum of the times at which they came, and how many were in calls."""

    at_ms: int
    count: int
    sum_ms: int
    in_calls: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Results per second at present, and seconds until the last one; None where neither can be said."""

    rate: float | None
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Stops:
    """When an account stood still last, by the server's clock: its pause, `until` None while it lasts, and its hold."""

    paused_from_ms: int
    paused_until_ms: int | None
    hold_until_ms: int


START = Sample(0, 0, 0)
HOLD_MS = 5000
"""A hold at least this long is no part of a job's pace; shorter ones are how a platform's limit shows."""


def clock_ms(
    *, started_at_ms: int, idle_ms: int, last_at_ms: int, paused_at_ms: int | None, stops: Stops, now_ms: int
) -> int:
    """The job's clock: how long it has run, without the time in which it or its account stood still.

    What it stood before its last result is in `idle_ms` already, as lua/shared/results.lua has reckoned it.
    """
    zero = started_at_ms + idle_ms
    last = zero + last_at_ms
    until = now_ms if stops.paused_until_ms is None else stops.paused_until_ms
    stood = [0, until - max(last, stops.paused_from_ms)]
    if paused_at_ms is not None:
        stood.append(now_ms - max(last, paused_at_ms))
    if stops.hold_until_ms - last >= HOLD_MS:
        stood.append(min(now_ms, stops.hold_until_ms) - last)
    return now_ms - zero - max(stood)


def progress(
    *, left: int, samples: Sequence[Sample], in_calls: float, calls: int, now_ms: int, calls_left: int = 0
) -> Progress:
    """Reckons the present rate and the time left of a job that goes on.

    Args:
        left: references without a result.
        samples: oldest first; the last is of the last result.
        in_calls: references that the calls in flight name.
        calls: calls in flight.
        now_ms: on the job's clock.
        calls_left: claims that are still to be called or to end, each perhaps the reading of one reference.
    """
    points = [START, *samples]
    newest = points[-1]
    if newest.count == 0:
        return Progress(None, None)
    step = _step(points, in_calls, now_ms)
    rate = _rate(points, step, step / max(1, calls), now_ms)
    if not rate:
        return Progress(rate, None)
    # The next results are due a step after the last: what has passed of it need not be waited for again.
    call_s = step / rate
    since_s = max(0.0, min((now_ms - newest.at_ms) / 1000, call_s))
    return Progress(rate, max(0.0, max(left / rate, call_s * calls_left / max(1, calls)) - since_s))


def _step(points: Sequence[Sample], in_calls: float, now_ms: int) -> float:
    """References that end together where calls do: the most in calls lately, since at the end they get fewer."""
    lately = [point.in_calls for point in points if point.in_calls and now_ms - point.at_ms <= WINDOW_MS]
    return max(1.0, in_calls, *lately)


def overall(results: int, took_ms: int) -> float | None:
    """The rate of an ended job over its whole life."""
    return results * 1000 / took_ms if took_ms > 0 else None


def _rate(points: Sequence[Sample], step: float, per_call: float, now_ms: int) -> float | None:
    newest = points[-1]
    end_ms = _mean_time(points, newest.count, step)
    chosen: tuple[float, float, float] | None = None  # rate, base, count since
    first: tuple[float, float] | None = None  # rate and calls of the shortest stretch that tells anything
    for base, after in _bases(points, now_ms):
        base_ms = _mean_time(points, base.count, step)
        count = newest.count - base.count
        if count <= 0 or end_ms <= base_ms or 0 < base.count < step:
            continue
        rate, calls = count * 1000 / (end_ms - base_ms), count / per_call
        if first is None:
            first = rate, calls
        elif not _agree(rate, *first):
            break
        chosen = rate, base_ms, count
        if calls >= ENOUGH_CALLS and (count >= 2 * step or not after):
            break
    if chosen is None:
        return None
    return _overdue(*chosen, step, now_ms, newest)


def _bases(points: Sequence[Sample], now_ms: int) -> Sequence[tuple[Sample, bool]]:
    """Where a stretch may begin: at the oldest sample within the window, or ever farther back; and whether it may."""
    inside = next((n for n, point in enumerate(points[:-1]) if now_ms - point.at_ms <= WINDOW_MS), len(points) - 2)
    return [(points[n], n > 0) for n in range(inside, -1, -1)]


def _agree(rate: float, recent: float, calls: float) -> bool:
    """Whether a longer stretch tells of the same rate as a recent one of so many calls."""
    allowed = max(_LEAST_DIFFERENCE, _DIFFERENCE_OF_ONE_CALL / math.sqrt(max(1.0, calls)))
    return abs(rate / recent - 1) <= allowed


def _overdue(rate: float, base_ms: float, count: float, step: float, now_ms: int, newest: Sample) -> float:
    """The rate at most where the next results are overdue; nought where nothing has come for long."""
    waited_ms, expected_ms = now_ms - newest.at_ms, step * 1000 / rate
    if waited_ms > max(WINDOW_MS, 3 * expected_ms):
        return 0.0
    if waited_ms > expected_ms:
        return min(rate, (count + step) * 1000 / (now_ms - base_ms))
    return rate


def _mean_time(points: Sequence[Sample], count: float, step: float) -> float:
    """The mean time of the last `step` results up to this count."""
    step = min(step, count)
    if step <= 0:
        return 0.0
    return (_sum_at(points, count) - _sum_at(points, count - step)) / step


def _sum_at(points: Sequence[Sample], count: float) -> float:
    """The sum of the times of the first so many results; those between two samples came at their mean."""
    for before, after in pairwise(points):
        if count <= after.count and after.count > before.count:
            share = (count - before.count) / (after.count - before.count)
            return before.sum_ms + share * (after.sum_ms - before.sum_ms)
    return points[-1].sum_ms
