"""What jobs and results are, as the server's documents have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from cancellist_client.errors import TransportError


class _OpenEnum(StrEnum):
    """Words that a newer server may add to: a word that is not known here is kept as it is."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not value:
            return None
        member = str.__new__(cls, value)
        member._name_ = value.upper()
        member._value_ = value
        return member


class Outcome(_OpenEnum):
    """The final answer for one reference of one job."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    MANIFESTED = "manifested"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    INVALID = "invalid"
    EXPIRED = "expired"
    ABORTED = "aborted"


class JobState(_OpenEnum):
    """Where a job stands."""

    SEALING = "sealing"
    HELD = "held"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    ABORTING = "aborting"
    HALTED = "halted"
    COMPLETED = "completed"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in {JobState.COMPLETED, JobState.ABORTED}


class Priority(StrEnum):
    """The class of a job; a higher class goes first."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Result:
    """The final answer for one reference of one job.

    Attributes:
        message: the platform's words, where they are not its usual success text.
        status: the HTTP status of the platform's deciding answer.
        state: the platform's state, where it was read.
        attempts: how many calls named the reference.
        at: when it was written.
        entry: its place in the stream of all results, where it was read from there: a key that never comes twice.
    """

    job: str
    reference: str
    outcome: Outcome
    message: str | None
    status: int | None
    state: str | None
    attempts: int
    at: datetime
    entry: str | None = field(default=None, compare=False)

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """A result of the server's JSON."""
        try:
            return cls(
                job=document["job"],
                reference=document["reference"],
                outcome=Outcome(document["outcome"]),
                message=document["message"],
                status=document["status"],
                state=document["state"],
                attempts=document["attempts"],
                at=datetime.fromisoformat(document["at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TransportError(f"the server's result is not one: {error!r}") from error

    @classmethod
    def of_entry(cls, entry: str, fields: Mapping[str, str]) -> Self:
        """A result of the results stream."""
        try:
            return cls(
                job=fields["job"],
                reference=fields["reference"],
                outcome=Outcome(fields["outcome"]),
                message=fields.get("message") or None,
                status=int(fields["status"]) if fields.get("status") else None,
                state=fields.get("state") or None,
                attempts=int(fields["attempts"]),
                at=datetime.fromtimestamp(int(entry.partition("-")[0]) / 1000, UTC),
                entry=entry,
            )
        except (KeyError, ValueError) as error:
            raise TransportError(f"entry {entry} of the results stream is no result: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Mention:
    """A job that named a reference, and what became of it there.

    Attributes:
        job: its id.
        state: where it stands; None where its record is gone, as are the three that follow.
        outcome: None while the reference has no result.
    """

    job: str
    state: JobState | None
    created_at: datetime | None
    requested_by: str | None
    reason: str | None
    outcome: Outcome | None
    result: Result | None


@dataclass(frozen=True, slots=True)
class Mentions:
    """The jobs that named a reference, newest first.

    Attributes:
        reference: as the server has it.
        complete: whether no job can be missing that the server still knows.
    """

    reference: str
    jobs: tuple[Mention, ...]
    complete: bool

    @classmethod
    def of_pages(cls, pages: Sequence[Mapping[str, Any]]) -> Self:
        """The server's documents, page by page."""
        try:
            return cls(
                reference=pages[0]["reference"],
                jobs=tuple(_mention(row) for page in pages for row in page["jobs"]),
                complete=all(page["complete"] for page in pages),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TransportError(f"the server's answer about a reference is not one: {error!r}") from error


def _mention(row: Mapping[str, Any]) -> Mention:
    return Mention(
        job=row["job"],
        state=None if row["state"] is None else JobState(row["state"]),
        created_at=_time(row["created_at"]),
        requested_by=row["requested_by"],
        reason=row["reason"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        result=None if row["result"] is None else Result.of_document(row["result"]),
    )


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How a job stood when it was last looked at.

    Attributes:
        pending: references that no call has taken.
        in_flight: references that a call has taken.
        outcomes: how many results there are of each.
        retry_of: the job whose references it was made of.
        retried_by: the jobs that were made of its references.
        rate: results a second.
        eta_seconds: how long it will take yet.
        document: all that the server said, also what is not known here.
    """

    state: JobState
    total: int | None = None
    pending: int | None = None
    in_flight: int | None = None
    outcomes: Mapping[Outcome, int] = field(default_factory=dict[Outcome, int])
    duplicates: int | None = None
    invalid: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    rate: float | None = None
    eta_seconds: float | None = None
    account: str | None = None
    priority: str | None = None
    reason: str | None = None
    requested_by: str | None = None
    deadline: datetime | None = None
    start_at: datetime | None = None
    retry_of: str | None = None
    retried_by: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.state.ended

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """The server's document of a job, whole or as it answers a submission."""
        get = document.get
        try:
            return cls(
                state=JobState(document["state"]),
                total=get("total"),
                pending=get("pending"),
                in_flight=get("in_flight"),
                outcomes=_counts(get("outcomes")),
                duplicates=get("duplicates"),
                invalid=get("invalid"),
                created_at=_time(get("created_at")),
                started_at=_time(get("started_at")),
                finished_at=_time(get("finished_at")),
                rate=get("rate"),
                eta_seconds=get("eta_seconds"),
                account=get("account"),
                priority=get("priority"),
                reason=get("reason"),
                requested_by=get("requested_by"),
                deadline=_time(get("deadline")),
                start_at=_time(get("start_at")),
                retry_of=get("retry_of"),
                retried_by=tuple(get("retried_by") or ()),
                document=dict(document),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TransportError(f"the server's document of the job is not one: {error!r}") from error


def _counts(outcomes: Mapping[str, int] | None) -> dict[Outcome, int]:
    return {Outcome(word): count for word, count in (outcomes or {}).items()}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Handed:
    """What is known of a job as soon as it is handed in: its id, or the entry that will become it."""

    id: str | None
    entry: str | None
    document: Mapping[str, Any] | None
    references: int | None = None


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """Some of a job's results, and where the next ones begin; `gone` is how many were trimmed."""

    results: tuple[Result, ...]
    next: str | None
    gone: int = 0
