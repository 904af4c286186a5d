"""How often calls may be made, learnt where the platform allows so many a second or a window.

One call at a time that is still refused, or a Retry-After, means a rate. What the platform accepted from one pardon to
the next is that rate exactly, so the interval is set just above and only rarely tried shorter.
Sources: GCRA as the claim script has it; CUBIC in AWS SDKs' adaptive retry mode for the slow growth.
"""

from dataclasses import dataclass, replace
from math import log

from jobs.limiter import UNKNOWN_ROUND_MS
from jobs.samples import Sample

_CYCLE_MS = 1_000
_CYCLE = 3
"""A cycle that is shorter, or of fewer calls, tells no rate."""
_IDLE_MS = 2_000
"""A sample that is longer, and much longer than the interval, was taken over a time in which nobody called."""
_LONGEST_MS = 120_000
"""A cycle that is longer is cut in half: what was long ago says little."""
_LONGEST_SILENCE_MS = 600_000
"""After a Retry-After that is longer the rate is learnt anew."""
_SLOWEST_US = 1000 * _LONGEST_MS // _CYCLE
"""A slower rate cannot be measured."""
_WINDOWS_MS = (1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 60_000)
"""Windows over which platforms count."""
_TWICE = 2
"""A cycle so many times a window holds more than one."""
_EXHAUSTED = 8
"""A pause of so many intervals means that a window is used up, not that the rate is a little too high."""
_APART = 60
"""Refusals with as many accepted calls between them have nothing to do with each other."""
_TOGETHER_MS = 250
"""Refusals this close are one: of calls that were in flight together."""
_LATE_MS, _LATE_TOLD_MS = 300, 550
"""How late accepted calls are posted, and at most: what came before a Retry-After must not pass for its end."""
_PAUSE_US = 25_000
_SEARCH = 20
"""Calls before a raise as long as none was refused: the first measurement is coarse."""
_SEARCH_US, _RARE_US, _RAREST_US = 3_000_000, 30_000_000, 300_000_000
"""And so much time at most, as while a raise lasts; before any other, and of a slow rate at the rarest."""
_FEW = 60
"""Of a slow rate as many calls pay for a raise: one that is refused must stay below one in fifty."""
_STEEPEST, _SLOW_US = 1.0, 200_000
"""The largest raise; from this interval on a rate is slow."""
_SHOWN = 4
"""A raise of so many steps on trial, so many windows after a refusal, comes after some that have lasted."""
_FAR_ABOVE = 3
"""A rate so many times what is done holds nothing back."""
_FAR = 3
"""Refusals in close succession after which the rate may be far off, and is searched for anew."""
_ROW = 3
_AT_ONCE_MS, _ALL = 40, 0.9
"""A slot rests for longer after a refusal: as many refusals as slots, or nearly, are of all of them."""
_UNSERVED = 1.5
"""Round trips in which nothing was accepted: no call that was is still worked on."""
_RECURRING_MS = 120_000
"""Overloads this far apart have nothing to do with each other."""
_LESS = 0.06
"""By how much a rate that was refused is lowered, doubled by each further refusal in close succession."""

_CERTAIN, _TRIED = 4.0, 2.5
"""The log of how much likelier than chance a rate that is too high must be; of that, what a raise brings with it."""
_CLEARED = 1.0
"""Up to here nothing speaks against a raise."""
_LEFT = 3.0
"""Of that what is left once the rate has been lowered: it may be too high still."""
_USUAL, _RARE, _MOST = 0.01, 0.001, 0.02
"""Refused by chance is such a share at least, of slow calls, of which each weighs heavily, and at most."""
_TELLS_MS, _MANY, _OTHERS = 300_000, 0.5, 0.1
"""For so long after a Retry-After a refusal without one is for another cause, unless it is nearer the first share of
the calls that is refused than the second."""
_MEMORY = 2_000
"""Accepted calls after which the share of chance is half forgotten."""


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
        accepted_ms: when a call was last accepted.
        learnt_ms: when the rate was last learnt.
        pardons: how often the platform has accepted again in this cycle.
        again_ms: when it refused again after a Retry-After, before it was known whether it had accepted; 0: it did not.
        told_ms: when a Retry-After was last seen: for a while refusals without one are then for another cause.
        suspicion: how much likelier a rate that is too high is than chance to be behind the refusals of late, as a
            logarithm.
        strays: refusals that were taken for chance, of late.
        calls: accepted calls among which they came.
        doubted: whether the raise that was last taken back may have been refused by chance.
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
    accepted_ms: int = 0
    learnt_ms: int = 0
    pardons: int = 0
    again_ms: int = 0
    told_ms: int = 0
    suspicion: float = 0.0
    strays: float = 0.0
    calls: float = 0.0
    doubted: int = 0

    @property
    def in_force_us(self) -> int:
        """The interval that the claim script should keep."""
        return max(self.interval_us, self.pause_us)


