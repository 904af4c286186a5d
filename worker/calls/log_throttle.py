"""Telling of what goes wrong again and again: now and then, with how often it was."""

from collections.abc import Hashable
from time import monotonic

EVERY_S = 10.0
_MOST = 100


class LogThrottle:
    """Says of each kind of event whether it is time to tell of it."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._told: dict[Hashable, tuple[float, int]] = {}

    def due(self, kind: Hashable) -> int | None:
        """How many of its kind were not told of since the last that was; None where this one is not to be, either."""
        at, untold = self._told.get(kind, (-self._every_s, 0))
        now = monotonic()
        if now - at < self._every_s:
            self._told[kind] = (at, untold + 1)
            return None
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[kind] = (now, 0)
        return untold
