"""When a learnt rate is raised, by how much, and what comes of a raise that is refused.

interval /= 1 + step          after `need` accepted calls, on trial
refused:   the interval that lasted, step / 2
lasted:    after two in a row the limit has moved, and the step doubles, up to `steepest`
"""

from dataclasses import replace

from cancellist.jobs.flow.rate.state import CYCLE, CYCLE_MS, Pacing, PacingPolicy
from cancellist.jobs.flow.sample import FlowSample

_SHOWN = 4
"""A raise on trial of so many steps, so many windows after the last refusal, follows raises that have lasted. The next
raise then waits for no window."""


def due(pacing: Pacing, sample: FlowSample, policy: PacingPolicy) -> bool:
    """Whether enough has been accepted, for long enough, to pay for a raise."""
    if not pacing.interval_us or pacing.credit < _enough(pacing, policy) or not _settled(pacing, sample, policy):
        return False
    gentle = pacing.need > policy.search_after and pacing.step <= policy.step
    return not gentle or sample.at_ms - pacing.refused_ms >= policy.rest_ms


def raised(pacing: Pacing, sample: FlowSample, policy: PacingPolicy) -> Pacing:
    """The rate a step higher, on trial."""
    step, need = _next_step(pacing, sample, policy)
    interval_us = max(1, round(pacing.interval_us / (1 + step)))
    return replace(
        pacing, interval_us=interval_us, safe_us=pacing.interval_us, credit=0, refusal_streak=0, step=step, need=need,
        cycle_ms=sample.at_ms, cycle=0,
    )  # fmt: skip


def take_back(pacing: Pacing, policy: PacingPolicy) -> Pacing:
    """Back to the interval that lasted; the next raise is half as steep."""
    tried = pacing.safe_us / pacing.interval_us - 1
    step, need = max(policy.step, tried / 2), policy.raise_after
    return replace(
        pacing, interval_us=pacing.safe_us, safe_us=0, need=need, step=step, cycle_ms=pacing.refused_ms, cycle=0,
    )  # fmt: skip


def _next_step(pacing: Pacing, sample: FlowSample, policy: PacingPolicy) -> tuple[float, int]:
    """The next raise, and the calls before the one after it, by how the last one went."""
    step, need = pacing.step or policy.step, pacing.need
    if not pacing.safe_us:
        return step, need
    if need <= policy.search_after:
        # Two raises have lasted, so the platform's rate has moved: search for it.
        return min(policy.steepest, 2 * step), policy.search_after
    if sample.at_ms - pacing.refused_ms < policy.rest_ms:
        # The refused rate is at most one such step above.
        step = max(policy.step, step / 2)
        return step, policy.search_after if step > policy.step else policy.raise_after
    return step, policy.search_after


def _enough(pacing: Pacing, policy: PacingPolicy) -> int:
    """Calls before a raise: of a slow rate fewer, or it would take too long."""
    if pacing.need <= policy.search_after or pacing.safe_us:
        return min(pacing.need, max(CYCLE, 1000 * policy.search_ms // pacing.interval_us))
    fewest = 0
    if pacing.step <= policy.step:
        fewest = min(policy.slow_raise_after, 1000 * policy.slow_raise_ms // pacing.interval_us)
    return min(pacing.need, max(CYCLE, fewest, 1000 * policy.raise_ms // pacing.interval_us))


def _settled(pacing: Pacing, sample: FlowSample, policy: PacingPolicy) -> bool:
    """Whether the last refusal and raise are long enough ago: what filled their windows no longer counts.

    Raises that have lasted for as many windows have shown that the limit has moved; what is too high shows at once.
    """
    steep = bool(pacing.safe_us) and pacing.need <= policy.search_after and pacing.step >= _SHOWN * policy.step
    shown = steep and sample.at_ms - pacing.refused_ms >= _SHOWN * pacing.window_ms
    window_ms = 0 if shown else pacing.window_ms
    return sample.at_ms - max(pacing.refused_ms, pacing.cycle_ms) >= max(CYCLE_MS, window_ms)
