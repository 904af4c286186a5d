"""A job in virtual time: calls that take their time, and the samples that the ledger would keep of their results.

`Samples` is jobs/ledger/lua/shared/results.lua in Python.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from jobs.progress import START, Progress, Sample, progress

GAP_MS, YOUNG, SAMPLES, HISTORY_MS = 50, 16, 32, 300_000
PER_CALL = 100


class Samples:
    """What the ledger keeps of one job."""

    def __init__(self) -> None:
        self.newest = START
        self._kept: list[Sample] = []
        self._kept_at = 0

    def note(self, now_ms: int, results: int, in_calls: int) -> None:
        """Notes that results have come, while so many references are in calls."""
        if now_ms - self._kept_at >= min(GAP_MS, now_ms / YOUNG) and self.newest.count:
            self._kept.append(replace(self.newest, in_calls=in_calls))
            self._kept_at = self.newest.at_ms
            self._thin(now_ms)
        newest = self.newest
        self.newest = Sample(now_ms, newest.count + results, newest.sum_ms + results * now_ms)

    def __call__(self) -> list[Sample]:
        """All samples, oldest first."""
        return [*self._kept, self.newest] if self.newest.count else []

    def _thin(self, now_ms: int) -> None:
        kept = self._kept
        if len(kept) > 2 and now_ms - kept[1].at_ms > HISTORY_MS:
            del kept[0]
        if len(kept) > SAMPLES:
            ages = [START, *kept]
            losses = [
                (ages[n + 1].at_ms - ages[n - 1].at_ms) / (now_ms - ages[n].at_ms + 1) for n in range(1, len(kept))
            ]
            del kept[losses.index(min(losses))]


@dataclass(frozen=True)
class Load:
    """A job on a platform of its own: `latency_ms` of a call by the time of its start, on the job's clock."""

    calls: int
    concurrency: int
    latency_ms: Callable[[float], float]


@dataclass(frozen=True)
class Seen:
    """What there was to be seen of a job at a time."""

    now_ms: int
    left: int
    samples: list[Sample]
    calls: int

    def progress(self, late_ms: int = 0) -> Progress:
        """What is reckoned from it."""
        return progress(
            left=self.left, samples=self.samples, in_calls=self.calls * PER_CALL, calls=self.calls,
            calls_left=self.calls, now_ms=self.now_ms + late_ms,
        )  # fmt: skip


def steady(latency_ms: float, jitter: float, rng: Random) -> Callable[[float], float]:
    """Calls that take so long, by so much of it less or more."""
    return lambda _: latency_ms * rng.uniform(1 - jitter, 1 + jitter)


def play(load: Load, look_every_ms: int) -> tuple[list[Seen], float]:
    """Plays a job to its end; answers what was seen at regular times, and when it ended."""
    lanes = min(load.concurrency, load.calls)
    ends = [0.3 * lane + load.latency_ms(0.3 * lane) for lane in range(lanes)]  # the claims come one after another
    heapq.heapify(ends)
    to_start, left, look, at = load.calls - lanes, load.calls * PER_CALL, look_every_ms, 0.0
    samples, seen = Samples(), []
    while ends:
        while look < ends[0]:
            seen.append(Seen(look, left, samples(), len(ends)))
            look += look_every_ms
        at = heapq.heappop(ends)
        left -= PER_CALL
        if to_start:
            to_start -= 1
            heapq.heappush(ends, at + load.latency_ms(at))
        samples.note(int(at), PER_CALL, len(ends) * PER_CALL)
    return seen, at
