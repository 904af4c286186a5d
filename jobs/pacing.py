"""How often calls may be made, learnt where the platform allows so many a second or a window.

One call at a time that is still refused, or a Retry-After, means a rate. What the platform accepted from one pardon to
the next is that rate exactly, so the interval is set just above and only rarely tried shorter.
Sources: GCRA as the claim script has it; CUBIC in AWS SDKs' adaptive retry mode for the slow growth.
"""

from dataclasses import dataclass, replace

from jobs.samples import Sample

_CYCLE_MS = 1_000
_CYCLE = 3
"""A cycle that is shorter, or of fewer calls, tells no rate."""
_IDLE_MS = 2_000
"""A sample that is longer, and much longer than the interval, was taken over a time in which nobody called."""
_LONGEST_MS = 120_000
"""A cycle that is longer is cut in half: what was long ago says little."""
_EXHAUSTED = 8
"""A pause of so many intervals means that a window is used up, not that the rate is a little too high."""
_APART = 60
"""Refusals with as many accepted calls between them have nothing to do with each other."""
_TOGETHER_MS = 250
"""Refusals this close are one: of calls that were in flight together."""
_LATE_MS = 300
"""How late accepted calls are posted at most."""
_PAUSE_US = 25_000
_SEARCH = 20
"""Calls before a raise as long as none was refused: the first measurement is coarse."""
_SEARCH_US, _RARE_US = 3_000_000, 30_000_000
"""And so much time at most, as while a raise lasts; before any other: a slow rate must not outlive its cause."""
_STEEPEST, _STEEPEST_SLOW, _SLOW_US = 0.5, 1.0, 200_000
"""The largest raise, and that of a slow rate, of which each step takes long."""
_FAR_ABOVE = 3
"""A rate so many times what is done holds nothing back."""
_FAR = 3
"""Refusals in close succession after which the rate may be far off, and is searched for anew."""
_ROW = 3
_RECURRING_MS = 120_000
"""Overloads this far apart have nothing to do with each other."""
_LESS = 0.06
"""By how much a rate that was refused is lowered, doubled by each further refusal in close succession."""


@dataclass(frozen=True, slots=True)
class PacingPolicy:
    """The constants of the learned rate.

    Attributes:
        margin: the share of the measured rate that is used (0.5 to 1.0).
        step: by how much a rate that went well is raised at the gentlest; a search begins at twice that (0.01 to 0.5).
        probe_after: accepted calls between raises, doubled by each that failed, up to 4 times (20 to 100000).
        rest_ms: pause between a refusal and the next raise, which may cost a Retry-After (0 to 600000).
        slowest_ms: the longest interval while nothing is accepted (100 to 60000).
        unbound_ms: a rate that held no call back for so long is dropped (1000 to 600000).
    """

    margin: float = 0.96
    step: float = 0.04
    probe_after: int = 100
    rest_ms: int = 30_000
    slowest_ms: int = 5_000
    unbound_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Pacing:
    """The state of the learned rate.

    Attributes:
        interval_us: microseconds between calls; 0: as fast as the limit allows.
        pause_us: the interval while nothing is accepted; 0: something is.
        cycle_ms: since when accepted calls are counted.
        cycle: accepted since then.
        refused_ms: when a refusal of a rate was last seen.
        blocked_ms: since when the platform has refused; 0: it accepts.
        window_ms: the longest that it took until it accepted again.
        safe_us: the interval before the last raise; 0: none is on trial.
        credit: accepted since the last raise or refusal.
        need: accepted calls before the next raise.
        step: the next raise.
        misses: refusals in close succession.
        pardoned_ms: when the platform first accepted again; a rate is learnt from then to the next time.
        unbound_since_ms: since when the rate holds nothing back; 0: it does.
        row: refusals in a row, as far as samples tell.
    """

    interval_us: int = 0
    pause_us: int = 0
    cycle_ms: int = 0
    cycle: int = 0
    refused_ms: int = 0
    blocked_ms: int = 0
    window_ms: int = 0
    safe_us: int = 0
    credit: int = 0
    need: int = 0
    step: float = 0.0
    misses: int = 0
    pardoned_ms: int = 0
    unbound_since_ms: int = 0
    row: int = 0

    @property
    def in_force_us(self) -> int:
        """The interval that the claim script should keep."""
        return max(self.interval_us, self.pause_us)


