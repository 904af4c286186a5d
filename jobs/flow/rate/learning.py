"""How often calls may be made, learnt where the platform allows so many a second or a window.

What the platform accepted from one recovery to the next is its rate exactly, so the interval is set just above:

    interval = time of the cycle / accepted in it / margin

A refusal of a rate that had held lowers it, further refusals in close succession by twice as much each:

    interval /= 1 - decrease * 2 ** min(3, refusal_streak - 1)

`attribution` says which refusals are for a rate, and `increase` tries a shorter interval now and then.

Sources: GCRA as the claim script has it; CUBIC in AWS SDKs' adaptive retry mode for the slow growth.
"""

from dataclasses import replace

from cancellist.jobs.flow.concurrency import UNKNOWN_ROUND_MS
from cancellist.jobs.flow.rate import attribution, increase
from cancellist.jobs.flow.rate.state import CYCLE, CYCLE_MS, Pacing, PacingPolicy
from cancellist.jobs.flow.sample import FlowSample

_IDLE_MS = 2_000
"""A sample that is longer, and much longer than the interval, was taken over a time in which nobody called."""
_LONGEST_SILENCE_MS = 600_000
"""After a Retry-After that is longer the rate is learnt anew."""
_WINDOWS_MS = (1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 60_000)
"""Windows over which platforms count."""
_TWICE = 2
"""A cycle so many times a window holds more than one."""
_LATE_MS, _LATE_TOLD_MS = 300, 550
"""How late accepted calls are posted: after a plain refusal, and after a Retry-After, where it must be certain."""
_PAUSE_US = 25_000
"""The shortest interval from which a pause is doubled: a call's answer is seen no sooner."""
_FAR, _DOUBLINGS = 3, 3
"""Refusals in close succession after which the rate may be far off, and is searched for anew; and how often what it is
lowered by is doubled at most."""


def outdated(pacing: Pacing, silent_ms: int, stale_ms: int) -> bool:
    """Whether a rate may have outlived its cause, since nobody has called for so long.

    A slow rate, and a Retry-After, are silent for long by themselves.
    """
    own_ms = _LONGEST_SILENCE_MS if pacing.blocked_ms else 4 * pacing.in_force_us // 1000
    return silent_ms > max(stale_ms, own_ms)


def may_be_first(pacing: Pacing, sample: FlowSample, policy: PacingPolicy) -> bool:
    """Whether refusals with a Retry-After are the first for long, so that nothing tells yet what has refused.

    So they are until the platform accepts calls that began after them.
    """
    alone = sample.at_ms - pacing.first_recovery_ms > policy.recurring_ms
    blocked = bool(pacing.blocked_ms) and not pacing.pause_us
    return (bool(sample.counts.with_retry_after) or blocked) and not pacing.interval_us and alone


def step(pacing: Pacing, sample: FlowSample, policy: PacingPolicy, *, saturated: bool, round_ms: float) -> Pacing:
    """The rate after a sample.

    Args:
        pacing: the rate before.
        sample: what happened.
        policy: the constants.
        saturated: the limit of calls in flight is what holds calls back.
        round_ms: the mean round trip; 0: unknown.
    """
    counts = sample.counts
    pacing = _on_time(pacing, sample)
    pacing, by_rate = attribution.attribute(pacing, sample, policy, round_ms=round_ms)
    if counts.accepted:
        pacing = _accept(pacing, sample, policy, round_ms or UNKNOWN_ROUND_MS)
    if by_rate:
        return _refuse(pacing, sample, policy, round_ms or UNKNOWN_ROUND_MS)
    return _drop(pacing, sample, policy, saturated=saturated)


