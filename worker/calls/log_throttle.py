"""Throttles log lines about events that repeat."""

from collections.abc import Hashable
from time import monotonic

EVERY_S = 10.0
_MOST = 100


class LogThrottle:
    """Decides for each kind of event whether to log it now."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._told: dict[Hashable, tuple[float, int]] = {}

    def due(self, kind: Hashable) -> int | None:
        """The number of such events since the last that was logged; None where this one must not be logged."""
        at, untold = self._told.get(kind, (-self._every_s, 0))
        now = monotonic()
        if now - at < self._every_s:
            self._told[kind] = (at, untold + 1)
            return None
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[kind] = (now, 0)
        return untold
