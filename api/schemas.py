"""The documents of the API, as its description has them; jobs/ledger/views/json_views.py makes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cancellist.jobs.model import JobState, Outcome, Priority
from cancellist.jobs.safety.approval import ApprovalState
from cancellist.jobs.safety.failure_stop import HaltCause, HaltPlace
from cancellist.jobs.safety.guard import GuardKind

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, UTC")]


class JsonDocument(BaseModel):
    """What all documents share: they have no other fields."""

    model_config = ConfigDict(extra="forbid")


class Submitted(JsonDocument):
    """A job that was handed in."""

    job: str = Field(description="its id")
    state: JobState
    total: int = Field(description="references that will get a result, malformed entries among them")
    duplicates: int = Field(description="references that were left out, because they came before")
    invalid: int = Field(description="malformed entries, which are never sent")
    blank: int = Field(description="cells without anything where a reference could have been")


class Breaker(JsonDocument):
    """Why an account calls its platform no more than by a probe now and then."""

    why: str
    since: Time
    next_probe_at: Time


class AllStopped(JsonDocument):
    """All accounts are stopped."""

    since: Time
    by: str = Field(description="the caller's name, USER@MACHINE of a command without a token, or STOP_FILE")
    why: str | None


class Stop(JsonDocument):
    """Whether all accounts are stopped."""

    state: Literal["stopped", "running"]
    since: Time | None
    by: str | None
    why: str | None
    calls_in_flight: int = Field(description="over all accounts; they end normally")


class Halt(JsonDocument):
    """Why a job is halted."""

    why: str = Field(description="the same in words")
    counted: HaltCause = Field(description="what its limit counts; host: a worker calls another host than it is for")
    limit: str = Field(description="the limit, a number or a share")
    found: int = Field(description="how many were found")
    results: int = Field(description="among how many results")
    among: HaltPlace = Field(description="the results of the whole job, the last ones only, or those of its canary")
    at: Time


class Canary(JsonDocument):
    """The references of a job that are cancelled and read back before the rest."""

    size: int
    waiting: int = Field(description="the references that wait for it")
    passed_at: Time | None = Field(description="when the rest was let go on")


class GuardFinding(JsonDocument):
    """A bound of a guard that a job passes."""

    guard: GuardKind
    found: float = Field(description="the references that were counted")
    limit: float = Field(description="how many may be; which share in percent; or how many times what is usual")
    of: float = Field(description="the open consignments, the median of a day, or the job's own references; else 0")
    words: str


class Approving(JsonDocument):
    """Who approved, and when."""

    by: str
    at: Time


class Rejected(JsonDocument):
    """Who rejected the job, when and why."""

    by: str
    at: Time
    reason: str


class Approval(JsonDocument):
    """The approval that a job needs or needed."""

    state: ApprovalState
    wanted: int = Field(description="how many persons must approve")
    given: list[Approving]
    count: int = Field(description="the references that would be cancelled; who approves states it")
    digest: str = Field(description="of the content; who approves states it")
    lapses_at: Time | None = Field(description="the job is aborted then")
    why: str = Field(description="what the job passes, in words")
    passes: list[GuardFinding]
    rejected: Rejected | None


class Where(JsonDocument):
    """A host at which a job would be called."""

    host: str
    environment: Literal["sandbox", "production"]


class Effect(JsonDocument):
    """What a job that must be approved would do."""

    job: str
    state: JobState
    account: str
    hosts: list[Where] = Field(description="where it would be called; empty where no worker has run yet")
    count: int = Field(description="the references that would be cancelled; who approves states it")
    digest: str = Field(description="of the content; who approves states it")
    examples: list[str] = Field(description="some of the references that wait for a call: the first ones and the last")
    effect: list[str] = Field(description="the same in words, to be shown to who approves")
    approval: Approval


class Job(JsonDocument):
    """A job as it stands."""

    job: str = Field(description="its id")
    state: JobState
    total: int
    pending: int = Field(description="references that wait")
    in_flight: int = Field(description="references that are being called, or are about to be")
    outcomes: dict[Outcome, int] = Field(description="how many results have each outcome")
    created_at: Time | None
    started_at: Time | None
    finished_at: Time | None
    rate: float | None = Field(description="results a second")
    eta_seconds: float | None = Field(description="seconds until it ends, as far as can be told")
    at_risk: int | None = Field(description="references that will probably not be sent before its deadline")
    duplicates: int
    invalid: int
    account: str
    priority: Priority
    reason: str | None
    requested_by: str | None
    deadline: Time | None
    start_at: Time | None
    idempotency_key: str | None
    hold_until: Time | None = Field(description="until when it can be taken back before it starts")
    submitted_by: str | None = Field(description="who handed it in over HTTP: the name of the token or user")
    intake_entry: str | None = Field(description="the entry of the intake stream that it came from")
    max_refused: list[str] = Field(description="limits of refused references, above which it halts")
    max_unconfirmed: list[str] = Field(description="limits of unconfirmed and failed references, likewise")
    canary: Canary | None = Field(description="the references that go before the rest")
    snapshot: bool = Field(description="the platform's record of each reference is kept before its call")
    halted: Halt | None = Field(description="why it is halted")
    overridden_by: str | None = Field(description="who passed the guards of its account")
    override_reason: str | None = Field(description="why")
    overrode: list[GuardFinding] = Field(description="what was passed")
    approval: Approval | None = Field(description="the approval that it needs or needed")
    retry_of: str | None = Field(description="the job whose references it was made of")
    retried_by: list[str] = Field(description="the jobs that were made of its references")
    all_stopped: AllStopped | None
    account_new_host: str | None = Field(description="a host that nobody has confirmed yet: no call goes there")
    account_paused: bool
    account_keeps_no_records: bool = Field(
        description="whether no worker of the account can keep records: jobs with `snapshot` wait for one that can"
    )
    account_held_until: Time | None
    account_held_because: str | None
    account_breaker: Breaker | None
    account_limit: int | None
    account_calls_per_second: float | None
    account_list_size: int | None
    account_list_refused: int | None
    calls_in_flight: int
    workers: int


class Jobs(JsonDocument):
    """A page of jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(description="the cursor of the page that follows; null where none does")