def move(pacing: Pacing, sample: Sample, policy: PacingPolicy, *, floored: bool, used: bool, round_ms: float) -> Pacing:
    """The rate after a sample.

    Args:
        pacing: the rate before.
        sample: what happened.
        policy: the constants.
        floored: calls are made one at a time, so refusals are not for their number at once.
        used: the limit of calls in flight is what holds calls back.
        round_ms: the mean round trip.
    """
    counts = sample.counts
    pacing = _on_time(pacing, sample)
    # One at a time, a refusal among accepted calls is chance: a rate that is used up refuses one after another.
    row = counts.refused + (0 if counts.accepted else pacing.row)
    pacing = replace(pacing, row=row)
    floored = floored and row >= _ROW
    by_rate = bool(counts.told) or (bool(counts.refused) and (floored or bool(pacing.interval_us)))
    if counts.accepted:
        pacing = _accept(pacing, sample, policy, round_ms)
    if by_rate:
        return _refuse(pacing, sample, policy)
    return _drop(pacing, sample, policy, used=used)


def _on_time(pacing: Pacing, sample: Sample) -> Pacing:
    """Leaves out of the cycle the time in which nobody called, and what was long ago."""
    if not pacing.cycle_ms:
        return replace(pacing, cycle_ms=sample.since_ms or sample.at_ms)
    if pacing.blocked_ms:
        return pacing
    idle_ms = sample.span_ms if sample.span_ms > max(_IDLE_MS, 2 * pacing.in_force_us // 1000) else 0
    cycle_ms = min(sample.at_ms, pacing.cycle_ms + idle_ms)
    if sample.at_ms - cycle_ms < _LONGEST_MS:
        return replace(pacing, cycle_ms=cycle_ms)
    return replace(pacing, cycle_ms=cycle_ms + (sample.at_ms - cycle_ms) // 2, cycle=pacing.cycle // 2)


def _accept(pacing: Pacing, sample: Sample, policy: PacingPolicy, round_ms: float) -> Pacing:
    accepted = sample.counts.accepted
    after = replace(pacing, cycle=pacing.cycle + accepted, credit=pacing.credit + accepted)
    if pacing.blocked_ms:
        if sample.at_ms - pacing.refused_ms <= round_ms + _LATE_MS:
            return after  # of calls from before the refusal
        window_ms = max(pacing.window_ms, sample.at_ms - pacing.blocked_ms)
        exhausted = pacing.pause_us > _EXHAUSTED * pacing.interval_us
        after = replace(after, blocked_ms=0, window_ms=window_ms, pause_us=0)
        told = not pacing.pause_us
        if told and not pacing.interval_us and sample.at_ms - pacing.pardoned_ms > _RECURRING_MS:
            # One overload that has passed tells no rate: what is accepted until the next one will.
            return replace(after, pardoned_ms=sample.at_ms, cycle_ms=sample.at_ms, cycle=accepted)
        if exhausted or not pacing.interval_us:
            return _learn(after, sample, policy)
    if after.credit >= _APART:
        after = replace(after, misses=0)
    if not after.interval_us or after.credit < _enough(after) or not _rested(after, sample, policy):
        return after
    step, need = after.step or policy.step, after.need
    if after.safe_us:
        # The last raise has lasted: after two the limit has moved, and is searched for.
        steepest = _STEEPEST_SLOW if after.interval_us > _SLOW_US else _STEEPEST
        step = min(steepest, 2 * step) if need <= _SEARCH else step
        need = policy.probe_after if need > policy.probe_after else _SEARCH
    interval_us = max(1, round(after.interval_us / (1 + step)))
    return replace(
        after, interval_us=interval_us, safe_us=after.interval_us, credit=0, misses=0, step=step, need=need,
        cycle_ms=sample.at_ms, cycle=0,
    )  # fmt: skip


def _enough(pacing: Pacing) -> int:
    """Calls before a raise: of a slow rate fewer, or it would take minutes."""
    most_us = _SEARCH_US if pacing.need <= _SEARCH or pacing.safe_us else _RARE_US
    return min(pacing.need, max(_CYCLE, most_us // pacing.interval_us))


def _rested(pacing: Pacing, sample: Sample, policy: PacingPolicy) -> bool:
    """Whether the last refusal and raise are long enough ago: what filled their windows no longer counts."""
    if pacing.step <= policy.step and sample.at_ms - pacing.refused_ms < policy.rest_ms:
        return False
    return sample.at_ms - max(pacing.refused_ms, pacing.cycle_ms) >= max(_CYCLE_MS, pacing.window_ms)


def _learn(pacing: Pacing, sample: Sample, policy: PacingPolicy) -> Pacing:
    """The platform accepts again: what it accepted since it last did is its rate."""
    accepted = sample.counts.accepted
    interval_us = _measured_us(replace(pacing, cycle=pacing.cycle - accepted), sample, policy)
    after = replace(pacing, credit=0, misses=0, safe_us=0)
    if not interval_us:
        return after
    return replace(
        after, interval_us=interval_us, cycle_ms=sample.at_ms, cycle=accepted, need=_SEARCH, step=2 * policy.step
    )


def _measured_us(pacing: Pacing, sample: Sample, policy: PacingPolicy) -> int:
    """The interval by what was accepted in this cycle; 0 where that is too little to tell."""
    span_ms = sample.at_ms - pacing.cycle_ms
    if span_ms < _CYCLE_MS or pacing.cycle < _CYCLE:
        return 0
    return min(policy.slowest_ms * 1000, round(span_ms * 1000 / pacing.cycle / policy.margin))


def _refuse(pacing: Pacing, sample: Sample, policy: PacingPolicy) -> Pacing:
    """Refused for the rate: what was tried is taken back, what had held is lowered, and nothing accepted is a pause."""
    told, now_ms = bool(sample.counts.told), sample.at_ms
    together = now_ms - pacing.refused_ms < max(_TOGETHER_MS, 3 * pacing.interval_us // 1000)
    after = replace(pacing, refused_ms=now_ms, blocked_ms=pacing.blocked_ms or now_ms, credit=0)
    if not told:
        pause_us = 2 * max(pacing.pause_us, pacing.interval_us, _PAUSE_US)
        after = replace(after, pause_us=min(policy.slowest_ms * 1000, pause_us))
    if pacing.safe_us:
        return _take_back(after, policy)
    if not pacing.interval_us or (together and pacing.refused_ms):
        return after
    misses = pacing.misses + 1
    after = replace(after, misses=misses)
    if not told and misses == 1:
        return after  # it may be chance
    longer = min(policy.slowest_ms * 1000.0, pacing.interval_us / (1 - _LESS * 2.0 ** min(3, misses - 1)))
    measured_us = _measured_us(pacing, sample, policy)
    interval_us = round(min(longer, measured_us) if measured_us > pacing.interval_us else longer)
    if misses >= _FAR:
        after = replace(after, need=_SEARCH, step=2 * policy.step)
    return replace(after, interval_us=interval_us, cycle_ms=now_ms, cycle=0)


def _take_back(pacing: Pacing, policy: PacingPolicy) -> Pacing:
    """Back to the interval that lasted; the next raise is half as steep, and at its gentlest ever rarer."""
    tried = pacing.safe_us / pacing.interval_us - 1
    step, need = max(policy.step, tried / 2), policy.probe_after
    if tried < 1.5 * policy.step:
        need = min(4 * policy.probe_after, 2 * max(pacing.need, policy.probe_after))
    return replace(
        pacing, interval_us=pacing.safe_us, safe_us=0, need=need, step=step, cycle_ms=pacing.refused_ms, cycle=0
    )


def _drop(pacing: Pacing, sample: Sample, policy: PacingPolicy, *, used: bool) -> Pacing:
    """Lets go of a rate that has held nothing back for long, or that is far above what is done."""
    if not pacing.interval_us or not used:
        return replace(pacing, unbound_since_ms=0)
    if not sample.counts.accepted:
        return pacing  # calls that all take long say nothing of a rate
    since_ms = pacing.unbound_since_ms or sample.at_ms
    far = sample.span_ms * 1000 > _FAR_ABOVE * pacing.interval_us * sample.counts.accepted
    if sample.at_ms - since_ms < max(pacing.window_ms, _CYCLE_MS if far else policy.unbound_ms):
        return replace(pacing, unbound_since_ms=since_ms)
    return Pacing(cycle_ms=sample.at_ms)
