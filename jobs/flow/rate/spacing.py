"""Slow calls one after the other: many that begin at once, end at once and begin again at once look like a lower limit.

    interval = round trip / (spread * limit)

Where a platform allows ten calls a second and each takes two, twenty may be in flight; but of twenty that begin within
the same second ten are refused. So once calls in flight were found to be limited, slow ones are begun hardly more often
than they would end if they were spread evenly, and the limit is found anew.
"""

from dataclasses import replace
from math import floor

from cancellist.jobs.flow.concurrency import ConcurrencyState
from cancellist.jobs.flow.rate.state import PacingPolicy


def spread_us(limiter: ConcurrencyState, policy: PacingPolicy) -> int:
    """Microseconds between two calls that begin; 0: they are fast, or nothing has limited them."""
    if not limiter.lowered_ms or limiter.round_ms < policy.spread_ms:
        return 0
    return round(limiter.round_ms * 1000 / (policy.spread * max(1, floor(limiter.limit))))


def begin(limiter: ConcurrencyState) -> ConcurrencyState:
    """The limiter as calls begin to be spread: where they were refused says nothing any more."""
    return replace(limiter, refused_at=0)
