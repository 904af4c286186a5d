"""What a cancellation job is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_ACCOUNT = "default"


class Outcome(StrEnum):
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


DONE = frozenset({Outcome.CANCELLED, Outcome.ALREADY_CANCELLED})
REFUSED = frozenset({Outcome.MANIFESTED, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.INVALID})
UNFINISHED = frozenset({Outcome.FAILED, Outcome.UNCONFIRMED, Outcome.EXPIRED, Outcome.ABORTED})


@dataclass(frozen=True, slots=True)
class ResultSample:
    """How many results there were at a time, the sum of the times at which they came, and how many were in calls.

    `calls` is how many calls had brought them; 0 where that was not counted.
    """

    at_ms: int
    count: int
    sum_ms: int
    in_calls: int = 0
    calls: int = 0


class BreakerCause(StrEnum):
    """Why a breaker opened."""

    DENIED = "denied"
    """The key or the address is wrong: a person has to mend it."""
    OUTAGE = "outage"
    """The platform is away."""


class Priority(StrEnum):
    """The class of a job; a higher class goes first."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """0 goes first."""
        return list(Priority).index(self)


class JobState(StrEnum):
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


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a producer asks for, apart from the references. Times are Unix milliseconds."""

    account: str = DEFAULT_ACCOUNT
    reason: str | None = None
    requested_by: str | None = None
    priority: Priority = Priority.NORMAL
    deadline_ms: int | None = None
    start_at_ms: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """References of one job with one history.

    Attributes:
        references: upper case, each once.
        attempts: calls that named them and ended unclear or in error.
        named: calls that named them.
        unclear_until_ms: 0, or until when (server's clock) a call that named them may still act; other than 0 means
            that one may have cancelled them.
        reads: tries to read their state, in this round of reading.
        refusal_status: HTTP status of the refusal that is being explained.
        refusal_words: and the platform's words.
        unanswered: calls in a row that burnt no attempt: what came was no answer of the platform, or about the caller.
        alone: of those, how many came while others did well.
        reads_alone: reads in a row that were refused for the caller's sake while others did well.
        called_ms: when the last call that named them ended (server's clock); 0 where that is not known.
        deallocated: whether they were deallocated for this job, or may have been.
    """

    references: tuple[str, ...]
    attempts: int = 0
    named: int = 0
    unclear_until_ms: int = 0
    reads: int = 0
    refusal_status: int | None = None
    refusal_words: str | None = None
    unanswered: int = 0
    alone: int = 0
    reads_alone: int = 0
    called_ms: int = 0
    deallocated: bool = False

    @property
    def maybe_sent(self) -> bool:
        """Whether a call of this job may have cancelled them."""
        return self.unclear_until_ms != 0

    @property
    def in_trouble(self) -> bool:
        """Whether the call before was not answered: then an empty success may be no answer either."""
        return self.unanswered > 0


@dataclass(frozen=True, slots=True)
class Result:
    """The final answer for one reference of one job; `at_ms` is Unix milliseconds."""

    job: str
    reference: str
    outcome: Outcome
    status: int | None
    attempts: int
    message: str | None
    state: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the ledger has it. Times are Unix milliseconds, but for those of samples (jobs/progress/eta.py).

    Attributes:
        intake_entry: the entry that it came from.
        samples: how far it was when, oldest first.
        idle_ms: for how long since its start its clock has stood.
        paused_at_ms: when it was paused, where it is.
    """

    id: str
    order: JobRequest
    state: JobState
    total: int
    duplicates: int
    invalid: int
    pending: int
    in_flight: int
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    created_at_ms: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    samples: tuple[ResultSample, ...] = ()
    idle_ms: int = 0
    paused_at_ms: int | None = None
    intake_entry: str | None = None

    @property
    def last_at_ms(self) -> int:
        """When its last result came, on its clock; 0 where none has."""
        return self.samples[-1].at_ms if self.samples else 0

    @property
    def settled(self) -> int:
        """References that have their result."""
        return sum(self.outcomes.values())
