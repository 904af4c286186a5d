"""How many calls may be in flight: additive increase, multiplicative decrease, and a memory of the refused level.

Increase, while the limit is what holds calls back (`saturated`: in flight >= 0.9 * limit):

    limit += growth * max(time / round trip, accepted / limit)

Decrease, once refusals are likelier a limit than chance (Wald's sequential test):

    log_odds += lost * ln(1 + 1 / (tolerated * limit)) - round trips
    log_odds >= log_odds_needed:  refused_at = limit;  limit = min(decrease * limit, refused_at - 1)

Growth stops below `refused_at`. After `trial_after` accepted calls (`credit`) one trial uses that level. A trial that
loses no call forgets the level. A trial that fails takes more credit than there was, so the next one comes later.

Sources: Vector's adaptive request concurrency; the loss-based limit of Netflix's concurrency-limits.
"""

from dataclasses import dataclass, field, replace
from math import floor, log

from cancellist.jobs.flow.sample import FlowSample

UNKNOWN_ROUND_MS = 1_000.0
"""A round trip of which nothing is known yet."""
_LATELY = 5
"""Decreases within so many round trips have the same cause."""
_NEW = 0.5
"""The share of `log_odds_needed` with which a level begins that was not in use before, or is on trial among losses by
chance."""


@dataclass(frozen=True, slots=True)
class ConcurrencyPolicy:
    """The constants of the limiter.

    Attributes:
        initial: the limit where none is known, if the ceiling allows it (1 to 1000).
        stale_ms: a limit that was not moved for so long is unknown (5000 to 3600000).
        decrease: what is left of the limit after refusals within one round trip (0.5 to 0.99).
        growth: added for each round trip in which the limit was reached (0.1 to 10).
        trial_after: accepted calls before a trial of a level that was refused (10 to 10000).
        tolerated: the share of losses that is taken for chance where nothing is known of them (0.0 to 0.05).
        saturated: in flight at this share of the limit, the limit is what holds calls back (0.5 to 1.0).
        debt: how far credit may fall below zero, in trials (0.0 to 20).
        doubted: what is left of the limit at least while a rate may have refused as well (0.05 to 1.0).
        log_odds_needed: the log of how much likelier a limit must be than chance before refusals lower it; a trial
            among losses by chance ends where half of that speaks for either (1.0 to 20).
    """

    initial: int = 16
    stale_ms: int = 60_000
    decrease: float = 0.9
    growth: float = 1.0
    trial_after: int = 100
    tolerated: float = 0.01
    saturated: float = 0.9
    debt: float = 1.5
    doubted: float = 0.25
    log_odds_needed: float = 4.0


@dataclass(frozen=True, slots=True)
class ConcurrencyState:
    """The state of the limiter; times are 0 where it never happened.

    Attributes:
        limit: calls in flight allowed, enforced as its floor.
        refused_at: the level at which calls were refused; 0: none is known.
        credit: accepted calls since the last trial of `refused_at`, less what losses have cost.
        round_ms: the mean round trip of late.
        raised_ms: when the limit last reached a new whole number.
        lowered_ms: when it was last lowered.
        before: the limit before that.
        refused: refusals in the round trip since.
        log_odds: how much likelier a limit is than chance to be behind the refusals of late, as a logarithm.
        trial_ms: since when the level `refused_at` is in use as a trial; 0: it is not.
        reserved_passed: earlier versions counted here what was accepted in that trial; written as 0, never read.
        reserved_regain: earlier versions grew steeply up to here after an outage; written as 0, never read.
        limit_before_decreases: the limit before the latest decreases in close succession.
        reserved_stride: earlier versions doubled by it what is added at once; written as 0, never read.
        latency_bound: `refused_at` is where more calls at once got no more done, not where they were refused.
        failed: trials of `refused_at` in a row that were refused.
    """

    limit: float
    refused_at: int = 0
    credit: float = 0.0
    round_ms: float = 0.0
    raised_ms: int = 0
    lowered_ms: int = 0
    before: float = 0.0
    refused: int = 0
    log_odds: float = 0.0
    trial_ms: int = 0
    reserved_passed: int = field(default=0, init=False)
    reserved_regain: float = field(default=0.0, init=False)
    limit_before_decreases: float = 0.0
    reserved_stride: float = field(default=0.0, init=False)
    latency_bound: bool = False
    failed: int = 0

    @property
    def round_trip_ms(self) -> float:
        """The mean round trip, or a guess."""
        return self.round_ms or UNKNOWN_ROUND_MS


def start(policy: ConcurrencyPolicy, ceiling: int, now_ms: int) -> ConcurrencyState:
    """The limiter where nothing is known."""
    return ConcurrencyState(float(max(1, min(policy.initial, ceiling))), raised_ms=now_ms)


def saturated(limiter: ConcurrencyState, sample: FlowSample, policy: ConcurrencyPolicy) -> bool:
    """Whether the limit is what holds calls back."""
    return sample.in_flight >= max(1.0, policy.saturated * floor(limiter.limit))


