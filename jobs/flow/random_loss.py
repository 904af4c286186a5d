"""Which losses are chance: refusals and timeouts that come as often however few calls are in flight.

Losses that go on after the limit was lowered for them are counted at a level that stays, until their share is known.
Then an experiment tells. A limit that refuses a share p of the calls lets all through at 1 - p of that many at once:

    share = lost / calls
    level of the experiment = limit * (1 - min(2 * share, share + 0.05))
    excess = lost - calls * chance,  expected = calls * (share - chance)
    excess >= 0.55 * expected + proof:          the losses go on, so they are chance
    excess <= 0.55 * expected - proof * 4 / 3:  they are missing, so a limit refused them

The limit then tolerates `margin * chance`, and what chance has cost is undone. Chance is measured on, window by window,
and tried again now and then: what is chance today may be a limit tomorrow.
"""

from dataclasses import dataclass, field, replace
from math import floor, sqrt

from cancellist.jobs.flow.concurrency import ConcurrencyPolicy, ConcurrencyState
from cancellist.jobs.flow.sample import FlowSample

_SHARES_APART, _APART = 2.0, 0.05
"""An experiment lowers the limit by so many times the share of the losses, or by so much more where that is less.
While it lasts the limit tolerates so many times that share."""
_STEEP = 0.8
"""A limit that was lowered to less than this share was far too high: losses below it have another cause."""
_FEWEST = 3
"""Fewer losses than this in an experiment are not remembered as chance."""
_AGAIN, _LONGEST = 0.55, 16.0
"""An experiment tells once there are so many more losses, or fewer, than this share of those to be expected. That is
Wald's test of the whole share against two fifths of it: it takes a limit for chance one time in twenty, chance for a
limit less often."""
_SPREADS_OVER, _SPREADS_UNDER = 1.0, 1.5
"""Counting ends where so many standard deviations more are lost than chance may take, or fewer than are tolerated."""
_ONCE = 1.6
"""To refute what an experiment has shown before takes so many times as much proof."""
_CAPPED = 0.4
"""Where a level is known at which calls were refused, experiments follow after this share of the windows."""


@dataclass(frozen=True, slots=True)
class RandomLossPolicy:
    """The constants by which losses are told from a limit.

    Attributes:
        chance: the largest share of calls that is taken to be lost by chance (0.0 to 0.5).
        margin: the limit tolerates so many times the share that was measured, which varies (1.0 to 3.0).
        evidence: losses by which a share is known well enough for an experiment (3 to 100).
        proof: losses more than in doubt that an experiment must show; a third more must be missing (1.0 to 20).
        least: what an experiment leaves of the limit at least (0.1 to 0.9).
        memory: counting at a level that stays ends after so many calls (100 to 1000000).
        window: losses to be expected in a window, by which chance is measured on (5 to 1000).
        windows: windows from one experiment to the next; two in five of them where refusals are known (1 to 1000).
        more: a window in which so many times as many are lost calls for an experiment (1.1 to 5.0).
    """

    chance: float = 0.25
    margin: float = 1.25
    evidence: int = 8
    proof: float = 3.0
    least: float = 0.5
    memory: int = 2_000
    window: int = 25
    windows: int = 10
    more: float = 1.5


@dataclass(frozen=True, slots=True)
class Losses:
    """What is known of the losses; an account's state has one beside its limiter.

    Attributes:
        chance: the share of calls that is lost whatever their number; 0: none is known.
        level: the limit before it was lowered for the losses in question; 0: none are.
        share: the share that is on trial by an experiment; 0: none is under way.
        calls: calls that ended since it was lowered, the experiment began, or the window.
        lost: those of them that were lost.
        reserved_late_timeouts: earlier versions left so many timeouts out; written as 0, never read.
        windows: windows since chance was last tried.
        most: what it may be measured as at most, until it is tried again.
        weighing: the losses are counted at a level that stays, since too few are known for an experiment.
    """

    chance: float = 0.0
    level: float = 0.0
    share: float = 0.0
    calls: int = 0
    lost: int = 0
    reserved_late_timeouts: int = field(default=0, init=False)
    windows: int = 0
    most: float = 0.0
    weighing: bool = False

    @property
    def tried(self) -> bool:
        """Whether an experiment is under way or prepared, for which the limit has to stay where it is."""
        return self.share > 0 or self.weighing

    def tolerated(self, policy: RandomLossPolicy, *, trial: bool = False) -> float:
        """The share of calls whose loss the limit has to take for chance now; 0: none.

        A level on trial is compared with the one below, so there is no margin.
        """
        return max(
            self.chance if trial else policy.margin * self.chance,
            _SHARES_APART * self.share,
            policy.chance if self.tried else 0.0,
        )


