"""The server's absence, told once: many tasks of a process notice it, and each comes back in its own time."""

import structlog

log = structlog.get_logger()


class Outage:
    """Who waits for the server now."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()

    def notice(self, who: str, error: str) -> None:
        """A task has found the server away."""
        if not self._waiting:
            log.warning("server away, waiting for it", task=who, error=error)
        self._waiting.add(who)

    def over(self, who: str) -> None:
        """A task has found it back."""
        if who in self._waiting:
            self._waiting.discard(who)
            if not self._waiting:
                log.info("server back")
