"""An account's flow: one state that whichever worker comes first moves, from what all drains have counted.

    state after = step(state before, what happened since, calls in flight, policy, now)

Limit, rate, batch size and breaker each have a module. This one joins them and packs them for the ledger. The breaker
goes first. While it is closed the rate says which refusals are its own, and the rest move the limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any, Self

from cancellist.jobs.flow import batch_size, latency
from cancellist.jobs.flow import circuit_breaker as breakers
from cancellist.jobs.flow import concurrency as limiters
from cancellist.jobs.flow import random_loss as chances
from cancellist.jobs.flow.batch_size import ListSize, ListSizePolicy
from cancellist.jobs.flow.circuit_breaker import Breaker, BreakerPolicy, Mode
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy, ConcurrencyState
from cancellist.jobs.flow.counters import Counters, Sized
from cancellist.jobs.flow.encoding import numbers, restored
from cancellist.jobs.flow.latency import RoundTripPolicy, RoundTrips
from cancellist.jobs.flow.random_loss import Losses, RandomLossPolicy
from cancellist.jobs.flow.rate import learning, spacing
from cancellist.jobs.flow.rate.state import Pacing, PacingPolicy
from cancellist.jobs.flow.sample import FlowSample, sample
from cancellist.jobs.model import BreakerCause

VERSION = 1
"""Of the state. It rises with the format alone: else each of two versions would begin anew what the other moved."""


@dataclass(frozen=True, slots=True)
class FlowPolicy:
    """What the flow of an account may be.

    Attributes:
        ceiling: calls in flight at most.
        max_references: references a call may name at most.
        interval_us: microseconds between calls as configured; 0: no rate is.
        limiter: the constants of the limit of calls in flight.
        random_loss: by which losses are told from a limit.
        round_trips: of the watch on round trips.
        pacing: of the learned rate.
        list_size: of the list size.
        breaker: of the breaker.
    """

    ceiling: int
    max_references: int = 100
    interval_us: int = 0
    limiter: ConcurrencyPolicy = field(default_factory=ConcurrencyPolicy)
    random_loss: RandomLossPolicy = field(default_factory=RandomLossPolicy)
    round_trips: RoundTripPolicy = field(default_factory=RoundTripPolicy)
    pacing: PacingPolicy = field(default_factory=PacingPolicy)
    list_size: ListSizePolicy = field(default_factory=ListSizePolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


@dataclass(frozen=True, slots=True)
class FlowState:
    """The flow of an account. What the claim script enforces are the properties.

    Attributes:
        at_ms: when it was last moved.
        limiter: the limit of calls in flight, and its memory.
        round_trips: what is known of round trips.
        pacing: the learned rate, and its memory.
        lists: the list size, and its memory.
        breaker: whether calls may be made.
        losses: which losses are chance.
        seen: the counters that it knows, by drain.
    """

    at_ms: int
    limiter: ConcurrencyState
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    pacing: Pacing = field(default_factory=Pacing)
    lists: ListSize = field(default_factory=ListSize)
    breaker: Breaker = field(default_factory=Breaker)
    losses: Losses = field(default_factory=Losses)
    seen: Mapping[str, Counters] = field(default_factory=dict)

    @property
    def limit(self) -> float:
        """Calls in flight over all workers; its floor counts."""
        return self.limiter.limit

    @property
    def interval_us(self) -> int:
        """Microseconds between calls, learned or spread; 0: neither. The configured one holds where it is longer."""
        return self.pacing.in_force_us or self.pacing.spread_us

    @property
    def list_size(self) -> int | None:
        """References a call may name, where fewer than configured are better."""
        return self.lists.size or None

    @property
    def explore(self) -> int | None:
        """References that one call should name instead: one for each value of `explorations`."""
        return self.lists.explore or None

    @property
    def explorations(self) -> int:
        """Counts the sizes asked for in `explore`."""
        return self.lists.explorations

    def packed(self) -> dict[str, Any]:
        """As JSON takes it: what is enforced by name, for the claim script, and the memory behind it."""
        b = self.breaker
        costs = [[key, s.n, s.references, round(s.ms, 1)] for key, s in self.lists.costs.items()]
        return {
            "v": VERSION, "at": self.at_ms, "limit": round(self.limit, 3), "interval_us": self.interval_us,
            "list_size": self.lists.size, "explore": self.lists.explore, "explorations": self.lists.explorations,
            "breaker": b.mode.value, "since": b.since_ms, "next_probe": b.next_probe_ms,
            "kind": b.kind.value if b.kind else "", "why": b.why,
            "memory": [
                numbers(self.limiter), numbers(self.round_trips), numbers(self.pacing),
                [b.tries, b.run, b.passed],
                [self.lists.credit, self.lists.silent, costs, self.lists.bound, self.lists.pace],
                numbers(self.losses),
            ],
            "seen": {name: replace(counters, why="").packed() for name, counters in self.seen.items()},
        }  # fmt: skip

    @classmethod
    def unpack(cls, document: Mapping[str, Any]) -> Self | None:
        """Reads what `packed` made; None where it is of another version or makes no sense: then begin anew."""
        try:
            if document["v"] != VERSION:
                return None
            limiter, trips, paced, (tries, run, passed, *_), lists, *later = document["memory"]
            credit, silent, costs, bound, pace = (*lists, 0, 0)[:5]
            return cls(
                int(document["at"]),
                restored(ConcurrencyState, limiter),
                restored(RoundTrips, trips),
                restored(Pacing, paced),
                ListSize(
                    int(document["list_size"]), int(document["explore"]), int(document["explorations"]),
                    float(credit), int(silent),
                    {int(key): Sized(int(n), int(references), float(ms)) for key, n, references, ms, *_ in costs},
                    int(bound), int(pace),
                ),
                Breaker(
                    Mode(document["breaker"]), int(document["since"]), int(document["next_probe"]),
                    BreakerCause(document["kind"]) if document["kind"] else None, str(document["why"]), int(tries),
                    int(run), int(passed),
                ),
                restored(Losses, later[0] if later else ()),
                {str(name): Counters.unpack(counters) for name, counters in document["seen"].items()},
            )  # fmt: skip
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            return None


def step(
    state: FlowState | None,
    drains: Mapping[str, Counters],
    in_flight: int,
    policy: FlowPolicy,
    now_ms: int,
    jitter: float,
    *,
    list_bound: int | None = None,
) -> FlowState:
    """The flow after what the drains have counted.

    Args:
        state: the flow before; None where none is known.
        drains: the counters of all drains that live, by name.
        in_flight: slots that are taken now.
        policy: what is allowed, and the constants.
        now_ms: by the server's clock.
        jitter: drawn from [0, 1).
        list_bound: what a 413 has left of the list size, where that is less than configured.
    """
    if state is None:
        state = FlowState(now_ms, limiters.start(policy.limiter, policy.ceiling, now_ms))
    now_ms = max(now_ms, state.at_ms)
    silent_ms, stale_ms = now_ms - state.at_ms, policy.limiter.stale_ms
    if silent_ms > stale_ms:
        fresh = limiters.start(policy.limiter, policy.ceiling, now_ms)
        rate = Pacing() if learning.outdated(state.pacing, silent_ms, stale_ms) else state.pacing
        state = replace(state, limiter=fresh, round_trips=RoundTrips(), pacing=rate, losses=Losses())
    what = sample(drains, state.seen, in_flight, state.at_ms, now_ms)
    breaker = breakers.step(state.breaker, what, policy.breaker, jitter)
    moved = state
    if breaker.closed and state.breaker.closed:
        moved = _steer(state, what, policy)
    elif breaker.closed:
        moved = replace(state, limiter=limiters.resume(state.limiter, now_ms))
    elif state.breaker.closed:
        moved = replace(state, limiter=limiters.suspend(state.limiter, now_ms))
    bound = min(policy.max_references, list_bound or policy.max_references)
    lists = batch_size.step(state.lists, what, policy.list_size, bound)
    return replace(moved, at_ms=now_ms, lists=lists, breaker=breaker, seen=dict(drains))


def _steer(state: FlowState, what: FlowSample, policy: FlowPolicy) -> FlowState:
    """Moves the limit and the rate while calls are made freely."""
    limiter = state.limiter
    saturated = limiters.saturated(limiter, what, policy.limiter)
    paced = learning.step(state.pacing, what, policy.pacing, saturated=saturated, round_ms=limiter.round_ms)
    losses = state.losses
    # One experiment at a time: what is lost now is compared with what was lost before, at a level that stays.
    trips = replace(state.round_trips, from_limit=0.0) if losses.tried else state.round_trips
    trips, advice = latency.step(
        trips, limiter.limit, what, policy.round_trips, saturated=saturated and not losses.tried
    )
    limiter = replace(limiter, limit=advice.limit)
    if advice.enough:
        limiter = limiters.enough(limiter, advice.limit)
    before = limiter
    if not (what.counts.refused and paced.in_force_us and (not saturated or not paced.interval_us)):
        # Else it is the rate that has refused.
        tolerated = losses.tolerated(policy.random_loss, trial=limiter.trial_ms > 0)
        limiter = limiters.step(
            limiter, what, policy.limiter, policy.ceiling, slowed=trips.slowed or losses.tried, by_chance=tolerated,
        )  # fmt: skip
        losses, limiter = chances.step(losses, before, limiter, what, policy.random_loss, policy.limiter)
        if learning.may_be_first(paced, what, policy.pacing):
            limiter = limiters.doubted(limiter, before.limit, policy.limiter)
    if paced.interval_us <= policy.interval_us:
        # The configured rate is the slower one: the learned one holds nothing back.
        paced = replace(paced, interval_us=0, safe_us=0)
    if paced.interval_us and not state.pacing.interval_us:
        limiter, losses = limiters.clear(limiter), chances.clear(losses)
    spread_us = spacing.spread_us(limiter, policy.pacing)
    if spread_us and not state.pacing.spread_us:
        limiter = spacing.begin(limiter)
    paced = replace(paced, spread_us=spread_us)
    return replace(state, limiter=limiter, round_trips=trips, pacing=paced, losses=losses)


def shuts(before: FlowState | None, after: FlowState, in_flight: int) -> bool:
    """Whether claims that wait in workers must be let go: the breaker opened, a rate came, or the limit is passed."""
    if before is None:
        return False
    opened = before.breaker.closed and not after.breaker.closed
    return opened or (after.interval_us > 0 and before.interval_us == 0) or floor(after.limit) < in_flight


def probe_now(state: FlowState, now_ms: int) -> FlowState:
    """The flow after a person has resumed the account: the next probe of an open breaker is due."""
    return replace(state, breaker=breakers.probe_now(state.breaker, now_ms))


def due_ms(state: FlowState, now_ms: int) -> int | None:
    """In how many ms an open breaker lets a probe through; None where calls may be made freely."""
    return None if state.breaker.closed else max(0, state.breaker.next_probe_ms - now_ms)