def step(
    losses: Losses,
    before: ConcurrencyState,
    limiter: ConcurrencyState,
    sample: FlowSample,
    policy: RandomLossPolicy,
    limits: ConcurrencyPolicy,
) -> tuple[Losses, ConcurrencyState]:
    """What is known after a sample, and the limiter as that has it.

    Args:
        losses: what was known.
        before: the limiter before the sample.
        limiter: the limiter after it.
        sample: what happened.
        policy: the constants.
        limits: the constants of the limiter.
    """
    if limiter.lowered_ms == sample.at_ms:
        return _lowered(losses, before, limiter, sample, policy)
    if before.trial_ms or limiter.trial_ms or sample.at_ms - limiter.lowered_ms < limiter.round_trip_ms:
        # These losses belong to the level that is on trial, or to the one before.
        return losses, limiter
    losses = _collect(losses, sample)
    if losses.weighing:
        return _weigh(losses, limiter, policy, limits)
    if losses.tried:
        return _conclude(losses, limiter, policy, limits)
    if losses.chance:
        return _measure(losses, limiter, policy, limits)
    return losses, limiter


def _collect(losses: Losses, sample: FlowSample) -> Losses:
    counts = sample.counts
    lost = counts.refused + counts.timed_out
    calls = lost + counts.accepted + counts.failed
    return replace(losses, calls=losses.calls + calls, lost=losses.lost + lost)


def clear(losses: Losses) -> Losses:
    """Forgets the losses that are being counted; what is known of chance stays."""
    return replace(losses, level=0.0, share=0.0, calls=0, lost=0, weighing=False)


def _lowered(
    losses: Losses, before: ConcurrencyState, limiter: ConcurrencyState, sample: FlowSample, policy: RandomLossPolicy
) -> tuple[Losses, ConcurrencyState]:
    """Begins counting where the limit was lowered for losses twice in succession."""
    if before.trial_ms:
        return losses, limiter
    if not losses.level:
        # What was lost until then belongs to another level.
        losses = clear(losses)
    far = before.limit < min(_STEEP * losses.level, losses.level - 1.5)
    level = before.limit if far else max(losses.level, before.limit)
    anew = replace(clear(losses), level=before.limit)
    if losses.tried or not losses.level:
        return anew, limiter
    losses = _collect(losses, sample)
    # The loss that lowered the limit is left out: it chose the moment, so it is no fair sample.
    lost, calls = max(0, losses.lost - 1), max(0, losses.calls - 1)
    if _too_many(lost, calls, policy):
        return anew, limiter
    if far:
        lost = calls = 0
    return replace(clear(losses), level=level, lost=lost, calls=calls, weighing=True), replace(limiter, log_odds=0.0)


def _too_many(lost: int, calls: int, policy: RandomLossPolicy) -> bool:
    return lost - _SPREADS_OVER * sqrt(lost) > calls * policy.chance


def _weigh(
    losses: Losses, limiter: ConcurrencyState, policy: RandomLossPolicy, limits: ConcurrencyPolicy
) -> tuple[Losses, ConcurrencyState]:
    """Counts the losses below where they lowered the limit, until it is known how many of how many calls they are."""
    least, spread = losses.calls * policy.more * limits.tolerated, sqrt(losses.lost)
    if _too_many(losses.lost, losses.calls, policy):
        return clear(losses), limiter
    if losses.lost < policy.evidence and losses.lost + _SPREADS_UNDER * spread + 2 >= least:
        # `memory` ends it where losses have ended.
        return losses if losses.calls < policy.memory else clear(losses), limiter
    share = (losses.lost - 1) / max(1, losses.calls - 1)
    if share <= max(policy.more * limits.tolerated, losses.chance):
        # A limit loses so few, too. The limit stays where it is.
        few = min((losses.lost + 0.75 * spread) / losses.calls, 2 * limits.tolerated)
        if losses.lost < _FEWEST or policy.margin * few <= limits.tolerated:
            return clear(losses), limiter
        return replace(clear(losses), chance=max(losses.chance, few), most=max(losses.most, few)), limiter
    if share <= policy.more * losses.chance:
        # A limit that is exceeded by one call loses more than that, unless it is high.
        chance = (losses.chance + share) / 2
        return replace(clear(losses), chance=chance, most=max(losses.most, chance)), limiter
    highest = (losses.lost + spread) / losses.calls
    # A share that is tolerated without an experiment is not proven: this experiment tests it, too.
    known = losses.chance if losses.chance > 2 * limits.tolerated else 0.0
    return _begin(losses, limiter, share, highest, policy, known=known)


