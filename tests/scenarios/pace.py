"""A job in virtual time: calls that take their time, and the samples that the ledger would keep of their results.

`Samples` is jobs/ledger/lua/shared/results.lua in Python.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from jobs.progress import START, Sample

GAP_MS, SAMPLES, HISTORY_MS = 50, 32, 300_000
PER_CALL = 100


class Samples:
    """What the ledger keeps of one job."""

    def __init__(self) -> None:
        self.newest = START
        self._kept: list[Sample] = []
        self._kept_at = 0

    def note(self, now_ms: int, results: int, in_calls: int) -> None:
        """Notes that results have come, while so many references are in calls."""
        if now_ms - self._kept_at >= GAP_MS and self.newest.count:
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


@dataclass
class Load:
    """A job on a platform of its own; `latency_ms` of a call is given the time of its start, in ms."""

    calls: int
    concurrency: int
    latency_ms: Callable[[float], float]
    stagger: bool = False


@dataclass(frozen=True)
class Seen:
    """What there was to be seen of a job at a time."""

    now_ms: int
    left: int
    samples: list[Sample]
    in_flight: int
    calls: int


def play(load: Load, look_every_ms: int, rng: Random) -> tuple[list[Seen], list[tuple[float, int]]]:
    """Plays a job to its end; answers what was seen at regular times and when each count of results was reached."""
    ends: list[tuple[float, int]] = []
    to_start, settled, history = load.calls, 0, [(0.0, 0)]
    samples, seen = Samples(), []
    for lane in range(min(load.concurrency, load.calls)):
        at = rng.uniform(0, load.latency_ms(0)) if load.stagger else lane * 0.3
        heapq.heappush(ends, (at + load.latency_ms(at), lane))
        to_start -= 1
    look = look_every_ms
    while ends:
        while look < ends[0][0]:
            left = load.calls * PER_CALL - settled
            seen.append(Seen(look, left, samples(), len(ends) * PER_CALL, len(ends)))
            look += look_every_ms
        at, lane = heapq.heappop(ends)
        settled += PER_CALL
        history.append((at, settled))
        if to_start:
            to_start -= 1
            heapq.heappush(ends, (at + load.latency_ms(at), lane))
        samples.note(int(at), PER_CALL, len(ends) * PER_CALL)
    return seen, history
