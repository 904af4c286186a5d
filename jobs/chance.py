"""Which losses are chance: refusals and timeouts that come as often however few calls are in flight.

A limit that refuses a share p of the calls lets through all of them at 1 - p of that many at once. So where the limit
has been lowered for losses and they go on, an experiment tells: well below what they would point to, with the level
held, they vanish if they were for the number of calls, and go on if they are chance. Then so many are tolerated, and
what they have cost is undone. It is looked at again and again, since what is chance today may be a limit tomorrow.
"""

from dataclasses import dataclass, replace
from math import ceil, floor, sqrt

from jobs.limiter import Limiter, LimiterPolicy
from jobs.samples import Sample

_MARGIN = 1.25
"""Tolerated is so many times the share that was measured, of which chance makes less or more at times."""
_SHARES_APART, _APART = 2.0, 0.05
"""An experiment is so many times as far below as the share of the losses says, or so much further where that is less;
and it bears so many times that share."""
_LEAST = 0.5
"""What an experiment leaves of the limit at least."""
_STEEP = 0.8
"""Where no more is left of a limit it was far off: what is lost below is another matter."""
_FEWEST = 3
"""Losses in an experiment that are worth being remembered as chance."""
_PROOF, _MISSING = 10, 6
"""Losses that an experiment has to show again; so many below two thirds of those to be expected refute it."""
_MEMORY = 2_000
"""Losses with more calls between them have nothing to do with each other."""
_MORE = 1.5
"""A window in which so many times as many are lost calls for an experiment."""
_WINDOW, _WINDOWS = 20, 10
"""Losses to be expected in a window, by which chance is measured on; and windows from one experiment to the next."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What is known of the losses; an account's state has one beside its limiter.

    Attributes:
        chance: the share of calls that is lost whatever their number; 0: none is known.
        level: the limit before it was lowered for the losses in question; 0: none are.
        share: the share that is on trial by an experiment; 0: none is under way.
        calls: calls that ended since it was lowered, the experiment began, or the window.
        lost: those of them that were lost.
        excused: timeouts that may yet come of calls that began before the experiment.
        windows: windows since chance was last tried.
        most: what it may be measured as at most, until it is tried again.
    """

    chance: float = 0.0
    level: float = 0.0
    share: float = 0.0
    calls: int = 0
    lost: int = 0
    excused: int = 0
    windows: int = 0
    most: float = 0.0

    @property
    def tried(self) -> bool:
        """Whether an experiment is under way, for which the limit has to stay where it is."""
        return self.share > 0

    def tolerant(self, policy: LimiterPolicy) -> LimiterPolicy:
        """The constants of the limiter, which has to take as many losses for chance as are now."""
        tolerated = max(_MARGIN * self.chance, _SHARES_APART * self.share)
        return replace(policy, tolerated=tolerated, lossy=True) if tolerated > policy.tolerated else policy


def move(
    losses: Losses, before: Limiter, limiter: Limiter, sample: Sample, policy: LimiterPolicy
) -> tuple[Losses, Limiter]:
    """What is known after a sample, and the limiter as that has it.

    Args:
        losses: what was known.
        before: the limiter before the sample.
        limiter: the limiter after it.
        sample: what happened.
        policy: the constants.
    """
    if limiter.lowered_ms == sample.at_ms:
        return _lowered(losses, before, limiter, sample, policy)
    if before.probing_ms or sample.at_ms - limiter.lowered_ms < limiter.round_trip_ms:
        # These are for the level that is looked at, or for the one before.
        return losses, limiter
    losses = _collect(losses, sample)
    if losses.tried:
        return _conclude(losses, limiter, policy)
    if losses.chance:
        return _measure(losses, limiter, policy)
    return (losses if losses.calls < _MEMORY else _quiet(losses)), limiter


def _collect(losses: Losses, sample: Sample) -> Losses:
    counts = sample.counts
    excused = min(losses.excused, counts.timed_out)
    lost = counts.refused + counts.timed_out - excused
    calls = lost + counts.accepted + counts.failed
    return replace(losses, calls=losses.calls + calls, lost=losses.lost + lost, excused=losses.excused - excused)


