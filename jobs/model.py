"""The words of a cancellation job: outcomes, states, requests, records and results."""

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


OUTCOME_MEANINGS: Mapping[Outcome, str] = {
    Outcome.CANCELLED: (
        "the platform confirmed a call of this job, or its state was read back as Cancelled after a call of "
        "this job that may have acted"
    ),
    Outcome.ALREADY_CANCELLED: "its state was read as Cancelled, and no call of this job can have done it",
    Outcome.MANIFESTED: "a call of this job was refused, and it was then read as manifested or past that",
    Outcome.NOT_FOUND: "refused by a call of this job: the platform does not know it",
    Outcome.REJECTED: "refused for another reason; message has the platform's words, state the state that was read",
    Outcome.UNCONFIRMED: (
        "a call may have cancelled it, or was refused, and its state could not be read back within the "
        "attempts allowed, or does not show whether it was cancelled"
    ),
    Outcome.FAILED: "given up: the platform never took it",
    Outcome.INVALID: "not a reference by the accepted pattern; never sent",
    Outcome.EXPIRED: "its job's deadline passed before a call took it: never sent, or read back as still open",
    Outcome.ABORTED: "its job was aborted before a call took it: never sent, or read back as still open",
}
"""What each outcome says of its reference."""
DONE = frozenset({Outcome.CANCELLED, Outcome.ALREADY_CANCELLED})
REFUSED = frozenset({Outcome.MANIFESTED, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.INVALID})
UNFINISHED = frozenset({Outcome.FAILED, Outcome.UNCONFIRMED, Outcome.EXPIRED, Outcome.ABORTED})


@dataclass(frozen=True, slots=True)
class ResultSample:
    """The number of results at one time, the sum of the times at which they came, and the references then in calls.

    `calls` is the number of calls that brought the results; 0 where it was not counted.
    """

    at_ms: int
    count: int
    sum_ms: int
    in_calls: int = 0
    calls: int = 0


class BreakerCause(StrEnum):
    """Why a breaker opened."""

    DENIED = "denied"
    """The key or the address is wrong. Only a person can fix it."""
    OUTAGE = "outage"
    """The platform does not answer."""


