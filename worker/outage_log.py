"""Logs an outage of the server once, although many tasks of a process notice it, and its end once.

Refusals of a server that answers are logged now and then, whichever task meets them.
"""

from time import monotonic
from typing import Final

import structlog

from cancellist.jobs.errors import LedgerError, LedgerFullError, LedgerUnavailableError
from cancellist.worker.calls.log_throttle import LogThrottle

log = structlog.get_logger()

REFUSED_EVERY_S = 60.0
_refusals = LogThrottle(REFUSED_EVERY_S)
_BESIDE: Final = frozenset({"wake", "intake", "sweep", "keys", "webhooks", "stop file"})
"""Tasks whose refusals do not stop any reference."""
_AGAIN_WITHIN_S = 3.0
_LASTS_S = 3.0


class Refusals:
    """Refusals that come again and again, of commands that the work needs."""

    def __init__(self) -> None:
        self._times: dict[str, tuple[float, float]] = {}

    def note(self, error: LedgerError) -> None:
        """Notes a refusal."""
        now = monotonic()
        self._times = {text: times for text, times in self._times.items() if now - times[1] <= _AGAIN_WITHIN_S}
        first, _ = self._times.get(str(error), (now, now))
        self._times[str(error)] = (first, now)

    def lasting(self) -> str | None:
        """A refusal that has lasted for a while and still does; None where there is none."""
        now = monotonic()
        for text, (first, last) in self._times.items():
            if now - last <= _AGAIN_WITHIN_S and last - first >= _LASTS_S:
                return text
        return None


REFUSALS: Final = Refusals()


def tell_refused(error: LedgerError, **who: str) -> bool:
    """Logs a refusal now and then; returns whether the error is a refusal of a server that answers."""
    if isinstance(error, LedgerUnavailableError | LedgerFullError):
        return False
    if who.get("task") not in _BESIDE:
        REFUSALS.note(error)
    if _refusals.due(str(error)) is not None:
        log.warning("the server refuses a command; it is tried again", error=str(error), **who)
    return True


class OutageLog:
    """Keeps which tasks wait for the server."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()

    def notice(self, who: str, error: LedgerError | str) -> None:
        """Notes that a task found the server away, or was refused a command."""
        if isinstance(error, LedgerError) and tell_refused(error, task=who):
            self.over(who)
            return
        if not self._waiting:
            log.warning("server away, waiting for it", task=who, error=str(error))
        self._waiting.add(who)

    def over(self, who: str) -> None:
        """Notes that a task found the server back."""
        if who in self._waiting:
            self._waiting.discard(who)
            if not self._waiting:
                log.info("server back")
