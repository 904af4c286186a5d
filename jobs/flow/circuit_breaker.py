"""When to stop calling a platform at all, and how to find out that it is back.

    open where  a call was denied  or  failures in a row >= threshold
    pause before probe n = min(most, first * 2 ** n) * (1 + jitter) / 2
    close where a probe is accepted

While the breaker is open one call at a time, a probe, is let through after each pause.

Source: "Circuit Breaker", Microsoft's cloud design patterns.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from cancellist.jobs.flow.sample import FlowSample
from cancellist.jobs.model import BreakerCause


class Mode(StrEnum):
    """Whether calls may be made."""

    CLOSED = "closed"
    """All that the limits allow."""
    OPEN = "open"
    """None before the next probe is due."""
    HALF_OPEN = "half_open"
    """One: the probe is due or under way."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The constants of a breaker.

    Attributes:
        threshold: failures in a row, over all drains, that open it (1 to 1000).
        outage_first_ms: pause before the first probe of an outage (10 to 60000).
        outage_most_ms: longest pause between probes of an outage (10 to 60000).
        denied_first_ms: pause before the first probe after a denial (10 to 600000).
        denied_most_ms: longest pause between probes after a denial (10 to 600000).
        settled_ms: closed for so long, it forgets how often it probed; sooner it goes on with longer pauses
            (0 to 600000).
        settled_calls: or after so many accepted calls (1 to 100000).
    """

    threshold: int = 5
    outage_first_ms: int = 250
    outage_most_ms: int = 3_000
    denied_first_ms: int = 1_000
    denied_most_ms: int = 60_000
    settled_ms: int = 10_000
    settled_calls: int = 20


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of a breaker.

    Attributes:
        mode: whether calls may be made.
        since_ms: when it took on that mode.
        next_probe_ms: when the next probe is due; 0 while closed.
        kind: why it opened; None where it never did.
        why: the same in words.
        tries: probes that did not end well, and the opening itself.
        run: failures since the last accepted call.
        passed: calls accepted since it closed, as long as that matters.
    """

    mode: Mode = Mode.CLOSED
    since_ms: int = 0
    next_probe_ms: int = 0
    kind: BreakerCause | None = None
    why: str = ""
    tries: int = 0
    run: int = 0
    passed: int = 0

    @property
    def closed(self) -> bool:
        """Whether calls may be made freely."""
        return self.mode is Mode.CLOSED


def step(breaker: Breaker, sample: FlowSample, policy: BreakerPolicy, jitter: float) -> Breaker:
    """The breaker after a sample.

    Args:
        breaker: the breaker before.
        sample: what happened.
        policy: the constants.
        jitter: in [0, 1); it shortens the pause before a probe by up to half.
    """
    breaker = replace(breaker, run=_run(breaker, sample))
    counts, now_ms = sample.counts, sample.at_ms
    if breaker.closed:
        if counts.denied:
            return _open(breaker, BreakerCause.DENIED, sample, policy, jitter)
        if breaker.run >= policy.threshold:
            return _open(breaker, BreakerCause.OUTAGE, sample, policy, jitter)
        return _settled(breaker, sample, policy) if breaker.tries else breaker
    if counts.probes_passed:
        return replace(breaker, mode=Mode.CLOSED, since_ms=now_ms, next_probe_ms=0, run=0, passed=0)
    if counts.probes_failed:
        kind = BreakerCause.DENIED if counts.denied else breaker.kind or BreakerCause.OUTAGE
        if not counts.denied and (counts.failed or counts.timed_out):
            kind = BreakerCause.OUTAGE
        return _open(breaker, kind, sample, policy, jitter)
    if breaker.mode is Mode.OPEN and now_ms >= breaker.next_probe_ms:
        return replace(breaker, mode=Mode.HALF_OPEN, since_ms=now_ms)
    return breaker


def _settled(breaker: Breaker, sample: FlowSample, policy: BreakerPolicy) -> Breaker:
    """A closed breaker that has shown to stay so forgets its probes: what goes wrong next is something else."""
    passed = breaker.passed + sample.counts.accepted
    lasted = sample.at_ms - breaker.since_ms >= policy.settled_ms or passed >= policy.settled_calls
    return replace(breaker, passed=passed, tries=0 if lasted else breaker.tries)


def probe_now(breaker: Breaker, now_ms: int) -> Breaker:
    """The breaker after a person has mended what was wrong: the next probe is due, and pauses begin anew."""
    return breaker if breaker.closed else replace(breaker, next_probe_ms=now_ms, tries=0)


def pause_ms(kind: BreakerCause, tries: int, policy: BreakerPolicy, jitter: float) -> int:
    """The pause before the probe after `tries` (from 0) that did not end well: doubling, never below half."""
    first, most = policy.outage_first_ms, policy.outage_most_ms
    if kind is BreakerCause.DENIED:
        first, most = policy.denied_first_ms, policy.denied_most_ms
    return max(1, round(min(most, first * 2.0 ** min(tries, 30)) * (1 + jitter) / 2))


def _open(breaker: Breaker, kind: BreakerCause, sample: FlowSample, policy: BreakerPolicy, jitter: float) -> Breaker:
    tries = breaker.tries if breaker.kind is kind else 0
    due_ms = sample.at_ms + pause_ms(kind, tries, policy, jitter)
    why = sample.counts.why or breaker.why
    return replace(
        breaker, mode=Mode.OPEN, since_ms=sample.at_ms, next_probe_ms=due_ms, kind=kind, why=why, tries=tries + 1
    )


def _run(breaker: Breaker, sample: FlowSample) -> int:
    """Failures since the last accepted call, as far as both the drains and the samples bear it out.

    The drains' own runs are late by up to a posting each, the samples' order within is unknown: the lesser is sure.
    """
    counts = sample.counts
    came = counts.failed + counts.timed_out + counts.refused
    return min(counts.run, came if counts.accepted else breaker.run + came)
