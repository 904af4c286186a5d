"""The stream of all results in memory, and its consumer groups."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cancellist_client.models import Result


@dataclass
class _Group:
    """What a consumer group knows: how far it has read, and what it has given to whom, and when."""

    position: int = 0
    pending: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])


class ResultsStream:
    """Results in the order in which they came; safe to share between threads."""

    def __init__(self) -> None:
        self._results: list[Result] = []
        self._groups: dict[str, _Group] = {}
        self._lock = threading.RLock()

    def append(self, result: Result) -> Result:
        """Adds a result; answers it with its entry's id."""
        with self._lock:
            entry = f"{int(result.at.timestamp() * 1000)}-{len(self._results)}"
            self._results.append(replace(result, entry=entry))
            return self._results[-1]

    def join(self, group: str, *, from_start: bool) -> None:
        """Makes a consumer group where there is none."""
        with self._lock:
            self._groups.setdefault(group, _Group(0 if from_start else len(self._results)))

    def read(self, group: str, consumer: str, count: int) -> list[Result]:
        """New results."""
        with self._lock:
            there = self._groups[group]
            some = self._results[there.position : there.position + count]
            there.position += len(some)
            there.pending |= {str(result.entry): (consumer, time.monotonic()) for result in some}
            return some

    def pending(self, group: str, consumer: str, after: str, count: int) -> list[Result]:
        """What a consumer was given and has not acknowledged."""
        with self._lock:
            own = {entry for entry, (owner, _) in self._groups[group].pending.items() if owner == consumer}
            rows = [result for result in self._results if result.entry in own and _place(result.entry) > _place(after)]
            return rows[:count]

    def take_over(self, group: str, consumer: str, idle: float, count: int) -> list[Result]:
        """What anybody has held for too long."""
        with self._lock:
            pending = self._groups[group].pending
            now = time.monotonic()
            idle_ones = {entry for entry, (_, at) in pending.items() if now - at >= idle}
            rows = [result for result in self._results if result.entry in idle_ones][:count]
            pending |= {str(result.entry): (consumer, now) for result in rows}
            return rows

    def keep(self, group: str, consumer: str, entries: Sequence[str]) -> set[str]:
        """Begins anew the idle time of those that are still this consumer's own."""
        with self._lock:
            pending = self._groups[group].pending
            own = {entry for entry in entries if pending.get(entry, ("", 0.0))[0] == consumer}
            pending |= dict.fromkeys(own, (consumer, time.monotonic()))
            return own

    def acknowledge(self, group: str, entries: Sequence[str]) -> None:
        """Forgets them."""
        with self._lock:
            for entry in entries:
                self._groups[group].pending.pop(entry, None)


def _place(entry: str | None) -> tuple[int, int]:
    """What entries sort by."""
    first, _, second = (entry or "0").partition("-")
    return int(first), int(second or 0)
