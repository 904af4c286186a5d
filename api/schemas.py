"""The documents of the API, as its description has them; jobs/ledger/documents.py makes them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from cancellist.jobs.model import JobState, Outcome, Priority

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, UTC")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Submitted(_Document):
    """A job that was handed in."""

    job: str = Field(description="its id")
    state: JobState
    total: int = Field(description="references that will get a result, malformed entries among them")
    duplicates: int = Field(description="references that were left out, because they came before")
    invalid: int = Field(description="malformed entries, which are never sent")
    blank: int = Field(description="cells without anything where a reference could have been")


class Breaker(_Document):
    """Why an account calls its platform no more than by a probe now and then."""

    why: str
    since: Time
    next_probe_at: Time


class Job(_Document):
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
    intake_entry: str | None = Field(description="the entry of the intake stream that it came from")
    account_paused: bool
    account_held_until: Time | None
    account_held_because: str | None
    account_breaker: Breaker | None
    account_limit: int | None
    account_calls_per_second: float | None
    account_list_size: int | None
    account_list_refused: int | None
    calls_in_flight: int
    workers: int


class FieldProblem(_Document):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(_Document):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="/problems/CODE, which answers what it means; it stays")
    title: str
    status: int
    detail: str
    hint: str | None = Field(None, description="what to do")
    errors: list[FieldProblem] | None = Field(None, description="the fields that are wrong")
    request_id: str = Field(description="as in the header X-Request-ID, and in the log")


class Alive(_Document):
    """The process is there."""

    status: str


def components() -> dict[str, Any]:
    """The schemas that answers refer to beside those of the routes."""
    _, schemas = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = schemas["$defs"]
    return found