class Priority(StrEnum):
    """The priority class of a job; a higher class goes first."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """The place of the class in the order; 0 goes first."""
        return list(Priority).index(self)


class JobState(StrEnum):
    """The state of a job. ARCHITECTURE.md has the diagram."""

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
        """Whether the state is final."""
        return self in {JobState.COMPLETED, JobState.ABORTED}


LISTED = tuple(state for state in JobState if state is not JobState.SEALING)
"""States of jobs that can be seen."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A producer's request without its references. Times are Unix milliseconds.

    Attributes:
        retry_of: the job whose references are handed in again.
    """

    account: str = DEFAULT_ACCOUNT
    reason: str | None = None
    requested_by: str | None = None
    priority: Priority = Priority.NORMAL
    deadline_ms: int | None = None
    start_at_ms: int | None = None
    idempotency_key: str | None = None
    hold_ms: int = 0
    """For how long it waits before it starts, so that it can be taken back."""
    submitted_by: str | None = None
    """Who handed it in, as the HTTP API knows them; `requested_by` is only what they say."""
    max_refused: str | None = None
    """The limit of refused references above which the job halts, such as `50` or `2.5%`."""
    max_unconfirmed: str | None = None
    """The same of unconfirmed ones."""
    canary: int = 0
    """How many references are cancelled and read back before the rest."""
    snapshot: bool = False
    """Whether the platform's record of each reference is kept before its call (worker/snapshots)."""
    retry_of: str | None = None
    overridden_by: str | None = None
    """Who passed the guards of its account, where somebody did; `override_reason` has why."""
    override_reason: str | None = None
    plan: str | None = field(default=None, repr=False)
    """The token of the plan that it is to follow: it is made only of the very references that were planned."""
    expect_count: int | None = None
    """How many references there must be, each counted once, without malformed entries."""
    host: str | None = None
    """The platform's host that was named as it was handed in: it is called at no other one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """References of one job that have the same history.

    Attributes:
        references: upper case, each once.
        attempts: calls that named them, ended unclear or in error, and count against the limit.
        named: all calls that named them.
        unclear_until_ms: until when (server's clock) a call that named them may still act. 0 means that no call can
            have cancelled them; any other value means that one may have.
        reads: tries to read their state in this round of reading.
        refusal_status: HTTP status of the refusal that a read is to explain.
        refusal_words: the platform's text of that refusal.
        unanswered: calls in a row that burnt no attempt, because the platform did not answer or the answer was about
            the caller.
        alone: how many of these failed although other references succeeded in between.
        reads_alone: reads in a row that were refused because of the caller although other reads succeeded in between.
        called_ms: when the last call that named them ended (server's clock); 0 where it is not known.
        deallocated: whether this job deallocated them, or may have.
        read_back: whether a read is to show also a success (jobs/safety/canary.py).
        confirmed: whether the platform confirmed that they are cancelled, and a read is to show it.
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
    read_back: bool = False
    confirmed: bool = False

    @property
    def maybe_sent(self) -> bool:
        """Whether a call of this job may have cancelled them."""
        return self.unclear_until_ms != 0

    @property
    def in_trouble(self) -> bool:
        """Whether the last call was not answered. An empty success is then not trusted either."""
        return self.unanswered > 0


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one reference of one job; `at_ms` is Unix milliseconds."""

    job: str
    reference: str
    outcome: Outcome
    status: int | None
    attempts: int
    message: str | None
    state: str | None
    at_ms: int


MOST_IN_CANARY = 1000
"""References of a canary at most."""


@dataclass(frozen=True, slots=True)
class Canary:
    """The canary of one job (jobs/safety/canary.py).

    Attributes:
        size: how many references it has, or is to have before they are drawn.
        waiting: the references that wait for it.
        passed_at_ms: when the rest was let go on, by the server's clock; None where it was not.
    """

    size: int
    waiting: int = 0
    passed_at_ms: int | None = None

    @property
    def under_way(self) -> bool:
        """Whether the rest waits for it."""
        return self.waiting > 0


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """The approval of a job as the ledger holds it (lua/shared/approvals.lua).

    Attributes:
        wanted: how many persons must approve.
        given: who has, and when.
        why: what the job passes of its guards, packed (jobs/safety/guard.py).
        until_ms: until when they may.
        rejected_by: who rejected the job, empty where nobody did; when and why.
    """

    wanted: int
    given: tuple[tuple[str, int], ...] = ()
    why: str = ""
    until_ms: int | None = None
    rejected_by: str = ""
    rejected_at_ms: int = 0
    reject_reason: str = ""

    @property
    def lacks(self) -> bool:
        """Whether more must approve."""
        return len(self.given) < self.wanted


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the ledger holds it. Times are Unix milliseconds; those of samples are on the job's clock.

    Attributes:
        intake_entry: the intake entry that made it.
        samples: its progress over time, oldest first.
        idle_ms: how long its clock has stood still since the start.
        paused_at_ms: when it was paused or halted; None unless it stands still now.
        hold_until_ms: when its hold ends or has ended; None where it has none.
        stop: the limits of its failure stop, its account's among them, packed (jobs/safety/failure_stop.py).
        halted_at_ms: when it halted; None unless it is halted now.
        halted_why: why it halted, packed (jobs/safety/failure_stop.py); None likewise.
        canary: the references that go before the rest; None where it has none.
        retried_by: the jobs that were made of its references, oldest first.
        revision: how often its priority or deadline was changed.
        digest: of its content; None in records of older versions.
        approval: the approval that it needs or needed; None where it needs none.
        uncalled: those of `pending` that are ready for a call, or wait for the canary.
        overrode: what an override passed of its guards, packed (jobs/safety/guard.py).
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
    hold_until_ms: int | None = None
    stop: str = ""
    halted_at_ms: int | None = None
    halted_why: str | None = None
    canary: Canary | None = None
    retried_by: tuple[str, ...] = ()
    revision: int = 0
    digest: str | None = None
    approval: ApprovalRecord | None = None
    overrode: str = ""
    uncalled: int = 0

    @property
    def waits_for_approval(self) -> bool:
        """Whether it waits until others approve it."""
        waiting = self.state in {JobState.HELD, JobState.PAUSED}
        return waiting and self.approval is not None and self.approval.lacks

    @property
    def starts_at_ms(self) -> int:
        """Until when it is held; 0 where it is not."""
        return max(self.order.start_at_ms or 0, self.hold_until_ms or 0)

    @property
    def last_at_ms(self) -> int:
        """When its last result came, on the job's clock; 0 where none has come."""
        return self.samples[-1].at_ms if self.samples else 0

    @property
    def settled(self) -> int:
        """The number of references that have their result."""
        return sum(self.outcomes.values())