def _begin(
    losses: Losses, limiter: ConcurrencyState, share: float, highest: float, policy: RandomLossPolicy, *, known: float
) -> tuple[Losses, ConcurrencyState]:
    left = max(policy.least, 1 - min(_SHARES_APART * highest, highest + _APART))
    limit = max(1.0, float(floor(min(limiter.limit - 1, left * limiter.limit))))
    begun = replace(
        losses, chance=known, most=losses.chance, share=share, calls=0, lost=0, windows=0, weighing=False
    )  # fmt: skip
    return begun, replace(limiter, limit=limit, log_odds=0.0)


def _conclude(
    losses: Losses, limiter: ConcurrencyState, policy: RandomLossPolicy, limits: ConcurrencyPolicy
) -> tuple[Losses, ConcurrencyState]:
    """Ends an experiment as soon as it tells: the losses go on, or enough calls went by without them."""
    excess, expected = losses.lost - losses.calls * losses.chance, losses.calls * (losses.share - losses.chance)
    more = _ONCE if losses.most and not losses.chance else 1.0
    undecided = expected < more * _LONGEST
    missing = excess <= _AGAIN * expected - (more * policy.proof * 4 / 3 if undecided else 0.0)
    if undecided and not missing and excess < _AGAIN * expected + policy.proof:
        return losses, limiter
    if not missing:
        return _accept(losses, limiter, policy)
    # It was a limit: growth finds it from here, below the level that lost so many.
    spread = sqrt(losses.lost)
    chance = (losses.lost + 0.75 * spread) / losses.calls
    if losses.lost < _FEWEST:
        chance = min(losses.most, (losses.lost + spread + 1) / losses.calls)
    most = max(chance, (losses.lost + 1.5 * spread) / losses.calls)
    level = floor(losses.level)
    refused_at = max(2, min(limiter.refused_at or level, level))
    known = chance if policy.margin * chance > limits.tolerated else 0.0
    return replace(clear(losses), chance=known, most=most), replace(limiter, refused_at=refused_at)


def _accept(losses: Losses, limiter: ConcurrencyState, policy: RandomLossPolicy) -> tuple[Losses, ConcurrencyState]:
    """Takes what was lost for chance, and undoes what that has cost."""
    # A share of few losses is inexact. Measuring on corrects one that is too high; one too low costs an experiment.
    lost, calls = losses.lost + policy.evidence, losses.calls + policy.evidence / losses.share
    spread = sqrt(lost)
    chance, most = (min(policy.chance, (lost + more * spread) / calls) for more in (0.75, 1.5))
    after = replace(clear(losses), chance=chance, most=most)
    refused_at = limiter.refused_at if limiter.refused_at > losses.level else 0
    limit = max(limiter.limit, losses.level)
    return after, replace(limiter, limit=limit, refused_at=refused_at, refused=0, log_odds=0.0, trial_ms=0)


def _measure(
    losses: Losses, limiter: ConcurrencyState, policy: RandomLossPolicy, limits: ConcurrencyPolicy
) -> tuple[Losses, ConcurrencyState]:
    """Measures chance on: it fades with the losses, and is tried again now and then, or where more are lost."""
    if losses.calls * losses.chance < policy.window:
        return losses, limiter
    share = losses.lost / losses.calls
    chance = (2 * losses.chance + min(share, losses.most)) / 3
    more, due = (
        share > policy.more * losses.chance,
        losses.windows >= (_CAPPED if limiter.refused_at else 1) * policy.windows,
    )
    if more or due:
        share, known = (share, losses.chance) if more else (max(share, chance), 0.0)
        return _begin(replace(losses, level=limiter.limit), limiter, share, share, policy, known=known)
    after = replace(clear(losses), chance=chance if policy.margin * chance > limits.tolerated else 0.0)
    return replace(after, windows=losses.windows + 1), limiter
