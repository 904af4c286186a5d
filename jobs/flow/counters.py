"""What a drain counts of its attempts, and what happened between two readings of such counters.

Counters only grow while a drain lives, so a reading that is lost or read twice changes nothing: what happened is the
difference to what was last seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import floor, log2
from typing import Any, Self, TypedDict

_WORDS = 120


def bucket(references: int) -> int:
    """The size class of a list: half octaves, so that 1, 3, 6, 12, 25, 50 and 100 have one each."""
    return floor(2 * log2(max(1, references)))


@dataclass(frozen=True, slots=True)
class Timed:
    """How long some calls took.

    Attributes:
        n: how many.
        ms: the sum of their times.
        squares: the sum of the squares of their times in ms.
    """

    n: int = 0
    ms: float = 0.0
    squares: float = 0.0

    def minus(self, other: "Timed") -> "Timed":
        """What came since another reading."""
        return Timed(self.n - other.n, self.ms - other.ms, self.squares - other.squares)

    def plus(self, other: "Timed") -> "Timed":
        """Both together."""
        return Timed(self.n + other.n, self.ms + other.ms, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class Sized:
    """Accepted list calls of one size class: how many, references named, ms taken."""

    n: int = 0
    references: int = 0
    ms: float = 0.0

    def minus(self, other: "Sized") -> "Sized":
        """What came since another reading."""
        return Sized(self.n - other.n, self.references - other.references, self.ms - other.ms)

    def plus(self, other: "Sized") -> "Sized":
        """Both together."""
        return Sized(self.n + other.n, self.references + other.references, self.ms + other.ms)


@dataclass(frozen=True, slots=True)
class Counters:
    """A drain's attempts since it began; an attempt is one request.

    Attributes:
        accepted: those that the platform took on, whatever it then said of the references.
        refused: answered 429 or 503.
        timed_out: without an answer in time.
        failed: other 5xx, resets, connections that did not come about.
        denied: answered 401 or 403, or by a gateway in the platform's place.
        told: of `refused`, those with a Retry-After.
        probes_passed: calls let through by an open breaker that were accepted.
        probes_failed: those that were not.
        run: failed, timed out or answered 503 in a row since the last accepted one; not a sum.
        full: accepted list calls that named as many references as a call then might, an exploratory size apart.
        sizes: accepted list calls by `bucket` of their length.
        why: the words of the last failure or denial.
    """

    accepted: int = 0
    refused: int = 0
    timed_out: int = 0
    failed: int = 0
    denied: int = 0
    told: int = 0
    probes_passed: int = 0
    probes_failed: int = 0
    run: int = 0
    full: Timed = Timed()
    sizes: Mapping[int, Sized] = field(default_factory=dict)
    why: str = ""

    def accept(self, took_ms: float = 0.0, references: int = 0, *, full: bool = False) -> "Counters":
        """One more that was accepted; `references` of a list call, 0 of any other."""
        now = replace(self, accepted=self.accepted + 1, run=0)
        if references:
            key = bucket(references)
            sized = self.sizes.get(key, Sized()).plus(Sized(1, references, took_ms))
            now = replace(now, sizes={**self.sizes, key: sized})
        return replace(now, full=self.full.plus(Timed(1, took_ms, took_ms * took_ms))) if full else now

    def refuse(self, why: str, *, told: bool = False, overload: bool = False) -> "Counters":
        """One more that was refused; `overload`: by 503."""
        now = replace(self, refused=self.refused + 1, told=self.told + told)
        return replace(now, run=self.run + 1, why=why[:_WORDS]) if overload else now

    def time_out(self, why: str) -> "Counters":
        """One more without an answer in time."""
        return replace(self, timed_out=self.timed_out + 1, run=self.run + 1, why=why[:_WORDS])

    def fail(self, why: str) -> "Counters":
        """One more that failed."""
        return replace(self, failed=self.failed + 1, run=self.run + 1, why=why[:_WORDS])

    def deny(self, why: str) -> "Counters":
        """One more that was denied."""
        return replace(self, denied=self.denied + 1, why=why[:_WORDS])

    def probe(self, *, passed: bool) -> "Counters":
        """The last one was a probe."""
        if passed:
            return replace(self, probes_passed=self.probes_passed + 1)
        return replace(self, probes_failed=self.probes_failed + 1)

    @property
    def tally(self) -> tuple[int, ...]:
        """The plain sums, in the order of the fields."""
        return (
            self.accepted, self.refused, self.timed_out, self.failed, self.denied, self.told,
            self.probes_passed, self.probes_failed,
        )  # fmt: skip

    def since(self, before: "Counters | None") -> "Counters":
        """What came since another reading; everything where there was none, or the drain began anew."""
        if before is None or any(now < then for now, then in zip(self.tally, before.tally, strict=True)):
            return self
        sizes = {key: sized.minus(before.sizes.get(key, Sized())) for key, sized in self.sizes.items()}
        return replace(
            self,
            **_named(now - then for now, then in zip(self.tally, before.tally, strict=True)),
            full=self.full.minus(before.full),
            sizes={key: sized for key, sized in sizes.items() if sized.n > 0},
        )

    def plus(self, other: "Counters") -> "Counters":
        """Both together; the words are the other's where it has any."""
        sizes = dict(self.sizes)
        for key, sized in other.sizes.items():
            sizes[key] = sizes.get(key, Sized()).plus(sized)
        return Counters(
            **_named(mine + its for mine, its in zip(self.tally, other.tally, strict=True)),
            run=self.run + other.run,
            full=self.full.plus(other.full),
            sizes=sizes,
            why=other.why or self.why,
        )

    def packed(self) -> list[Any]:
        """As JSON takes it."""
        sizes = [[key, s.n, s.references, round(s.ms, 1)] for key, s in sorted(self.sizes.items())]
        full = [self.full.n, round(self.full.ms, 1), round(self.full.squares)]
        return [*self.tally, self.run, full, sizes, self.why]

    @classmethod
    def unpack(cls, document: list[Any]) -> Self:
        """Reads what `packed` made.

        Raises:
            ValueError: it is something else.
        """
        try:
            tally, (run, full, sizes, why) = document[:8], document[8:12]  # what follows is a later version's
            by_size = {int(key): Sized(int(n), int(references), float(ms)) for key, n, references, ms, *_ in sizes}
            timed = Timed(int(full[0]), float(full[1]), float(full[2]))
            named = _named(int(count) for count in tally)
            return cls(**named, run=int(run), full=timed, sizes=by_size, why=str(why)[:_WORDS])
        except (TypeError, IndexError, ValueError) as error:
            raise ValueError(f"these are no counters: {document!r:.120}") from error


class _Named(TypedDict):
    accepted: int
    refused: int
    timed_out: int
    failed: int
    denied: int
    told: int
    probes_passed: int
    probes_failed: int


def _named(tally: Iterable[int]) -> _Named:
    accepted, refused, timed_out, failed, denied, told, passed, missed = tally
    return _Named(
        accepted=accepted, refused=refused, timed_out=timed_out, failed=failed, denied=denied, told=told,
        probes_passed=passed, probes_failed=missed,
    )  # fmt: skip
