"""A job in virtual time: calls that take their time, and the samples that the ledger would keep of their results.

`Samples` is jobs/ledger/scripts/lua/shared/progress_samples.lua in Python.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.eta import Progress, progress
from cancellist.jobs.progress.throughput import START

GAP_MS, YOUNG, SAMPLES, HISTORY_MS = 50, 16, 32, 300_000
PER_CALL = 100


class Samples:
    """What the ledger keeps of one job."""

    def __init__(self) -> None:
        self.newest = START
        self._kept: list[ResultSample] = []
        self._kept_at = 0

    def note(self, now_ms: int, results: int, in_calls: int) -> None:
        """Notes that a call has brought results, while so many references are in calls."""
        if now_ms - self._kept_at >= min(GAP_MS, now_ms / YOUNG) and self.newest.count:
            self._kept.append(replace(self.newest, in_calls=in_calls))
            self._kept_at = self.newest.at_ms
            self._thin(now_ms)
        last = self.newest
        sum_ms = last.sum_ms + results * now_ms
        self.newest = ResultSample(now_ms, last.count + results, sum_ms, calls=last.calls + 1)

    def __call__(self) -> list[ResultSample]:
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
    """A job on a platform of its own.

    Attributes:
        lists: references of each call, in order.
        concurrency: calls at once, by the time on the job's clock.
        latency_ms: of a call, by the time of its start.
        gap_ms: between the starts of calls, where a rate is what holds them back.
    """

    lists: Sequence[int]
    concurrency: Callable[[float], int]
    latency_ms: Callable[[float], float]
    gap_ms: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What there was to be seen of a job at a time."""

    now_ms: int
    left: int
    samples: list[ResultSample]
    calls: int
    in_calls: int
    claims: int
    claimed: int

    def progress(self, late_ms: int = 0, *, counted: bool = True) -> Progress:
        """What is reckoned from it; without the calls' count as from what an earlier version has kept."""
        samples = self.samples if counted else [replace(sample, calls=0) for sample in self.samples]
        return progress(
            left=self.left, samples=samples, in_calls=self.claimed * self.calls / max(1, self.claims),
            calls=self.calls, claims=self.claims, unclaimed=self.left - self.claimed, now_ms=self.now_ms + late_ms,
        )  # fmt: skip


def even(calls: int) -> list[int]:
    """Lists of full length."""
    return [PER_CALL] * calls


def steady(latency_ms: float, jitter: float, rng: Random) -> Callable[[float], float]:
    """Calls that take so long, by so much of it less or more."""
    return lambda _: latency_ms * rng.uniform(1 - jitter, 1 + jitter)


def play(load: Load, look_every_ms: int) -> tuple[list[Seen], float]:
    """Plays a job to its end; answers what was seen at regular times, and when it ended."""
    return _Play(load).run(look_every_ms)


class _Play:
    """A worker that stages a call for each that is in flight, as worker/drain/drain.py does, but not under a rate."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._to_start = deque(load.lists)
        self._flying: list[tuple[float, int]] = []
        self._samples = Samples()
        self._next_ms = 0.0

    def run(self, look_every_ms: int) -> tuple[list[Seen], float]:
        """Plays to the end."""
        seen, look, at = [], look_every_ms, 0.0
        self._start(at)
        while self._flying or self._to_start:
            ends_ms = self._flying[0][0] if self._flying else float("inf")
            starts_ms = self._next_ms if self._load.gap_ms and self._to_start else float("inf")
            at = max(at, min(ends_ms, starts_ms if len(self._flying) < self._load.concurrency(at) else ends_ms))
            while look < at:
                seen.append(self._look(look))
                look += look_every_ms
            if self._flying and self._flying[0][0] <= at:
                _, size = heapq.heappop(self._flying)
                self._start(at)
                self._samples.note(int(at), size, sum(size for _, size in self._flying))
            else:
                self._start(at)
        return seen, at

    def _start(self, at: float) -> None:
        """Starts what may start; the first claims come one after another."""
        while self._to_start and len(self._flying) < self._load.concurrency(at) and self._next_ms <= at:
            begin = at or 0.3 * len(self._flying)
            heapq.heappush(self._flying, (begin + self._load.latency_ms(begin), self._to_start.popleft()))
            if self._load.gap_ms:
                self._next_ms = max(at, self._next_ms) + self._load.gap_ms

    def _look(self, now_ms: int) -> Seen:
        staged = [] if self._load.gap_ms else list(self._to_start)[: len(self._flying)]
        in_calls = sum(size for _, size in self._flying)
        return Seen(
            now_ms, in_calls + sum(self._to_start), self._samples(), len(self._flying), in_calls,
            len(self._flying) + len(staged), in_calls + sum(staged),
        )  # fmt: skip


def wrong(
    seen: Iterable[Seen], end_ms: float, *, rate: float, within: float, and_s: float, counted: bool = True
) -> list[tuple[object, ...]]:
    """Looks at which the rate is off by more than so much of it, or the time left by more than that and `and_s`."""
    found: list[tuple[object, ...]] = []
    for one in seen:
        got, left_s = one.progress(counted=counted), (end_ms - one.now_ms) / 1000
        if got.rate is None or got.eta_s is None:
            found.append((one.now_ms, got))
        elif abs(got.rate / rate - 1) > within or abs(got.eta_s - left_s) > within * left_s + and_s:
            found.append((one.now_ms, got, left_s))
    return found