def _on_time(pacing: Pacing, sample: FlowSample) -> Pacing:
    """Leaves out of the cycle the time in which nobody called."""
    idle = sample.span_ms > max(_IDLE_MS, 2 * pacing.in_force_us // 1000)
    if not pacing.cycle_ms:
        return replace(pacing, cycle_ms=sample.at_ms if idle else sample.since_ms or sample.at_ms)
    if not idle:
        return pacing
    if pacing.pause_us:
        # The platform has accepted again while nobody called: nothing tells when.
        return replace(pacing, blocked_ms=0, pause_us=0, cycle_ms=sample.at_ms, cycle=0)
    if pacing.blocked_ms:
        return pacing  # a Retry-After holds all calls
    return replace(pacing, cycle_ms=min(sample.at_ms, pacing.cycle_ms + sample.span_ms))


def _silent(pacing: Pacing, sample: FlowSample, round_ms: float, late_ms: int) -> bool:
    """Whether the last refusal is so long ago that what is seen now began after it."""
    return sample.at_ms - pacing.refused_ms > round_ms + late_ms


def _accept(pacing: Pacing, sample: FlowSample, policy: PacingPolicy, round_ms: float) -> Pacing:
    accepted = sample.counts.accepted
    after = replace(pacing, cycle=pacing.cycle + accepted, credit=pacing.credit + accepted)
    if pacing.blocked_ms:
        with_retry_after = not pacing.pause_us
        fresh = _silent(pacing, sample, round_ms, _LATE_TOLD_MS if with_retry_after else _LATE_MS)
        if not fresh and not pacing.again_ms:
            return after  # of calls from before the refusal
        at_ms = sample.at_ms if fresh else pacing.again_ms
        window_ms = max(pacing.window_ms, at_ms - pacing.blocked_ms)
        after = replace(
            after, blocked_ms=0 if fresh else at_ms, again_ms=0, window_ms=window_ms, pause_us=0,
        )  # fmt: skip
        if with_retry_after and not pacing.interval_us and at_ms - pacing.first_recovery_ms > policy.recurring_ms:
            # One overload that has passed tells no rate: what is accepted until the next one will.
            return replace(after, first_recovery_ms=at_ms, cycle_ms=at_ms, cycle=accepted)
        if not pacing.interval_us:
            return _learn(after, at_ms, accepted, policy)
        if not fresh:
            return after
    return increase.raised(after, sample, policy) if increase.due(after, sample, policy) else after


def _learn(pacing: Pacing, at_ms: int, accepted: int, policy: PacingPolicy) -> Pacing:
    """The platform accepts again: what it accepted since it last did is its rate.

    It has accepted again some time before that was seen, so if it counts over a usual window its rate is a little
    higher: that is on trial first.
    """
    measured_us = _measured_us(replace(pacing, cycle=pacing.cycle - accepted), at_ms, policy)
    after = replace(pacing, credit=0, refusal_streak=0, safe_us=0)
    if not measured_us:
        return after
    span_ms = at_ms - pacing.cycle_ms
    window_ms = max((w for w in _WINDOWS_MS if w <= span_ms), default=span_ms)
    after = replace(
        after, interval_us=measured_us, cycle_ms=at_ms, cycle=accepted, learnt_ms=at_ms,
        need=policy.search_after,
    )  # fmt: skip
    if span_ms > _TWICE * window_ms:
        return replace(after, step=2 * policy.step)
    hoped_us = round(measured_us * window_ms / span_ms)
    return replace(after, interval_us=hoped_us, safe_us=measured_us, step=policy.step)


def _measured_us(pacing: Pacing, at_ms: int, policy: PacingPolicy) -> int:
    """The interval by what was accepted in this cycle; 0 where that is too little to tell."""
    span_ms = at_ms - pacing.cycle_ms
    if span_ms < CYCLE_MS or pacing.cycle < CYCLE:
        return 0
    return min(policy.slowest_us, round(span_ms * 1000 / pacing.cycle / policy.margin))


def _refuse(pacing: Pacing, sample: FlowSample, policy: PacingPolicy, round_ms: float) -> Pacing:
    """Refused for the rate: what was tried is taken back, what had held is lowered, and nothing accepted is a pause."""
    with_retry_after, now_ms = bool(sample.counts.with_retry_after), sample.at_ms
    after = replace(pacing, refused_ms=now_ms, blocked_ms=pacing.blocked_ms or now_ms, credit=0, log_odds=0.0)
    if with_retry_after and pacing.blocked_ms and _silent(pacing, sample, round_ms, _LATE_TOLD_MS):
        after = replace(after, again_ms=now_ms)
    if not with_retry_after:
        pause_us = 2 * max(pacing.pause_us, pacing.interval_us, _PAUSE_US)
        after = replace(after, pause_us=min(policy.slowest_ms * 1000, pause_us))
    if now_ms - pacing.learnt_ms < max(CYCLE_MS, pacing.window_ms):
        return after  # the window still holds what was called before the rate was known
    if pacing.safe_us:
        return increase.take_back(after, policy)
    if not pacing.interval_us:
        return after
    refusal_streak = pacing.refusal_streak + 1
    after = replace(after, refusal_streak=refusal_streak)
    decrease = policy.decrease * 2.0 ** min(_DOUBLINGS, refusal_streak - 1)
    longer = min(float(policy.slowest_us), pacing.interval_us / (1 - decrease))
    interval_us = round(longer)
    if refusal_streak >= _FAR:
        after = replace(after, need=policy.search_after, step=2 * policy.step)
    return replace(after, interval_us=interval_us, cycle_ms=now_ms, cycle=0)


def _drop(pacing: Pacing, sample: FlowSample, policy: PacingPolicy, *, saturated: bool) -> Pacing:
    """Lets go of a rate that has held nothing back for long."""
    if not pacing.interval_us or not saturated:
        return replace(pacing, unbound_since_ms=0)
    if not sample.counts.accepted:
        return pacing  # calls that all take long say nothing of a rate
    since_ms = pacing.unbound_since_ms or sample.at_ms
    if sample.at_ms - since_ms < max(pacing.window_ms, policy.unbound_ms):
        return replace(pacing, unbound_since_ms=since_ms)
    return Pacing(cycle_ms=sample.at_ms)