def outdated(pacing: Pacing, silent_ms: int, stale_ms: int) -> bool:
    """Whether a rate may have outlived its cause, since nobody has called for so long.

    A slow rate, and a Retry-After, are silent for long by themselves.
    """
    own_ms = _LONGEST_SILENCE_MS if pacing.blocked_ms else 4 * pacing.in_force_us // 1000
    return silent_ms > max(stale_ms, own_ms)


def move(pacing: Pacing, sample: Sample, policy: PacingPolicy, *, floored: bool, used: bool, round_ms: float) -> Pacing:
    """The rate after a sample.

    Args:
        pacing: the rate before.
        sample: what happened.
        policy: the constants.
        floored: calls are made one at a time, so refusals are not for their number at once.
        used: the limit of calls in flight is what holds calls back.
        round_ms: the mean round trip; 0: unknown.
    """
    counts = sample.counts
    pacing = _on_time(pacing, sample)
    # One at a time, a refusal among accepted calls is chance: a rate that is used up refuses one after another.
    row = counts.refused + (0 if counts.accepted else pacing.row)
    accepted_ms = sample.at_ms if counts.accepted else pacing.accepted_ms
    pacing = replace(pacing, row=row, accepted_ms=accepted_ms)
    alone = row >= _ROW and (floored or _unserved(pacing, sample, round_ms))
    pacing = _suspect(pacing, sample)
    by_rate = bool(counts.told) or (bool(counts.refused) and (alone or _guilty(pacing)))
    if counts.accepted:
        pacing = _accept(pacing, sample, policy, round_ms or UNKNOWN_ROUND_MS)
    if by_rate:
        return _refuse(pacing, sample, policy, round_ms or UNKNOWN_ROUND_MS)
    return _drop(pacing, sample, policy, used=used)


def _unserved(pacing: Pacing, sample: Sample, round_ms: float) -> bool:
    """Whether all calls in flight are refused and none is worked on: no limit of calls at once refuses the only one."""
    if not round_ms or sample.counts.run or pacing.row < sample.in_flight:
        return False
    if sample.span_ms <= _AT_ONCE_MS and sample.counts.refused >= _ALL * sample.in_flight:
        return not sample.counts.accepted
    return sample.at_ms - pacing.accepted_ms >= _UNSERVED * round_ms


def _suspect(pacing: Pacing, sample: Sample) -> Pacing:
    """Weighs refusals without a Retry-After: a rate that is too high refuses what is above it, chance ever so many."""
    counts = sample.counts
    if counts.told:
        return replace(pacing, told_ms=sample.at_ms, suspicion=0.0)
    if sample.at_ms - pacing.told_ms > _TELLS_MS:
        pacing = replace(pacing, told_ms=0)
    if not pacing.interval_us:
        return pacing
    excess, chance = _excess(pacing), _chance(pacing)
    cleared = max(0.0, pacing.suspicion - counts.accepted * max(0.0, excess - chance))
    after = replace(pacing, suspicion=cleared + counts.refused * max(0.0, log(excess / chance)))
    if pacing.safe_us or pacing.blocked_ms or _guilty(after):
        return after
    fade = 0.5 if pacing.calls > _MEMORY else 1.0
    return replace(after, strays=fade * (pacing.strays + counts.refused), calls=fade * (pacing.calls + counts.accepted))


def _excess(pacing: Pacing) -> float:
    """The share that is refused where the rate is too high by what was tried, or by the least that it is lowered."""
    if pacing.told_ms:
        return _MANY
    return max(_USUAL, 1 - pacing.interval_us / pacing.safe_us) if pacing.safe_us else _LESS


def _chance(pacing: Pacing) -> float:
    """The share that is refused by chance, or for any other cause where a rate has a Retry-After."""
    if pacing.told_ms:
        return _OTHERS
    least = _RARE if pacing.interval_us > _SLOW_US else _USUAL
    return min(_MOST, max(least, (pacing.strays + 0.1) / (pacing.calls + 100)))


def _guilty(pacing: Pacing) -> bool:
    """Whether refusals without a Retry-After are for the rate in force."""
    if not pacing.interval_us:
        return False
    if pacing.told_ms:
        return pacing.suspicion >= _CERTAIN
    return bool(pacing.blocked_ms) or pacing.suspicion + (_TRIED if pacing.safe_us else 0.0) >= _CERTAIN


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


