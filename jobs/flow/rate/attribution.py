"""Which refusals are for a rate, and not for the number of calls at once or by chance.

A Retry-After is for a rate. So are refusals of all calls in flight, again and again, while none is worked on. Once a
rate is known, refusals without a Retry-After are weighed (Wald's sequential test):

    log_odds += refused * ln(excess / chance) - accepted * (excess - chance)
    log_odds >= log_odds_needed: they are for the rate

`excess` is the share that a rate refuses which is too high, `chance` the share that chance refuses of any.
"""

from dataclasses import replace
from math import log

from cancellist.jobs.flow.rate.state import Pacing, PacingPolicy
from cancellist.jobs.flow.sample import FlowSample

_ROW = 3
_UNSERVED = 1.5
"""So many round trips after the last accepted call, the platform works on none any more."""
_RAISED = 0.625
"""The share of `log_odds_needed` with which a raise on trial begins: all was well before it."""
_RARE = 0.001
"""The share that chance refuses of a slow rate, of which each refusal costs much time."""


def attribute(pacing: Pacing, sample: FlowSample, policy: PacingPolicy, *, round_ms: float) -> tuple[Pacing, bool]:
    """Whether the refusals of a sample are for the rate, and what is remembered of them."""
    counts = sample.counts
    # A rate that is used up refuses one call after another; an accepted call ends the row.
    row = counts.refused + (0 if counts.accepted else pacing.row)
    accepted_ms = sample.at_ms if counts.accepted else pacing.accepted_ms
    pacing = replace(pacing, row=row, accepted_ms=accepted_ms)
    unserved = row >= _ROW and _unserved(pacing, sample, round_ms)
    pacing = _suspect(pacing, sample, policy)
    plain = bool(counts.refused) and (unserved or _is_rate_refusal(pacing, policy))
    return pacing, bool(counts.with_retry_after) or plain


def _unserved(pacing: Pacing, sample: FlowSample, round_ms: float) -> bool:
    """Whether all calls in flight were refused while the platform worked on none: a limit would accept one."""
    if not round_ms or sample.counts.run or pacing.row < sample.in_flight:
        return False
    return sample.at_ms - pacing.accepted_ms >= _UNSERVED * round_ms


def _suspect(pacing: Pacing, sample: FlowSample, policy: PacingPolicy) -> Pacing:
    """Weighs refusals without a Retry-After: a rate that is too high refuses a larger share than chance does."""
    counts = sample.counts
    if counts.with_retry_after:
        return replace(pacing, log_odds=0.0)
    if not pacing.interval_us:
        return pacing
    chance = _chance(pacing, policy)
    excess = max(chance, _excess(pacing, policy))
    lower = max(0.0, pacing.log_odds - counts.accepted * max(0.0, excess - chance))
    return replace(pacing, log_odds=lower + counts.refused * max(0.0, log(excess / chance)))


def _excess(pacing: Pacing, policy: PacingPolicy) -> float:
    """The share that is refused where the rate is too high by what was tried, or by the least that it is lowered."""
    return max(policy.tolerated, 1 - pacing.interval_us / pacing.safe_us) if pacing.safe_us else policy.decrease


def _chance(pacing: Pacing, policy: PacingPolicy) -> float:
    """The share that is refused by chance."""
    return _RARE if pacing.interval_us > 1000 * policy.slow_ms else policy.tolerated


def _is_rate_refusal(pacing: Pacing, policy: PacingPolicy) -> bool:
    """Whether refusals without a Retry-After are for the rate in force."""
    if not pacing.interval_us:
        return False
    known = _RAISED * policy.log_odds_needed if pacing.safe_us else 0.0
    return pacing.log_odds + known >= policy.log_odds_needed
