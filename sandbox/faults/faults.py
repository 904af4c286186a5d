"""Faults on request: pure decisions by seed, and by reference.

A fault is written `KIND`, for all cancel calls, or `SCOPE:KIND`, and has a probability. A call has at most one fault,
so the probabilities of a scope add up to at most 1. A fault of a reference happens to every call with that reference,
or to the first few, and goes before random faults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from cancellist.sandbox.faults.kinds import APPLIES, FaultKind, Scope
from cancellist.sandbox.world.references import chance, draw


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of a call.

    `salt` decides what the kind leaves open, such as which items are missing. `reference` is the one it belongs to.
    """

    kind: FaultKind
    salt: int
    reference: str | None = None


Plan = tuple[tuple[FaultKind, float], ...]
"""The probabilities of one scope's faults."""

Places = Mapping[str, Mapping[Scope, tuple[tuple[FaultKind, int | None], ...]]]
"""The faults by reference and scope, and how often each happens; None: always."""

_EVEN: Final = 1 + 1e-9
_SUGGESTED: Final = 3


def parse_faults(faults: Mapping[str, float]) -> dict[Scope, Plan]:
    """Parses probabilities by fault. One for a scope wins over one for all cancel calls.

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
        if sum(kinds.values()) > _EVEN:
            raise ValueError(
                f"the faults of {scope} add up to {sum(kinds.values()):g}; of one call at most 1 comes true"
            )
    return {
        scope: tuple((kind, kinds[kind]) for kind in FaultKind if kind in kinds) for scope, kinds in chances.items()
    }


def parse_places(at: Mapping[str, Mapping[str, int | None]]) -> Places:
    """Parses the faults of references, and how often each happens.

    Raises:
        ValueError: names the fault that is unknown or does not apply.
    """
    places: dict[str, dict[Scope, tuple[tuple[FaultKind, int | None], ...]]] = {}
    for reference, faults in at.items():
        here = places.setdefault(reference.strip().upper(), {})
        for name, times in faults.items():
            scopes, kind = _parse_name(name)
            for scope in scopes:
                here[scope] = (*here.get(scope, ()), (kind, times))
    return places


def _parse_name(name: str) -> tuple[list[Scope], FaultKind]:
    prefix, colon, rest = name.rpartition(":")
    try:
        kind = FaultKind(rest)
    except ValueError:
        near = get_close_matches(rest, FaultKind, n=_SUGGESTED)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(f"unknown fault {rest!r}; {meant}`cancellist sandbox --fault help` lists them all") from None
    try:
        scopes = [Scope(prefix)] if colon else [Scope.LIST, Scope.SINGLE]
    except ValueError:
        raise ValueError(f"unknown scope {prefix!r} of fault {name}; there are: {', '.join(Scope)}") from None
    fitting = [scope for scope in scopes if kind in APPLIES[scope]]
    if not fitting:
        where = " or ".join(f"{scope}:{kind}" for scope in Scope if kind in APPLIES[scope])
        raise ValueError(f"the fault {kind} does not apply to {' or '.join(scopes)} calls; write {where}")
    return fitting, kind


def decide(seed: int, call_number: int, plan: Plan) -> Fault | None:
    """Returns the fault of a call, the same for the same seed, number and plan; None if it has none."""
    if not plan:
        return None
    lot = chance(seed, "fault", call_number)
    for kind, probability in plan:
        lot -= probability
        if lot < 0:
            return Fault(kind, draw(seed, "salt", call_number))
    return None
