"""The failure stop: a job halts once too many of its references were refused, or are unconfirmed.

A limit is a number or a share. A number bounds the failures of the whole job. A share is passed where, among the final
results, more than that share are failures

- over the whole job, once it has 50 results;
- over its last 1,000 results or so, once there are 50 of them;
- or so many that the share of all its references is passed, whatever comes.

`manifested`, `not_found` and `rejected` are refused; `unconfirmed` and `failed` are unconfirmed. Malformed entries,
and what expired or was aborted, do not count: the platform said nothing of them. The ledger counts
(lua/shared/failure_stop.lua).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cancellist.jobs.limits import Limit, parse_limit
from cancellist.jobs.model import JobRecord


class FailureKind(StrEnum):
    """What a limit counts."""

    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"


class HaltCause(StrEnum):
    """What halted a job.

    Failures of one of the kinds that are limited, a canary of which none was cancelled, or a worker that calls another
    host than the job is meant for.
    """

    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    NONE_CANCELLED = "none_cancelled"
    HOST = "host"


class HaltPlace(StrEnum):
    """Where the failures were found: in the whole job, among its last results, or in its canary."""

    JOB = "job"
    WINDOW = "window"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class FailureStop:
    """The limits of one job. It halts where any of them is passed; without limits it never does."""

    refused: tuple[Limit, ...] = ()
    unconfirmed: tuple[Limit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.refused or self.unconfirmed)

    def joined(self, other: "FailureStop") -> "FailureStop":
        """Both stops as one. So a request can only tighten what its account has set."""
        return FailureStop(_each_once(self.refused, other.refused), _each_once(self.unconfirmed, other.unconfirmed))

    def packed(self) -> str:
        """As the ledger stores it; empty without limits."""
        return " ".join(f"{kind}:{limit}" for kind, limit in self._limits())

    def _limits(self) -> Iterator[tuple[FailureKind, Limit]]:
        for kind, limits in ((FailureKind.REFUSED, self.refused), (FailureKind.UNCONFIRMED, self.unconfirmed)):
            for limit in limits:
                yield kind, limit


@dataclass(frozen=True, slots=True)
class Halt:
    """Why and when a job halted.

    Attributes:
        cause: what halted it.
        limit: the limit that was passed.
        found: the failures.
        results: the results among which they were found.
        place: whether these are all results of the job, the last ones only, or those of its canary.
        at_ms: when, by the server's clock.
        meant: the host that the job is meant for; empty where no host halted it.
        called: the host that the worker calls; likewise.
    """

    cause: HaltCause
    limit: Limit
    found: int
    results: int
    place: HaltPlace
    at_ms: int
    meant: str = ""
    called: str = ""

    @property
    def words(self) -> str:
        """The same in words."""
        if self.cause is HaltCause.HOST:
            return (
                f"it is meant for the platform at {self.meant}, and a worker calls {self.called}: "
                f"nothing was called there; have all workers of its account call {self.meant}"
            )
        if self.cause is HaltCause.NONE_CANCELLED:
            return f"none of the {self.results:,} references of its canary was cancelled by it, so they show nothing"
        match self.place:
            case HaltPlace.JOB:
                among = f"{self.results:,} results"
            case HaltPlace.WINDOW:
                among = f"the last {self.results:,} results"
            case HaltPlace.CANARY:
                among = f"the {self.results:,} results of its canary"
        return f"{self.found:,} of {among} are {self.cause}, more than the limit of {self.limit}"


def unpack_stop(text: str) -> FailureStop:
    """Reads what `FailureStop.packed` wrote.

    Raises:
        ValueError: it is something else.
    """
    words = [word.partition(":") for word in text.split()]
    refused, unconfirmed = (
        tuple(parse_limit(limit) for which, _, limit in words if FailureKind(which) is kind) for kind in FailureKind
    )
    return FailureStop(refused, unconfirmed)


def halt_of(record: JobRecord) -> Halt | None:
    """Why a job is halted; None where it is not, or where the reason cannot be read: it must not break a listing."""
    if record.halted_why is None or record.halted_at_ms is None:
        return None
    try:
        cause, limit, found, results, place = record.halted_why.split()
        if cause == HaltCause.HOST:
            none = parse_limit("0")
            return Halt(HaltCause.HOST, none, 0, 0, HaltPlace.JOB, record.halted_at_ms, meant=limit, called=found)
        counts = int(found), int(results)
        return Halt(HaltCause(cause), parse_limit(limit), *counts, HaltPlace(place), record.halted_at_ms)
    except ValueError:
        return None


def stop_of(max_refused: str | None, max_unconfirmed: str | None) -> FailureStop:
    """The stop that two texts such as `50` or `2.5%` mean; None and an empty text set no limit.

    Raises:
        ValueError: a text is no limit.
    """
    return FailureStop(_parsed(max_refused), _parsed(max_unconfirmed))


def _parsed(text: str | None) -> tuple[Limit, ...]:
    return (parse_limit(text),) if text else ()


def _each_once(*limits: Iterable[Limit]) -> tuple[Limit, ...]:
    return tuple(dict.fromkeys(limit for several in limits for limit in several))
