"""A platform in virtual time: how long a call takes and how it ends, as the phases of a scenario say."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum, auto
from random import Random
from typing import NamedTuple


class Ending(StrEnum):
    """How a call ends."""

    ACCEPTED = auto()
    REFUSED = auto()  # 429
    OVERLOADED = auto()  # 503
    FAILED = auto()
    DENIED = auto()
    TIMED_OUT = auto()
    TOO_LONG = auto()  # 413


_STRAY = 0.1
"""A key of which fewer calls are denied is not wrong."""
ERRORS, ERROR_MS = (Ending.REFUSED, Ending.OVERLOADED, Ending.FAILED), 5.0
"""How a call ends that goes wrong by chance, and after how long."""


class Answered(NamedTuple):
    """How a call ends, after how long, with which Retry-After; `chance`: whatever the load, it would have."""

    ending: Ending
    took_ms: float
    told_s: float | None = None
    chance: bool = False


@dataclass(frozen=True, slots=True)
class Phase:
    """What the platform is like for a while; times not counted at its beginning are `settle_s`."""

    seconds: float
    settle_s: float = 10.0
    latency_ms: float = 100.0
    jitter: float = 0.05  # a call takes up to this share less or more
    tail: float = 0.0  # the share of calls that take five times as long
    capacity: int | None = None  # 429 beyond so many at once
    knee: int | None = None  # beyond so many at once calls take longer
    steepness: float = 1.0  # 1: in proportion, more: throughput falls
    rate: int | None = None  # 429 beyond so many in a window
    window_s: float = 1.0
    sliding: bool = True
    retry_after_s: float | None = None
    per_reference_ms: float = 0.0
    list_knee: int | None = None  # beyond so many references the time of a reference grows
    list_limit: int = 10_000
    list_limit_long: int | None = None  # of every other list by chance: one of long references
    errors: float = 0.0  # the share of calls that end in a random 429, 500 or 503
    hangs: float = 0.0  # the share of calls that are never answered
    down: str | None = None  # refused, overloaded, hanging
    denied: float = 0.0  # the share of calls that are answered 401 or 403
    reads: bool = False  # calls are reads, which tell nothing of lists
    idle: bool = False  # there is no work, so nobody calls

    @property
    def in_vain(self) -> bool:
        """Whether calls are better not made."""
        return bool(self.down) or self.denied > _STRAY

    def listed_ms(self, references: int) -> float:
        """What the references of a list add."""
        knee = self.list_knee
        growth = max(1.0, references / knee) if knee else 1.0
        return self.per_reference_ms * references * growth

    def call_ms(self, references: int, at_once: int) -> float:
        """How long a call takes without chance."""
        load = max(1.0, at_once / self.knee) ** self.steepness if self.knee else 1.0
        return (self.latency_ms + self.listed_ms(references)) * load


class Platform:
    """Answers calls by the phase that holds when they arrive."""

    def __init__(self, phase: Phase, random: Random, timeout_ms: float) -> None:
        self.phase = phase
        self._random = random
        self._timeout_ms = timeout_ms
        self._at_once = 0
        self._recent: deque[float] = deque()

    def arrive(self, references: int, now_ms: float) -> Answered:
        """How a call will end."""
        phase, chance = self.phase, self._random.random
        if phase.down == "hanging":
            return Answered(Ending.TIMED_OUT, self._timeout_ms)
        if phase.down:
            return Answered(Ending.FAILED if phase.down == "refused" else Ending.OVERLOADED, 1.0 + 2 * chance())
        if phase.denied >= 1 or (phase.denied and chance() < phase.denied):
            return Answered(Ending.DENIED, 5.0 + 2 * chance())
        if phase.capacity and self._at_once >= phase.capacity:
            return Answered(Ending.REFUSED, 2.0 + 2 * chance(), phase.retry_after_s)
        if phase.rate and not self._within_rate(now_ms):
            return Answered(Ending.REFUSED, 2.0 + 2 * chance(), self._pardon_s(now_ms))
        if references > self._longest():
            return Answered(Ending.TOO_LONG, 2.0)
        if chance() < phase.errors:
            return Answered(self._random.choice(ERRORS), ERROR_MS, chance=True)
        if phase.hangs and chance() < phase.hangs:
            return Answered(Ending.TIMED_OUT, self._timeout_ms, chance=True)
        took_ms = phase.call_ms(references, self._at_once + 1) * (1 + phase.jitter * (2 * chance() - 1))
        took_ms *= 5 if chance() < phase.tail else 1
        if took_ms > self._timeout_ms:
            return Answered(Ending.TIMED_OUT, self._timeout_ms)
        self._at_once += 1
        return Answered(Ending.ACCEPTED, took_ms)

    def leave(self) -> None:
        """An accepted call has ended."""
        self._at_once -= 1

    def _longest(self) -> int:
        short, long = self.phase.list_limit, self.phase.list_limit_long
        return short if long is None else self._random.choice((short, long))

    def _within_rate(self, now_ms: float) -> bool:
        phase, span_ms = self.phase, self.phase.window_s * 1000
        begin = now_ms - span_ms if phase.sliding else now_ms // span_ms * span_ms
        while self._recent and self._recent[0] < begin:
            self._recent.popleft()
        if len(self._recent) >= (phase.rate or 0):
            return False
        self._recent.append(now_ms)
        return True

    def _pardon_s(self, now_ms: float) -> float | None:
        """Retry-After as Azure's API management has it: whole seconds to the end of the window."""
        if self.phase.retry_after_s is None:
            return None
        span_ms = self.phase.window_s * 1000
        left_ms = self._recent[0] + span_ms - now_ms if self.phase.sliding else span_ms - now_ms % span_ms
        return float(max(1, -(-left_ms // 1000)))