def _silent(pacing: Pacing, sample: Sample, round_ms: float, late_ms: int) -> bool:
    """Whether the last refusal is so long ago that what is seen now began after it."""
    return sample.at_ms - pacing.refused_ms > round_ms + late_ms


def _accept(pacing: Pacing, sample: Sample, policy: PacingPolicy, round_ms: float) -> Pacing:
    accepted = sample.counts.accepted
    after = replace(pacing, cycle=pacing.cycle + accepted, credit=pacing.credit + accepted)
    if pacing.blocked_ms:
        told = not pacing.pause_us
        fresh = _silent(pacing, sample, round_ms, _LATE_TOLD_MS if told else _LATE_MS)
        if not fresh and not pacing.again_ms:
            return after  # of calls from before the refusal
        at_ms = sample.at_ms if fresh else pacing.again_ms
        window_ms = max(pacing.window_ms, at_ms - pacing.blocked_ms)
        exhausted = pacing.pause_us > _EXHAUSTED * pacing.interval_us
        after = replace(
            after, blocked_ms=0 if fresh else at_ms, again_ms=0, window_ms=window_ms, pause_us=0,
            pardons=pacing.pardons + 1,
        )  # fmt: skip
        if told and not pacing.interval_us and at_ms - pacing.pardoned_ms > _RECURRING_MS:
            # One overload that has passed tells no rate: what is accepted until the next one will.
            return replace(after, pardoned_ms=at_ms, cycle_ms=at_ms, cycle=accepted, pardons=0)
        if exhausted or not pacing.interval_us:
            return _learn(after, at_ms, accepted, policy)
        if not fresh:
            return after
    if after.suspicion > _CLEARED and not after.told_ms:
        return after  # whether what is in force lasts is not known yet
    if after.credit >= _APART:
        after = replace(after, misses=0)
    if not after.interval_us or after.credit < _enough(after, policy) or not _settled(after, sample, policy):
        return after
    if after.need > _SEARCH and after.step <= policy.step and sample.at_ms - after.refused_ms < policy.rest_ms:
        return after
    step, need = _next_step(after, sample, policy)
    interval_us = max(1, round(after.interval_us / (1 + step)))
    return replace(
        after, interval_us=interval_us, safe_us=after.interval_us, credit=0, misses=0, step=step, need=need,
        cycle_ms=sample.at_ms, cycle=0, pardons=0, doubted=0 if after.safe_us else after.doubted,
    )  # fmt: skip


def _next_step(pacing: Pacing, sample: Sample, policy: PacingPolicy) -> tuple[float, int]:
    """The next raise, and the calls before the one after it, by how the last one went."""
    step, need = pacing.step or policy.step, pacing.need
    if not pacing.safe_us:
        return step, need
    if need <= _SEARCH:
        # After two raises that have lasted the limit has moved, and is searched for.
        return min(_STEEPEST, 2 * step), _SEARCH
    if sample.at_ms - pacing.refused_ms < policy.rest_ms:
        # What was refused is as near above as this step was wide.
        step = max(policy.step, step / 2)
        return step, _SEARCH if step > policy.step else policy.probe_after
    return step, policy.probe_after if need > policy.probe_after else _SEARCH


