"""Faults on request: pure decisions by seed, and by reference.

A fault is written `KIND`, for cancels alone and in bulk, or `SCOPE:KIND`, and has a probability. Of one call at most
one fault comes true, so the probabilities of a scope add up to at most 1. What goes wrong at a reference goes wrong
with every call that names it, or with the first few, and comes before all that is left to chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cancellist.sandbox.kinds import APPLIES, FaultKind, Scope
from cancellist.sandbox.references import chance, draw


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that comes true.

    `salt` decides what its kind leaves open, such as which items are missing; `reference` is the one it comes with.
    """

    kind: FaultKind
    salt: int
    reference: str | None = None


Plan = tuple[tuple[FaultKind, float], ...]
"""The probabilities of one scope's faults."""

Places = Mapping[str, Mapping[Scope, tuple[tuple[FaultKind, int | None], ...]]]
"""By reference and scope: what goes wrong there, and how often; None is always."""

_EVEN: Final = 1 + 1e-9


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
        if sum(kinds.values()) > _EVEN:
            raise ValueError(
                f"the faults of {scope} add up to {sum(kinds.values()):g}; of one call at most 1 comes true"
            )
    return {
        scope: tuple((kind, kinds[kind]) for kind in FaultKind if kind in kinds) for scope, kinds in chances.items()
    }


def parse_places(at: Mapping[str, Mapping[str, int | None]]) -> Places:
    """Reads what goes wrong at which reference, and how often.

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
