"""What changed of jobs, as one log that all who listen read.

A listener is a place in the log, and nothing else. So a slow one costs nothing: once the log has passed its place, it
is told everything anew.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

KEPT: Final = 10_000
"""Events that are kept for those who come back."""

Fields = Mapping[str, Any]


class EventKind(StrEnum):
    """What an event tells."""

    RESET = "reset"
    """Snapshots of all jobs that have not ended follow; what was known before may be out of date."""
    SNAPSHOT = "snapshot"
    """A job's whole document."""
    CHANGE = "change"
    """The fields of a job's document that changed, and `job`."""
    END = "end"
    """The whole document of a job that has ended. Nothing more is told of it."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One thing that was seen; `seq` counts them from 1."""

    seq: int
    job: str
    kind: EventKind
    fields: Fields


class EventLog:
    """The last events, and the document of each job that is looked at, as the last event left it.

    Attributes:
        last: the number of the newest event; 0 where there was none.
        documents: by job.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._events: deque[StreamEvent] = deque(maxlen=kept)
        self.last = 0
        self.documents: dict[str, dict[str, Any]] = {}
        self._latest: dict[str, int] = {}

    def see(self, document: Fields, *, ended: bool) -> None:
        """Notes how a job stands now; nothing where nothing of it has changed."""
        job = document["job"]
        before = self.documents.get(job)
        if ended:
            self.documents.pop(job, None)
            self._add(job, EventKind.END, dict(document))
            return
        if before is None:
            self.documents[job] = dict(document)
            self._add(job, EventKind.SNAPSHOT, dict(document))
        elif changed := {name: value for name, value in document.items() if before.get(name) != value}:
            # What has not changed stays the same object: so slow listeners do not each hold texts of their own.
            self.documents[job] = {name: changed.get(name, before.get(name)) for name in document}
            self._add(job, EventKind.CHANGE, {"job": job, **changed})

    def forget(self, job: str) -> None:
        """Looks at a job no more, since nobody listens to it."""
        self.documents.pop(job, None)

    def clear(self) -> None:
        """Forgets all, since nobody has listened for long; numbers go on."""
        self.documents.clear()
        self._events.clear()
        self._latest.clear()

    def latest(self, job: str | None) -> int:
        """The number of the newest event of one job, or of all; 0 where it is long ago."""
        return self.last if job is None else self._latest.get(job, 0)

    def holds(self, seq: int) -> bool:
        """Whether all events after this one are still there."""
        return self.last - len(self._events) <= seq <= self.last

    def after(self, seq: int, job: str | None) -> Iterator[StreamEvent]:
        """Events after this one, oldest first; of one job, or of all.

        Raises:
            LookupError: some of them are gone.
        """
        if not self.holds(seq):
            raise LookupError(f"event {seq + 1} is gone")
        newer = islice(reversed(self._events), self.last - seq)
        for event in reversed(list(newer)):
            if job is None or event.job == job:
                yield event

    def _add(self, job: str, kind: EventKind, fields: Fields) -> None:
        self.last += 1
        if len(self._events) == self._events.maxlen and self._latest.get(self._events[0].job) == self._events[0].seq:
            del self._latest[self._events[0].job]
        self._events.append(StreamEvent(self.last, job, kind, fields))
        self._latest[job] = self.last