def _enough(pacing: Pacing, policy: PacingPolicy) -> int:
    """Calls before a raise: of a slow rate fewer, or it would take too long."""
    if pacing.need <= _SEARCH or pacing.safe_us:
        return min(pacing.need, max(_CYCLE, _SEARCH_US // pacing.interval_us))
    fewest = min(_FEW, _RAREST_US // pacing.interval_us) if pacing.step <= policy.step else 0
    return min(pacing.need, max(_CYCLE, fewest, _RARE_US // pacing.interval_us))


def _settled(pacing: Pacing, sample: Sample, policy: PacingPolicy) -> bool:
    """Whether the last refusal and raise are long enough ago: what filled their windows no longer counts.

    Raises that have lasted for as many windows have shown that the limit has moved; what is too high shows at once.
    """
    steep = bool(pacing.safe_us) and pacing.need <= _SEARCH and pacing.step >= _SHOWN * policy.step
    shown = steep and sample.at_ms - pacing.refused_ms >= _SHOWN * pacing.window_ms
    window_ms = 0 if shown else pacing.window_ms
    return sample.at_ms - max(pacing.refused_ms, pacing.cycle_ms) >= max(_CYCLE_MS, window_ms)


def _learn(pacing: Pacing, at_ms: int, accepted: int, policy: PacingPolicy) -> Pacing:
    """The platform accepts again: what it accepted since it last did is its rate.

    It has accepted again some time before that was seen, so if it counts over a usual window its rate is a little
    higher: that is on trial first.
    """
    measured_us = _measured_us(replace(pacing, cycle=pacing.cycle - accepted), at_ms, policy)
    after = replace(pacing, credit=0, misses=0, safe_us=0)
    if not measured_us:
        return after
    span_ms = (at_ms - pacing.cycle_ms) / pacing.pardons
    window_ms = max((w for w in _WINDOWS_MS if w <= span_ms), default=span_ms)
    after = replace(
        after, interval_us=measured_us, cycle_ms=at_ms, cycle=accepted, pardons=0, learnt_ms=at_ms, need=_SEARCH
    )
    if pacing.interval_us or span_ms > _TWICE * window_ms:
        return replace(after, step=2 * policy.step)
    hoped_us = round(measured_us * window_ms / span_ms)
    return replace(after, interval_us=hoped_us, safe_us=measured_us, step=policy.step)


def _measured_us(pacing: Pacing, at_ms: int, policy: PacingPolicy) -> int:
    """The interval by what was accepted in this cycle; 0 where that is too little to tell."""
    span_ms = at_ms - pacing.cycle_ms
    if span_ms < _CYCLE_MS or pacing.cycle < _CYCLE:
        return 0
    return min(_SLOWEST_US, round(span_ms * 1000 / pacing.cycle / policy.margin))


def _refuse(pacing: Pacing, sample: Sample, policy: PacingPolicy, round_ms: float) -> Pacing:
    """Refused for the rate: what was tried is taken back, what had held is lowered, and nothing accepted is a pause."""
    told, now_ms = bool(sample.counts.told), sample.at_ms
    together = now_ms - pacing.refused_ms < max(_TOGETHER_MS, 3 * pacing.interval_us // 1000)
    after = replace(pacing, refused_ms=now_ms, blocked_ms=pacing.blocked_ms or now_ms, credit=0)
    after = replace(after, suspicion=min(_LEFT, pacing.suspicion) if not pacing.safe_us else 0.0)
    if told and pacing.blocked_ms and _silent(pacing, sample, round_ms, _LATE_TOLD_MS):
        after = replace(after, again_ms=now_ms)
    if not told:
        pause_us = 2 * max(pacing.pause_us, pacing.interval_us, _PAUSE_US)
        after = replace(after, pause_us=min(policy.slowest_ms * 1000, pause_us))
    if now_ms - pacing.learnt_ms < max(_CYCLE_MS, pacing.window_ms):
        return after  # the window still holds what was called before the rate was known
    if pacing.safe_us:
        return _take_back(after, policy)
    if not pacing.interval_us or (together and pacing.refused_ms):
        return after
    misses = pacing.misses + 1
    after = replace(after, misses=misses)
    if not told and misses == 1:
        return after  # the next one, or what is accepted after a pause, tells by how much
    longer = min(float(_SLOWEST_US), pacing.interval_us / (1 - _LESS * 2.0 ** min(3, misses - 1)))
    measured_us = _measured_us(pacing, now_ms, policy)
    interval_us = round(min(longer, measured_us) if measured_us > pacing.interval_us else longer)
    if misses >= _FAR:
        after = replace(after, need=_SEARCH, step=2 * policy.step)
    return replace(after, interval_us=interval_us, cycle_ms=now_ms, cycle=0, pardons=0)


def _take_back(pacing: Pacing, policy: PacingPolicy) -> Pacing:
    """Back to the interval that lasted; the next raise is half as steep, and at its gentlest ever rarer.

    One that was refused without a Retry-After, perhaps by chance, is tried once more.
    """
    tried = pacing.safe_us / pacing.interval_us - 1
    step, need = max(policy.step, tried / 2), policy.probe_after
    if tried < 1.5 * policy.step:
        need = min(4 * policy.probe_after, 2 * max(pacing.need, policy.probe_after))
    elif not pacing.told_ms and not pacing.doubted and pacing.interval_us <= _SLOW_US:
        step, need = tried, _SEARCH
    return replace(
        pacing, interval_us=pacing.safe_us, safe_us=0, need=need, step=step, cycle_ms=pacing.refused_ms, cycle=0,
        pardons=0, doubted=0 if need > _SEARCH else 1,
    )  # fmt: skip


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
