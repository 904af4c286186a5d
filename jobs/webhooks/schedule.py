"""When a delivery is tried again, and what an answer means."""

from enum import StrEnum
from typing import Final

DELAYS_S: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)
"""The pauses after the first failure, the second, and so on: about 28 hours in all."""
_JITTER: Final = 0.2
_LONGEST_S: Final = 86_400.0
FAILS_FOR_MS: Final = 5 * 86_400_000
"""An endpoint where nothing has succeeded for so long is disabled."""
FAILING: Final = 5
"""After so many failures in a row an endpoint counts as failing: one delivery at a time is tried."""
PROBE_MS: Final = 300_000
"""A failing endpoint is tried at least this often while something waits for it."""
_OK: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
GONE: Final = 410


class AttemptVerdict(StrEnum):
    """What an attempt has shown."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


def verdict(status: int) -> AttemptVerdict:
    """What an HTTP status says: 2xx is success, 410 asks for no more, all else is failure."""
    if status in _OK:
        return AttemptVerdict.DELIVERED
    return AttemptVerdict.GONE if status == GONE else AttemptVerdict.FAILED


def why(status: int) -> str | None:
    """What an HTTP status says, in words; None for success."""
    if status in _OK:
        return None
    if status in _REDIRECT:
        return f"HTTP {status}: redirects are not followed"
    return f"HTTP {status}: it wants no more" if status == GONE else f"HTTP {status}"


def delay_s(failures: int, chance: float, retry_after_s: float | None = None) -> float | None:
    """The pause before the next attempt; None where the delivery is given up.

    Args:
        failures: failed attempts so far, at least 1.
        chance: a random number from 0 to 1, so that not all deliveries come back at once.
        retry_after_s: what the receiver has asked for, at most a day.
    """
    if failures > len(DELAYS_S):
        return None
    pause = DELAYS_S[failures - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    return max(pause, min(retry_after_s or 0.0, _LONGEST_S))
