"""What a drain counts of its attempts: `Tally` counts, `Counters` are a reading of it.

    what happened = reading now - reading last seen

Counters only grow while a drain lives, so a reading that is lost or read twice changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import floor, log2
from typing import Any, Self, TypedDict

from cancellist.jobs.flow.signals import AttemptSignal, Signal

_WORDS = 120
_FAILING = frozenset({Signal.TIMED_OUT, Signal.FAILED})


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
        with_retry_after: of `refused`, those with a Retry-After.
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
    with_retry_after: int = 0
    probes_passed: int = 0
    probes_failed: int = 0
    run: int = 0
    full: Timed = Timed()
    sizes: Mapping[int, Sized] = field(default_factory=dict)
    why: str = ""

    @property
    def tally(self) -> tuple[int, ...]:
        """The plain sums, in the order of the fields."""
        return (
            self.accepted, self.refused, self.timed_out, self.failed, self.denied, self.with_retry_after,
            self.probes_passed, self.probes_failed,
        )  # fmt: skip

    def since(self, before: "Counters | None") -> "Counters":
        """What came since another reading; everything where there was none, or the drain began anew."""
        if before is None or any(now < then for now, then in zip(self.tally, before.tally, strict=True)):
            return self
        sizes = {key: sized.minus(before.sizes.get(key, Sized())) for key, sized in self.sizes.items()}
        return Counters(
            **_named(now - then for now, then in zip(self.tally, before.tally, strict=True)),
            run=self.run,
            full=self.full.minus(before.full),
            sizes={key: sized for key, sized in sizes.items() if sized.n > 0},
            why=self.why,
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
    with_retry_after: int
    probes_passed: int
    probes_failed: int


def _named(tally: Iterable[int]) -> _Named:
    accepted, refused, timed_out, failed, denied, with_retry_after, passed, missed = tally
    return _Named(
        accepted=accepted, refused=refused, timed_out=timed_out, failed=failed, denied=denied,
        with_retry_after=with_retry_after, probes_passed=passed, probes_failed=missed,
    )  # fmt: skip


class Tally:
    """Counts a drain's attempts since it began. Workers and scenarios both count with it."""

    def __init__(self) -> None:
        self._signs = dict.fromkeys(Signal, 0)
        self._run = self._with_retry_after = self._passed = self._failed = self._full = 0
        self._full_ms = self._full_ms2 = 0.0
        self._sizes: dict[int, tuple[int, int, float]] = {}
        self._why = ""
        self._denied = False

    def add(
        self,
        shown: AttemptSignal,
        *,
        kind: str = "calls",
        probe: bool = False,
        references: int = 1,
        size: int = 0,
        timed: bool = True,
    ) -> None:
        """Counts an attempt.

        Args:
            shown: what it showed of the platform.
            kind: of its claim; only `calls` name a list.
            probe: an open breaker let it through.
            references: how many it named.
            size: how many it might have named.
            timed: what it took tells what a list takes.
        """
        self._signs[shown.sign] += 1
        passed = shown.sign is Signal.ACCEPTED
        if probe:
            self._passed += passed
            self._failed += not passed
        if not passed:
            self._went_wrong(shown)
            return
        self._run = 0
        if kind == "calls" and timed:
            self._time(references, shown.took_ms, full=references == size)

    def _went_wrong(self, shown: AttemptSignal) -> None:
        # A denial is reported before all else that goes wrong.
        if shown.sign is Signal.DENIED or not self._denied:
            self._why = shown.why
        self._denied = self._denied or shown.sign is Signal.DENIED
        if shown.sign is Signal.REFUSED:
            self._with_retry_after += shown.with_retry_after
        if shown.sign in _FAILING or shown.overload:
            self._run += 1

    def _time(self, references: int, took_ms: float, *, full: bool) -> None:
        if full:
            self._full += 1
            self._full_ms += took_ms
            self._full_ms2 += took_ms * took_ms
        place = bucket(references)
        calls, named, total_ms = self._sizes.get(place, (0, 0, 0.0))
        self._sizes[place] = (calls + 1, named + references, total_ms + took_ms)

    def shared(self) -> None:
        """Notes that all of it has been shared: what goes wrong next is told by itself."""
        self._denied = False

    def counters(self) -> Counters:
        """A reading of it."""
        s = self._signs
        return Counters(
            accepted=s[Signal.ACCEPTED], refused=s[Signal.REFUSED], timed_out=s[Signal.TIMED_OUT],
            failed=s[Signal.FAILED], denied=s[Signal.DENIED], with_retry_after=self._with_retry_after,
            probes_passed=self._passed, probes_failed=self._failed, run=self._run,
            full=Timed(self._full, self._full_ms, self._full_ms2),
            sizes={place: Sized(*sums) for place, sums in self._sizes.items()}, why=self._why,
        )  # fmt: skip
