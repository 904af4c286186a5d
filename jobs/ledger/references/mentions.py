"""What is known of a reference: the jobs that named it, and what may be missing."""

from dataclasses import dataclass

from cancellist.jobs.ledger.stream_place import Gap
from cancellist.jobs.model import JobRecord, Result


@dataclass(frozen=True, slots=True)
class Mention:
    """A job that named a reference, and the result where there is one. `job` None: its record is gone."""

    id: str
    job: JobRecord | None
    result: Result | None


@dataclass(frozen=True, slots=True)
class Mentions:
    """The jobs that named a reference, newest first.

    Attributes:
        next: the job after which the next page begins; None at the end.
        gap: when results may have been written that are not known here.
        unsearched: jobs that go on and are too large, or too many, to be looked through.
    """

    mentions: list[Mention]
    next: str | None
    gap: Gap | None
    unsearched: list[str]

    @property
    def complete(self) -> bool:
        """Whether no job can be missing that the ledger still knows."""
        return self.gap is None and not self.unsearched
