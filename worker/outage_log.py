"""The server's absence, told once: many tasks of a process notice it, and each comes back in its own time.

What a server refuses that is there is told now and then, whoever meets it.
"""

from time import monotonic
from typing import Final

import structlog

from cancellist.jobs.errors import LedgerError, LedgerFullError, LedgerUnavailableError
from cancellist.worker.calls.log_throttle import LogThrottle

log = structlog.get_logger()

REFUSED_EVERY_S = 60.0
_refusals = LogThrottle(REFUSED_EVERY_S)
_BESIDE: Final = frozenset({"wake", "intake", "sweep", "keys"})
"""Tasks whose refusals hold up no reference by themselves."""
_AGAIN_WITHIN_S = 3.0
_LASTS_S = 3.0


class Refusals:
    """What the server refuses again and again, of what the work cannot do without."""

    def __init__(self) -> None:
        self._times: dict[str, tuple[float, float]] = {}

    def note(self, error: LedgerError) -> None:
        """Something was refused."""
        now = monotonic()
        self._times = {text: times for text, times in self._times.items() if now - times[1] <= _AGAIN_WITHIN_S}
        first, _ = self._times.get(str(error), (now, now))
        self._times[str(error)] = (first, now)

    def lasting(self) -> str | None:
        """What has been refused for a while, and still is; None where nothing is."""
        now = monotonic()
        for text, (first, last) in self._times.items():
            if now - last <= _AGAIN_WITHIN_S and last - first >= _LASTS_S:
                return text
        return None


REFUSALS: Final = Refusals()


def tell_refused(error: LedgerError, **who: str) -> bool:
    """Tells now and then that a server which is there refuses what is asked; answers whether this is such an error."""
    if isinstance(error, LedgerUnavailableError | LedgerFullError):
        return False
    if who.get("task") not in _BESIDE:
        REFUSALS.note(error)
    if _refusals.due(str(error)) is not None:
        log.warning("the server refuses what is asked; it is tried again", error=str(error), **who)
    return True


class OutageLog:
    """Who waits for the server now."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()

    def notice(self, who: str, error: LedgerError | str) -> None:
        """A task has found the server away, or was refused what it asked."""
        if isinstance(error, LedgerError) and tell_refused(error, task=who):
            self.over(who)
            return
        if not self._waiting:
            log.warning("server away, waiting for it", task=who, error=str(error))
        self._waiting.add(who)

    def over(self, who: str) -> None:
        """A task has found it back."""
        if who in self._waiting:
            self._waiting.discard(who)
            if not self._waiting:
                log.info("server back")
