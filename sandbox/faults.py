"""Faults on request: a closed set, and pure decisions by seed.

A fault is written `KIND`, for cancels alone and in bulk, or `SCOPE:KIND`, and has a probability. Of one call at most
one fault comes true, so the probabilities of a scope add up to at most 1. `before` means that nothing was done, `after`
that the call was acted on in full, `timeout-late` that it hangs and is acted on after `late_ms`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandbox.references import chance, draw


class FaultKind(StrEnum):
    """What can go wrong with a call."""

    STATUS_500_BEFORE = "500-before"
    STATUS_502_BEFORE = "502-before"
    STATUS_503_BEFORE = "503-before"
    STATUS_504_BEFORE = "504-before"
    STATUS_520_BEFORE = "520-before"
    STATUS_429_BEFORE = "429-before"
    STATUS_408_BEFORE = "408-before"
    STATUS_405_BEFORE = "405-before"
    STATUS_409_BEFORE = "409-before"
    STATUS_415_BEFORE = "415-before"
    STATUS_422_BEFORE = "422-before"
    STATUS_500_AFTER = "500-after"
    STATUS_502_AFTER = "502-after"
    STATUS_503_AFTER = "503-after"
    STATUS_504_AFTER = "504-after"
    STATUS_520_AFTER = "520-after"
    STATUS_429_AFTER = "429-after"
    STATUS_408_AFTER = "408-after"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    REDIRECT = "redirect"
    TIMEOUT_BEFORE = "timeout-before"
    TIMEOUT_AFTER = "timeout-after"
    TIMEOUT_LATE = "timeout-late"
    CLOSE_BEFORE = "close-before"
    CLOSE_AFTER = "close-after"
    HALF_ACTED_500 = "half-acted-500"
    HALF_ACTED_CLOSE = "half-acted-close"
    TRUNCATED = "truncated"
    HALF_LIST = "half-list"
    SHUFFLED = "shuffled"
    EXTRA_ITEM = "extra-item"
    DOUBLED_ITEM = "doubled-item"
    CONTRADICTION = "contradiction"
    DATA_OTHER_CASE = "data-other-case"
    DATA_NULL = "data-null"
    DATA_MISTYPED = "data-mistyped"
    SUCCESS_MISSING = "success-missing"
    SUCCESS_MISTYPED = "success-mistyped"
    OBJECT = "object"
    NULL = "null"
    HTML = "html"
    EMPTY = "empty"
    WRONG_ENCODING = "wrong-encoding"
    BROKEN_GZIP = "broken-gzip"
    HUGE = "huge"
    ACCEPTED = "202"
    NO_CONTENT = "204"
    STATE_UNKNOWN = "state-unknown"
    STATE_MISSING = "state-missing"
    SLOW = "slow"


class Scope(StrEnum):
    """Which calls a fault is for."""

    LIST = "list"
    SINGLE = "single"
    DEALLOCATE = "deallocate"
    READS = "reads"
    SEARCH = "search"


class Acts(StrEnum):
    """What a call with a fault does to the consignments."""

    NOTHING = "nothing"
    HALF = "half"
    ALL = "all"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that comes true; `salt` decides what its kind leaves open, such as which items are missing."""

    kind: FaultKind
    salt: int


Plan = tuple[tuple[FaultKind, float], ...]
"""The probabilities of one scope's faults."""

_BEFORE: Final = frozenset(kind for kind in FaultKind if kind.endswith("-before")) | {
    FaultKind.UNAUTHORIZED,
    FaultKind.FORBIDDEN,
    FaultKind.REDIRECT,
}
_AFTER: Final = frozenset(kind for kind in FaultKind if kind.endswith("-after")) | {
    FaultKind.TIMEOUT_LATE,
    FaultKind.ACCEPTED,
    FaultKind.NO_CONTENT,
}
_BODY: Final = frozenset(
    {
        FaultKind.TRUNCATED, FaultKind.NULL, FaultKind.HTML, FaultKind.WRONG_ENCODING, FaultKind.BROKEN_GZIP,
        FaultKind.HUGE,
    }
)  # fmt: skip
_STATES: Final = frozenset({FaultKind.STATE_UNKNOWN, FaultKind.STATE_MISSING})
_EVERYWHERE: Final = _BEFORE | {FaultKind.SLOW, FaultKind.TRUNCATED}
_LISTS: Final = frozenset(FaultKind) - _STATES

APPLIES: Final[Mapping[Scope, frozenset[FaultKind]]] = {
    Scope.LIST: _LISTS,
    Scope.DEALLOCATE: _LISTS,
    Scope.SINGLE: _EVERYWHERE | _AFTER | _BODY,
    Scope.READS: _EVERYWHERE | _BODY | _STATES | {FaultKind.OBJECT, FaultKind.EMPTY, FaultKind.DATA_OTHER_CASE},
    Scope.SEARCH: _EVERYWHERE,
}
"""Which faults make sense where."""


def acts(kind: FaultKind) -> Acts:
    """Returns what a call with this fault does."""
    match kind:
        case FaultKind.HALF_ACTED_500 | FaultKind.HALF_ACTED_CLOSE:
            return Acts.HALF
        case FaultKind.TIMEOUT_LATE:
            return Acts.LATE
        case _ if kind in _BEFORE:
            return Acts.NOTHING
        case _:
            return Acts.ALL


def parse_faults(faults: Mapping[str, float]) -> dict[Scope, Plan]:
    """Reads probabilities by fault; one for a scope wins over one for cancels at large.

    Raises:
        ValueError: names the fault that is unknown or out of range, or the scope whose faults add up to more than 1.
    """
    chances: dict[Scope, dict[FaultKind, float]] = {scope: {} for scope in Scope}
    for name, probability in sorted(faults.items(), key=lambda fault: ":" in fault[0]):
        if not 0 <= probability <= 1:
            raise ValueError(f"the probability of {name} must be from 0 to 1, not {probability}")
        scopes, kind = _parse_name(name)
        for scope in scopes:
            chances[scope][kind] = probability
    for scope, kinds in chances.items():
        if sum(kinds.values()) > 1 + 1e-9:
            raise ValueError(
                f"the faults of {scope} add up to {sum(kinds.values()):g}; of one call at most 1 comes true"
            )
    return {
        scope: tuple((kind, kinds[kind]) for kind in FaultKind if kind in kinds) for scope, kinds in chances.items()
    }


def _parse_name(name: str) -> tuple[list[Scope], FaultKind]:
    prefix, colon, rest = name.rpartition(":")
    try:
        kind = FaultKind(rest)
    except ValueError:
        raise ValueError(f"unknown fault {rest!r}; there are: {', '.join(FaultKind)}") from None
    try:
        scopes = [Scope(prefix)] if colon else [Scope.LIST, Scope.SINGLE]
    except ValueError:
        raise ValueError(f"unknown scope {prefix!r} of fault {name}; there are: {', '.join(Scope)}") from None
    fitting = [scope for scope in scopes if kind in APPLIES[scope]]
    if not fitting:
        where = ", ".join(f"{scope}:{kind}" for scope in Scope if kind in APPLIES[scope])
        raise ValueError(f"fault {name} does not apply there; there are: {where}")
    return fitting, kind


def decide(seed: int, call_number: int, plan: Plan) -> Fault | None:
    """Returns the fault of a call, the same for the same seed, number and plan; None where it goes well."""
    if not plan:
        return None
    lot = chance(seed, "fault", call_number)
    for kind, probability in plan:
        lot -= probability
        if lot < 0:
            return Fault(kind, draw(seed, "salt", call_number))
    return None