def step(
    limiter: ConcurrencyState,
    sample: FlowSample,
    policy: ConcurrencyPolicy,
    ceiling: int,
    *,
    slowed: bool,
    by_chance: float = 0.0,
) -> ConcurrencyState:
    """The limiter after a sample.

    Args:
        limiter: the limiter before.
        sample: what happened.
        policy: the constants.
        ceiling: the highest limit allowed.
        slowed: round trips have grown, so that more calls at once would gain nothing.
        by_chance: the share of calls that is known to be lost at whatever level; 0: none is.
    """
    before = limiter.limit
    tolerated = max(policy.tolerated, by_chance)
    lossy = tolerated > policy.tolerated
    limiter = _measure(limiter, sample, policy, lossy=lossy)
    lost = sample.counts.refused + sample.counts.timed_out
    if limiter.lowered_ms and sample.at_ms - limiter.lowered_ms < limiter.round_trip_ms:
        after = _collect(limiter, sample, policy, lost)
    else:
        after = replace(limiter, refused=0)
        if lost:
            after = _lose(after, sample, policy, lost, tolerated)
        else:
            after = _grow(after, sample, policy, slowed=slowed, lossy=lossy)
    after = _fit(after, tolerated) if lost and after.refused else after
    limit = max(1.0, min(after.limit, float(ceiling)))
    raised_ms = sample.at_ms if floor(limit) > floor(before) else after.raised_ms
    return replace(after, limit=limit, raised_ms=raised_ms)


def _measure(
    limiter: ConcurrencyState, sample: FlowSample, policy: ConcurrencyPolicy, *, lossy: bool
) -> ConcurrencyState:
    """Takes in how long calls took; where no list calls tell, what is in flight and what came out does."""
    counts = sample.counts
    n, ms = sum(s.n for s in counts.sizes.values()), sum(s.ms for s in counts.sizes.values())
    if not n and counts.accepted and sample.in_flight and sample.span_ms:
        n, ms = counts.accepted, float(sample.in_flight * sample.span_ms)
    round_ms = limiter.round_ms
    if n:
        weight = 1.0 if not round_ms else min(0.5, n / (2 * limiter.limit + n))
        round_ms += weight * (ms / n - round_ms)
    credit = min(float(policy.trial_after), limiter.credit + counts.accepted)
    # Round trips are counted in calls: time in which the account is held proves nothing.
    rounds = (counts.accepted + counts.refused + counts.timed_out) / limiter.limit
    # A trial among losses by chance goes on until one cause is clearly likelier: the log odds may fall below zero.
    least = -policy.log_odds_needed if limiter.trial_ms and lossy else 0.0
    log_odds = max(least, limiter.log_odds - rounds)
    return replace(limiter, round_ms=round_ms, credit=credit, log_odds=log_odds)


def _by_chance(limiter: ConcurrencyState, tolerated: float) -> float:
    """Losses by chance in a round trip, where a limit passed by one call refuses one more."""
    return max(1e-6, tolerated * limiter.limit)


def _charge(limiter: ConcurrencyState, policy: ConcurrencyPolicy, lost: int) -> float:
    return max(-policy.debt * policy.trial_after, limiter.credit - policy.trial_after * lost)


def _collect(limiter: ConcurrencyState, sample: FlowSample, policy: ConcurrencyPolicy, lost: int) -> ConcurrencyState:
    """Within the round trip after a decrease: what is lost belongs to that decrease."""
    before = max(limiter.before, float(sample.in_flight))
    return replace(limiter, before=before, refused=limiter.refused + lost, credit=_charge(limiter, policy, lost))


def _fit(limiter: ConcurrencyState, tolerated: float) -> ConcurrencyState:
    """Lowers the limit at once by what was lost in this round trip: only the other calls had room."""
    too_many = limiter.refused - round(_by_chance(limiter, tolerated) + 0.25)
    target = max(1.0, limiter.before - too_many)
    if floor(target) >= floor(limiter.limit):
        return limiter
    return replace(limiter, limit=target, refused_at=max(2, floor(target) + 1) if limiter.refused_at else 0)


