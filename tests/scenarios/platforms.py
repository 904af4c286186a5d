"""A platform in virtual time: how long a call takes and how it ends, as the phases of a scenario say."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from random import Random


class Ending(Enum):
    """How a call ends."""

    ACCEPTED = auto()
    REFUSED = auto()  # 429
    OVERLOADED = auto()  # 503
    FAILED = auto()
    DENIED = auto()
    TIMED_OUT = auto()
    TOO_LONG = auto()  # 413


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
    down: str | None = None  # refused, overloaded, hanging
    denied: bool = False

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

    def arrive(self, references: int, now_ms: float) -> tuple[Ending, float, float | None]:
        """How a call will end, in how many ms, and the Retry-After in seconds."""
        phase, chance = self.phase, self._random.random
        if phase.down == "hanging":
            return Ending.TIMED_OUT, self._timeout_ms, None
        if phase.down:
            return (Ending.FAILED if phase.down == "refused" else Ending.OVERLOADED), 1.0 + 2 * chance(), None
        if phase.denied:
            return Ending.DENIED, 5.0 + 2 * chance(), None
        if phase.rate and not self._within_rate(now_ms):
            return Ending.REFUSED, 2.0 + 2 * chance(), self._pardon_s(now_ms)
        if phase.capacity and self._at_once >= phase.capacity:
            return Ending.REFUSED, 2.0 + 2 * chance(), phase.retry_after_s
        if references > self._longest():
            return Ending.TOO_LONG, 2.0, None
        if chance() < phase.errors:
            return self._random.choice((Ending.REFUSED, Ending.OVERLOADED, Ending.FAILED)), 5.0, None
        took_ms = phase.call_ms(references, self._at_once + 1) * (1 + phase.jitter * (2 * chance() - 1))
        took_ms *= 5 if chance() < phase.tail else 1
        if took_ms > self._timeout_ms:
            return Ending.TIMED_OUT, self._timeout_ms, None
        self._at_once += 1
        return Ending.ACCEPTED, took_ms, None

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