class Result(JsonDocument):
    """The final answer for one reference of one job."""

    job: str
    reference: str
    outcome: Outcome
    message: str | None = Field(description="the platform's words, where they are not its usual success text")
    status: int | None = Field(description="HTTP status of the deciding answer")
    state: str | None = Field(description="the platform's state, where it was read")
    attempts: int = Field(description="calls that named the reference")
    at: Time


class Results(JsonDocument):
    """A page of results, in the order in which they were written."""

    results: list[Result]
    next: str | None = Field(description="the cursor of what follows, also of what is still to come; null at the end")
    complete: bool = Field(description="the job has ended, and no result follows")
    gone: int = Field(description="how many results of the job were trimmed")


class Mention(JsonDocument):
    """A job that named a reference; what only its record tells is null where the record is gone."""

    job: str
    state: JobState | None
    created_at: Time | None
    requested_by: str | None
    reason: str | None
    outcome: Outcome | None = Field(description="null while the reference has no result")
    result: Result | None


class Gap(JsonDocument):
    """A time in which results may have been written that are not known."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    from_: Time | None = Field(alias="from", description="null: since ever")
    to: Time


class References(JsonDocument):
    """The jobs that named a reference, newest first."""

    reference: str
    jobs: list[Mention]
    next: str | None = Field(description="the cursor of the page that follows; null where none does")
    complete: bool = Field(description="no job is missing that is still known")
    gap: Gap | None
    unsearched: list[str] = Field(description="jobs under way that could not be looked through")


class FieldProblem(JsonDocument):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(JsonDocument):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="/problems/CODE, which answers what it means; it stays")
    title: str
    status: int
    detail: str
    hint: str | None = Field(None, description="what to do")
    errors: list[FieldProblem] | None = Field(None, description="the fields that are wrong")
    request_id: str = Field(description="as in the header X-Request-ID, and in the log")


class Alive(JsonDocument):
    """The process is there."""

    status: str