def _lose(
    limiter: ConcurrencyState, sample: FlowSample, policy: ConcurrencyPolicy, lost: int, tolerated: float
) -> ConcurrencyState:
    """Refusals or timeouts: lowers the limit, unless they may well be chance."""
    weight = log(1 + 1 / _by_chance(limiter, tolerated))
    lossy = tolerated > policy.tolerated
    log_odds = limiter.log_odds + lost * weight
    new = sample.at_ms - limiter.raised_ms < 2 * limiter.round_trip_ms
    known = _NEW * policy.log_odds_needed if new or (limiter.trial_ms and lossy) else 0.0
    if log_odds + known < policy.log_odds_needed:
        return replace(limiter, log_odds=log_odds)
    lowered = replace(
        limiter, lowered_ms=sample.at_ms, before=max(limiter.limit, float(sample.in_flight)),
        refused=lost, log_odds=0.0, trial_ms=0,
        credit=_charge(limiter, policy, lost), latency_bound=False,
        limit_before_decreases=_limit_before_decreases(limiter, sample),
    )  # fmt: skip
    if limiter.trial_ms:
        # Trials that fail one after the other become rarer.
        debt = max(-policy.debt, -0.5 * limiter.failed) * policy.trial_after
        credit = min(lowered.credit, debt)
        # It was one call too many, perhaps refused twice. Only further losses show that the limit is lower still.
        limit = max(1.0, limiter.refused_at - 1.0)
        return replace(lowered, limit=limit, credit=credit, failed=limiter.failed + 1, refused=max(0, lost - 2))
    limit = limiter.limit * policy.decrease
    level = floor(limiter.limit) if sample.counts.refused else limiter.refused_at
    if not level:
        return replace(lowered, limit=limit)
    return replace(lowered, limit=min(limit, level - 1.0), refused_at=max(2, level))


def _limit_before_decreases(limiter: ConcurrencyState, sample: FlowSample) -> float:
    """The limit before the decreases of the last moments, which an outage may turn out to be behind."""
    lately = limiter.lowered_ms and sample.at_ms - limiter.lowered_ms < _LATELY * limiter.round_trip_ms
    return limiter.limit_before_decreases if lately else limiter.limit


def _grow(
    limiter: ConcurrencyState, sample: FlowSample, policy: ConcurrencyPolicy, *, slowed: bool, lossy: bool
) -> ConcurrencyState:
    """Raises the limit while it is what holds calls back: up to `refused_at`, then to it as a trial, then past it.

    Time alone raises nothing: some call must have been accepted.
    """
    accepted = sample.counts.accepted
    if not saturated(limiter, sample, policy) or slowed or not accepted:
        return limiter
    if limiter.trial_ms:
        if lossy and limiter.log_odds > -policy.log_odds_needed / 2:
            return limiter
        if limiter.latency_bound:
            return replace(limiter, refused_at=limiter.refused_at + 1, credit=0.0, trial_ms=0, log_odds=0.0)
        return replace(limiter, refused_at=0, trial_ms=0, failed=0, log_odds=0.0)
    step = policy.growth * max(sample.span_ms / limiter.round_trip_ms, accepted / limiter.limit)
    # Where calls end faster than the state is moved, a limit that was refused grows by one a move.
    most = 1.0 if limiter.lowered_ms else max(1.0, limiter.limit / 4)
    grown = limiter.limit + min(step, most)
    if not limiter.refused_at or grown < limiter.refused_at:
        return replace(limiter, limit=grown)
    if limiter.credit < policy.trial_after or limiter.limit < limiter.refused_at - 1:
        return replace(limiter, limit=max(limiter.limit, limiter.refused_at - 1.0))
    return replace(limiter, limit=float(limiter.refused_at), trial_ms=sample.at_ms, log_odds=0.0)


def doubted(limiter: ConcurrencyState, before: float, policy: ConcurrencyPolicy) -> ConcurrencyState:
    """The limit where a rate may have refused as well: enough is left of it for the rate to be met, and so learnt.

    limit >= min(limit before this sample, doubted * limit before the decreases)
    """
    limit = max(limiter.limit, min(before, policy.doubted * limiter.limit_before_decreases))
    return replace(limiter, limit=limit, refused_at=floor(limit) + 1) if limit > limiter.limit else limiter


def enough(limiter: ConcurrencyState, limit: float) -> ConcurrencyState:
    """The limiter where more calls at once than `limit` get no more done: that level is as good as refused."""
    return replace(limiter, limit=limit, refused_at=floor(limit) + 1, credit=0.0, trial_ms=0, latency_bound=True)


def clear(limiter: ConcurrencyState) -> ConcurrencyState:
    """The limiter once a rate turns out to be behind the refusals: what they have taught and cost is undone."""
    return replace(
        limiter, limit=max(limiter.limit, limiter.limit_before_decreases), refused_at=0, credit=0.0, lowered_ms=0,
        refused=0, log_odds=0.0, trial_ms=0,
    )  # fmt: skip


def suspend(limiter: ConcurrencyState, now_ms: int) -> ConcurrencyState:
    """The limiter as the breaker opens: what the outage has just cost is undone, since it says nothing of a limit."""
    if limiter.lowered_ms and now_ms - limiter.lowered_ms < _LATELY * limiter.round_trip_ms:
        limit = max(limiter.limit, limiter.limit_before_decreases)
        refused_at = floor(limit) + 1 if limiter.refused_at else 0
        return replace(limiter, limit=limit, refused_at=refused_at, lowered_ms=0, refused=0, log_odds=0.0)
    return limiter


def resume(limiter: ConcurrencyState, now_ms: int) -> ConcurrencyState:
    """The limiter after an outage: as it was before, but new, so that the first refusals lower it at once."""
    return replace(limiter, raised_ms=now_ms, lowered_ms=0, refused=0, log_odds=0.0, trial_ms=0)
