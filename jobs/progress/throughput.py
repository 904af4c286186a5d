"""How fast results come, from samples of their number.

Calls often end together: then the count of results is a staircase, and what it has risen by since some moment depends
on the phase of that moment. So a count is never set against the moment at which it was read, but against the mean time
of the last results that came, as many as are in flight at once. That is one step of the staircase, and the same
moment however the steps are spread over the time between them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from cancellist.jobs.model import ResultSample

WINDOW_MS = 10_000
"""What is older than this says nothing about the present rate, unless there were few calls and no change since."""
ENOUGH_CALLS = 40
"""So many calls tell the rate, however they differ."""
_LEAST_DIFFERENCE, _DIFFERENCE_OF_ONE_CALL = 0.12, 0.35


START = ResultSample(0, 0, 0)


def step_of(points: Sequence[ResultSample], in_calls: float, now_ms: int) -> float:
    """References that end together where calls do: the most in calls lately, since at the end they get fewer."""
    lately = [point.in_calls for point in points if point.in_calls and now_ms - point.at_ms <= WINDOW_MS]
    return max(1.0, in_calls, *lately)


def rate_of(points: Sequence[ResultSample], step: float, per_call: float, now_ms: int) -> float | None:
    """Results a second at present; nought where none has come for long, None where nothing can be said.

    Args:
        points: the start, and the samples, oldest first; the last is of the last result.
        step: references that end together.
        per_call: references of a call.
        now_ms: on the job's clock.
    """
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
    if not chosen[1]:
        chosen = _from_its_calls(points, chosen, step, per_call)
    return _overdue(*chosen, step, now_ms, newest)


def _from_its_calls(
    points: Sequence[ResultSample], chosen: tuple[float, float, float], step: float, per_call: float
) -> tuple[float, float, float]:
    """The rate since the first step, where it is another than since the start.

    The calls of a job may begin long after it, behind those of another.
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
    """Where a stretch may begin: at the oldest sample within the window, or ever farther back; and whether it may."""
    inside = next((n for n, point in enumerate(points[:-1]) if now_ms - point.at_ms <= WINDOW_MS), len(points) - 2)
    return [(points[n], n > 0) for n in range(inside, -1, -1)]


def _agree(rate: float, recent: float, calls: float) -> bool:
    """Whether a longer stretch tells of the same rate as a recent one of so many calls."""
    allowed = max(_LEAST_DIFFERENCE, _DIFFERENCE_OF_ONE_CALL / math.sqrt(max(1.0, calls)))
    return abs(rate / recent - 1) <= allowed


def _overdue(rate: float, base_ms: float, count: float, step: float, now_ms: int, newest: ResultSample) -> float:
    """The rate at most where the next results are overdue; nought where nothing has come for long."""
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
    """The sum of the times of the first so many results; those between two samples came at their mean."""
    for before, after in pairwise(points):
        if count <= after.count and after.count > before.count:
            share = (count - before.count) / (after.count - before.count)
            return before.sum_ms + share * (after.sum_ms - before.sum_ms)
    return points[-1].sum_ms