def _quiet(losses: Losses) -> Losses:
    return replace(losses, level=0.0, share=0.0, calls=0, lost=0, excused=0)


def _lowered(
    losses: Losses, before: Limiter, limiter: Limiter, sample: Sample, policy: LimiterPolicy
) -> tuple[Losses, Limiter]:
    """The limit was lowered for losses: the second time in succession an experiment is due."""
    if before.probing_ms:
        return losses, limiter
    anew = replace(_quiet(losses), level=before.limit)
    if losses.tried or before.limit < min(_STEEP * losses.level, losses.level - 1.5) or not losses.level:
        return anew, limiter
    losses = _collect(losses, sample)
    # The loss with which it was lowered would have come sooner or later.
    share = (losses.lost - 1) / max(1, losses.calls - 1)
    if not max(_MORE * policy.tolerated, 2 * losses.chance) < share <= policy.chance:
        return anew, limiter
    # Of few losses the share is not exact: they may point to a limit further down.
    highest = (losses.lost + sqrt(losses.lost)) / losses.calls
    begun = replace(losses, level=max(losses.level, before.limit))
    return _begin(begun, before, limiter, share, highest, known=losses.chance)


def _begin(
    losses: Losses, before: Limiter, limiter: Limiter, share: float, highest: float, known: float
) -> tuple[Losses, Limiter]:
    left = max(_LEAST, 1 - min(_SHARES_APART * highest, highest + _APART))
    level = min(before.limit - 1, left * before.limit)
    limit = max(1.0, min(limiter.limit, float(floor(level))))
    begun = replace(
        losses, chance=known, most=losses.chance, share=share, calls=0, lost=0, windows=0,
        excused=ceil(share * before.limit),
    )  # fmt: skip
    return begun, replace(limiter, limit=limit, suspicion=0.0)


def _conclude(losses: Losses, limiter: Limiter, policy: LimiterPolicy) -> tuple[Losses, Limiter]:
    """Ends an experiment as soon as it tells: the losses go on, or enough calls went by without them."""
    excess, expected = losses.lost - losses.calls * losses.chance, losses.calls * (losses.share - losses.chance)
    missing = excess < expected * 2 / 3 - _MISSING
    if excess < _PROOF and not missing:
        return losses, limiter
    if losses.lost > losses.calls * min(policy.chance, max(_SHARES_APART * losses.share, 3 * _APART)):
        # Chance takes no more of fewer calls: a limit that has come down meanwhile does.
        return replace(_quiet(losses), chance=0.0), limiter
    # So few are not exact: better too many at first, which is measured on, than another experiment.
    spread = sqrt(losses.lost)
    chance = min(policy.chance, (losses.lost + 0.75 * spread) / losses.calls)
    if losses.lost < _FEWEST:
        chance = min(losses.most, (losses.lost + spread + 1) / losses.calls)
    after = replace(_quiet(losses), chance=chance, most=max(chance, (losses.lost + 1.5 * spread) / losses.calls))
    if missing:
        # A limit it was: growth finds it from here.
        return after, limiter
    cap = limiter.cap if limiter.cap > losses.level else 0
    limit = max(limiter.limit, losses.level)
    return after, replace(limiter, limit=limit, cap=cap, refused=0, suspicion=0.0, probing_ms=0, passed=0)


def _measure(losses: Losses, limiter: Limiter, policy: LimiterPolicy) -> tuple[Losses, Limiter]:
    """Measures chance on: it fades with the losses, and is tried again now and then, or where more are lost."""
    if losses.calls * losses.chance < _WINDOW:
        return losses, limiter
    share = losses.lost / losses.calls
    if share > policy.chance:
        return replace(_quiet(losses), chance=0.0), limiter
    if share > _MORE * losses.chance or losses.windows >= _WINDOWS:
        return _begin(replace(losses, level=limiter.limit), limiter, limiter, share, share, known=0.0)
    chance = (2 * losses.chance + min(share, losses.most)) / 3
    after = replace(_quiet(losses), chance=chance if _MARGIN * chance > policy.tolerated else 0.0)
    return replace(after, windows=losses.windows + 1), limiter
