"""How many references a call should name: as many as make a reference cheapest.

    cost of a size = ms of its lists / references of its lists
    take half or double the size where  cost there < (1 - gain) * cost here

Costs come from lists of the size in force, from shorter ones as they happen, and from rare calls of another size. Where
no list of a size is answered in time, the first shorter one that is answered is taken. An outage may have been behind
the timeouts, so what they have shortened is doubled again as longer lists are answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cancellist.jobs.flow.counters import Sized, bucket
from cancellist.jobs.flow.sample import FlowSample
from cancellist.jobs.responses.answer import CONFIRMING, Answer, Failure, too_long


@dataclass(frozen=True, slots=True)
class TriedBatch:
    """A list of so many references was taken by the platform, or refused for its length."""

    references: int
    taken: bool


def listed(references: int, answer: Answer | Failure) -> TriedBatch | None:
    """What an answer says of the length of a list; None where it says nothing. One reference is never too many."""
    match answer:
        case Answer(status=status) if status in CONFIRMING:
            return TriedBatch(references, taken=True)
        case Answer() if too_long(answer) and references > 1:
            return TriedBatch(references, taken=False)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class ListSizePolicy:
    """The constants of the list size.

    Attributes:
        gain: how much cheaper a reference must be for another size to be taken (0.01 to 0.5).
        evidence: calls of another size before it is judged (1 to 100).
        explore_every: list calls for each of another size, or again of one that was refused (50 to 100000).
        slow_ms: lists that take longer are worth ten times as many looks (1 to 600000).
        memory: calls of the size in force by which it is judged (10 to 10000).
    """

    gain: float = 0.08
    evidence: int = 3
    explore_every: int = 200
    slow_ms: int = 250
    memory: int = 50


@dataclass(frozen=True, slots=True)
class ListSearch:
    """The constants of the search for the longest list that the platform takes (lua/shared/batch_limit.lua).

    Attributes:
        look_every: full lists that pay for one look at a length that was refused (50 to 100000).
        near: by what share of the longest list taken the shortest refused is longer, at most, once the search between
            the two is over (0.001 to 1).
        rarest: times as many lists as `look_every` for a look, at most, while looks are in vain (1 to 1024).
    """

    look_every: int = 200
    near: float = 0.05
    rarest: int = 8


@dataclass(frozen=True, slots=True)
class ListSize:
    """The state of the list size.

    Attributes:
        size: references a call may name; 0: as many as the bound allows, also once it changes.
        explore: a size that one call should have; 0: none.
        explorations: how many were asked for, so that each is used once.
        credit: list calls since the last.
        silent: timeouts since the last accepted list of this size.
        costs: by size class, calls, references and ms, the older the less.
        bound: the most that a call might name at the last move.
        pace: list calls before a longer list is tried where timeouts have shortened them; 0: as rarely as ever.
    """

    size: int = 0
    explore: int = 0
    explorations: int = 0
    credit: float = 0.0
    silent: int = 0
    costs: Mapping[int, Sized] = field(default_factory=dict)
    bound: int = 0
    pace: int = 0

    @property
    def in_force(self) -> int:
        """References a call may name; 0: nothing is known yet."""
        return self.size or self.bound


def step(state: ListSize, sample: FlowSample, policy: ListSizePolicy, bound: int) -> ListSize:
    """The list size after a sample; `bound`: the most references that a call may name."""
    size = min(state.size or bound, bound)
    costs = _remember(state.costs, sample.counts.sizes, policy, bucket(size))
    came = sum(sized.n for sized in sample.counts.sizes.values())
    credit = min(state.credit + came, 2.0 * policy.explore_every)
    after = replace(state, size=size, costs=costs, credit=credit, bound=bound)
    tried = after.explore if bucket(after.explore) in sample.counts.sizes else 0
    if tried or after.explore > bound:
        after = replace(after, explore=0)
    after = replace(after, silent=0 if bucket(size) in costs else state.silent + sample.counts.timed_out)
    after = _choose(after, sample, policy, tried)
    # What is as long as may be was not found: it grows with the bound.
    return replace(after, size=0) if after.size >= bound else after


def _choose(after: ListSize, sample: FlowSample, policy: ListSizePolicy, tried: int) -> ListSize:
    """The size to use and the one to look at; `tried`: the size that was explored, if such a list was answered."""
    if after.silent >= policy.evidence and after.size > 1:
        return _shorten(after, sample, policy, tried)
    if after.pace and tried > after.size:
        return _lengthen(replace(after, size=tried, pace=policy.evidence), policy)
    better = _better(after, policy)
    if better:
        return replace(after, size=better, explore=0, pace=0 if better < after.size else after.pace)
    return _lengthen(after, policy) if after.pace else _explore(after, policy)


def _shorten(after: ListSize, sample: FlowSample, policy: ListSizePolicy, tried: int) -> ListSize:
    """Where no list of the size in force was ever answered in time: the first shorter one that is answered is taken."""
    if tried:
        return replace(after, size=tried, silent=0, pace=policy.evidence)
    if not sample.counts.timed_out:
        return after
    return _ask(after, max(1, after.size >> min(10, after.silent - policy.evidence + 1)))


def _lengthen(after: ListSize, policy: ListSizePolicy) -> ListSize:
    """What timeouts have shortened is doubled as soon as a longer list is answered: the length may not be to blame.

    As long as none is, looks become rarer, until they are as rare as ever.
    """
    longer = [other for other in _neighbours(after) if other > after.size]
    if not longer or after.pace >= _price(after, policy):
        return replace(after, pace=0)
    if after.credit < after.pace:
        return after
    return replace(_ask(after, longer[0]), pace=2 * after.pace)


def _ask(state: ListSize, size: int) -> ListSize:
    return replace(state, explore=size, explorations=state.explorations + 1, credit=0.0)


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


def _neighbours(state: ListSize) -> list[int]:
    """Half and double; what is in the class of the bound is the bound."""
    size, bound = state.size, state.bound
    longer = bound if bucket(2 * size) >= bucket(bound) else 2 * size
    return [other for other in (max(1, size // 2), longer) if bucket(other) != bucket(size)]


def _better(state: ListSize, policy: ListSizePolicy) -> int | None:
    now = _cost(state, state.size, policy)
    if now is None:
        return None
    for other in _neighbours(state):
        cost = _cost(state, other, policy)
        if cost is not None and cost < now * (1 - policy.gain):
            return other
    return None


def _price(state: ListSize, policy: ListSizePolicy) -> float:
    """List calls that pay for one of another size."""
    current = state.costs.get(bucket(state.size), Sized())
    slow = current.n > 0 and current.ms / current.n >= policy.slow_ms
    return policy.explore_every / 10 if slow else policy.explore_every


def _explore(state: ListSize, policy: ListSizePolicy) -> ListSize:
    """Asks for a call of a neighbouring size, one after the other, once enough calls have paid for it.

    One that was asked for and never answered is not waited for: its call may have failed, or found fewer references.
    """
    others = _neighbours(state)
    if state.credit < _price(state, policy) or not others:
        return state
    return _ask(state, others[state.explorations % len(others)])
