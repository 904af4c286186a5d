"""How many references a call should name: as many as make a reference cheapest.

What is known comes from lists of the size in force, from shorter ones as they happen, and from rare calls of another
size. A size an octave away is taken where a reference is clearly cheaper there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobs.samples import Sample, Sized, bucket


@dataclass(frozen=True, slots=True)
class ListSizePolicy:
    """The constants of the list size.

    Attributes:
        gain: how much cheaper a reference must be for another size to be taken (0.01 to 0.5).
        evidence: calls of another size before it is judged (1 to 100).
        explore_every: list calls for each of another size (50 to 100000).
        slow_ms: lists that take longer are worth ten times as many looks (1 to 600000).
        memory: calls of the size in force by which it is judged (10 to 10000).
    """

    gain: float = 0.08
    evidence: int = 3
    explore_every: int = 200
    slow_ms: int = 250
    memory: int = 50


@dataclass(frozen=True, slots=True)
class ListSize:
    """The state of the list size.

    Attributes:
        size: references a call may name; 0: as many as the bound allows.
        explore: a size that one call should have; 0: none.
        explorations: how many were asked for, so that each is used once.
        credit: list calls since the last.
        costs: by size class, calls, references and ms, the older the less.
    """

    size: int = 0
    explore: int = 0
    explorations: int = 0
    credit: float = 0.0
    costs: Mapping[int, Sized] = field(default_factory=dict)


def move(state: ListSize, sample: Sample, policy: ListSizePolicy, bound: int) -> ListSize:
    """The list size after a sample; `bound`: the most references that a call may name."""
    size = min(state.size or bound, bound)
    costs = _remember(state.costs, sample.counts.sizes, policy, bucket(size))
    came = sum(sized.n for sized in sample.counts.sizes.values())
    after = replace(state, size=size, costs=costs, credit=min(state.credit + came, 2.0 * policy.explore_every))
    if after.explore and (after.explore > bound or bucket(after.explore) in sample.counts.sizes):
        after = replace(after, explore=0)
    better = _better(after, policy, bound)
    if better:
        return replace(after, size=better, explore=0)
    return _explore(after, policy, bound)


def _remember(
    known: Mapping[int, Sized], came: Mapping[int, Sized], policy: ListSizePolicy, in_force: int
) -> Mapping[int, Sized]:
    """Adds what came; what is known of other sizes is forgotten every few calls: the platform may have changed."""
    costs = dict(known)
    for key, sized in came.items():
        before = costs.get(key, Sized())
        total = before.plus(sized)
        if key != in_force and before.n >= 2 * policy.evidence:
            total = sized
        elif total.n > 2 * policy.memory:
            share = policy.memory / total.n
            total = Sized(policy.memory, max(1, round(total.references * share)), total.ms * share)
        costs[key] = total
    return costs


def _cost(state: ListSize, size: int, policy: ListSizePolicy) -> float | None:
    """Milliseconds a reference at a size; None where too little is known."""
    sized = state.costs.get(bucket(size), Sized())
    return sized.ms / sized.references if sized.n >= policy.evidence and sized.references else None


def _neighbours(size: int, bound: int) -> list[int]:
    """Half and double; what is in the class of the bound is the bound."""
    longer = bound if bucket(2 * size) >= bucket(bound) else 2 * size
    return [other for other in (max(1, size // 2), longer) if bucket(other) != bucket(size)]


def _better(state: ListSize, policy: ListSizePolicy, bound: int) -> int | None:
    now = _cost(state, state.size, policy)
    if now is None:
        return None
    for other in _neighbours(state.size, bound):
        cost = _cost(state, other, policy)
        if cost is not None and cost < now * (1 - policy.gain):
            return other
    return None


def _explore(state: ListSize, policy: ListSizePolicy, bound: int) -> ListSize:
    """Asks for a call of a neighbouring size, one after the other, once enough calls have paid for it."""
    current = state.costs.get(bucket(state.size), Sized())
    slow = current.n > 0 and current.ms / current.n >= policy.slow_ms
    price = policy.explore_every / 10 if slow else policy.explore_every
    others = _neighbours(state.size, bound)
    if state.explore or state.credit < price or not others:
        return state
    other = others[state.explorations % len(others)]
    return replace(state, explore=other, explorations=state.explorations + 1, credit=0.0)
