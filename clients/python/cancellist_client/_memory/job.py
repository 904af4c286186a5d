"""A job of the server in memory."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cancellist_client._memory.reading import Found
from cancellist_client._memory.safeguards import FailureStop
from cancellist_client._memory.times import is_ahead
from cancellist_client.models import JobState, Result
from cancellist_client.options import Options


@dataclass
class Job:
    """A job, and what has come of it."""

    id: str
    options: Options
    found: Found
    digest: str
    state: JobState
    start_at: datetime | None
    hold_until: datetime | None
    deadline: datetime | None
    stop: FailureStop
    left: deque[str]
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retry_of: str | None = None
    retried_by: list[str] = field(default_factory=list[str])
    results: list[Result] = field(default_factory=list[Result])

    @property
    def total(self) -> int:
        """The references that will have a result."""
        return len(self.found.valid) + len(self.found.malformed)

    @property
    def is_held(self) -> bool:
        """Whether the time has not come at which it starts."""
        return self.started_at is None and (is_ahead(self.start_at) or is_ahead(self.hold_until))
