"""Estimates the rate of results from samples of their count.

Calls often end together, so the count of results rises in steps. A rate between two counts would depend on where in a
step each was read. So each count gets the mean time of the last `step` results before it, where `step` is the number of
references in flight. This mean does not depend on how the results spread within a step:

    rate = (count of the newest - count of the base) / (mean time of the newest - mean time of the base)
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from cancellist.jobs.model import ResultSample

WINDOW_MS = 10_000
"""Older samples are used only where there were few calls and the rate has not changed since."""
ENOUGH_CALLS = 40
"""The number of calls that is enough to know the rate, however much calls differ."""
_LEAST_DIFFERENCE, _DIFFERENCE_OF_ONE_CALL = 0.12, 0.35


START = ResultSample(0, 0, 0)


def step_of(points: Sequence[ResultSample], in_calls: float, now_ms: int) -> float:
    """The references that may end together: the most in calls lately. Near the end of a job they get fewer."""
    lately = [point.in_calls for point in points if point.in_calls and now_ms - point.at_ms <= WINDOW_MS]
    return max(1.0, in_calls, *lately)


def rate_of(points: Sequence[ResultSample], step: float, per_call: float, now_ms: int) -> float | None:
    """The present rate in results a second; 0.0 where none has come for long, None where it is unknown.

    Args:
        points: the start and the samples, oldest first; the last one was taken at the last result.
        step: references that end together.
        per_call: references a call.
        now_ms: on the job's clock.
    """
    newest = points[-1]
    end_ms = _mean_time(points, newest.count, step)
    chosen: tuple[float, float, float] | None = None  # rate, base, count since
    first: tuple[float, float] | None = None  # rate and calls of the shortest usable stretch
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
    if not chosen[1]:
        chosen = _from_its_calls(points, chosen, step, per_call)
    return _overdue(*chosen, step, now_ms, newest)


def _from_its_calls(
    points: Sequence[ResultSample], chosen: tuple[float, float, float], step: float, per_call: float
) -> tuple[float, float, float]:
    """The rate since the first step, where it differs from the rate since the start.

    A job's first call may begin long after the job, behind the calls of another job.
    """
    newest = points[-1]
    base = next(point for point in points if point.count >= min(step, newest.count))
    count = newest.count - base.count
    base_ms, end_ms = (_mean_time(points, point.count, step) for point in (base, newest))
    if count < step or end_ms <= base_ms:
        return chosen
    rate = count * 1000 / (end_ms - base_ms)
    return chosen if _agree(chosen[0], rate, count / per_call) else (rate, base_ms, count)


def _bases(points: Sequence[ResultSample], now_ms: int) -> Sequence[tuple[ResultSample, bool]]:
    """The samples at which a stretch may begin, from the oldest in the window backwards; True where more follow."""
    inside = next((n for n, point in enumerate(points[:-1]) if now_ms - point.at_ms <= WINDOW_MS), len(points) - 2)
    return [(points[n], n > 0) for n in range(inside, -1, -1)]


def _agree(rate: float, recent: float, calls: float) -> bool:
    """Whether a longer stretch has the same rate as a recent one of `calls` calls, within chance."""
    allowed = max(_LEAST_DIFFERENCE, _DIFFERENCE_OF_ONE_CALL / math.sqrt(max(1.0, calls)))
    return abs(rate / recent - 1) <= allowed


def _overdue(rate: float, base_ms: float, count: float, step: float, now_ms: int, newest: ResultSample) -> float:
    """Lowers the rate where the next results are overdue; 0.0 where none has come for long."""
    waited_ms, expected_ms = now_ms - newest.at_ms, step * 1000 / rate
    if waited_ms > max(WINDOW_MS, 3 * expected_ms):
        return 0.0
    if waited_ms > expected_ms:
        return min(rate, (count + step) * 1000 / (now_ms - base_ms))
    return rate


def _mean_time(points: Sequence[ResultSample], count: float, step: float) -> float:
    """The mean time of the last `step` results up to this count."""
    step = min(step, count)
    if step <= 0:
        return 0.0
    return (_sum_at(points, count) - _sum_at(points, count - step)) / step


def _sum_at(points: Sequence[ResultSample], count: float) -> float:
    """The sum of the times of the first `count` results; those between two samples are put at their mean time."""
    for before, after in pairwise(points):
        if count <= after.count and after.count > before.count:
            share = (count - before.count) / (after.count - before.count)
            return before.sum_ms + share * (after.sum_ms - before.sum_ms)
    return points[-1].sum_ms
