"""The documents of plans, as the API's description has them; jobs/safety/preflight_report.py makes them."""

from typing import Literal

from pydantic import Field

from cancellist.api.schemas import JsonDocument, Time
from cancellist.jobs.model import JobState
from cancellist.jobs.safety.consignment_record import Standing


class PlanCounts(JsonDocument):
    """What the input holds, and what was read; the states are those of the references that were read."""

    references: int = Field(description="distinct references")
    duplicates: int
    invalid: int = Field(description="malformed entries, which are never sent")
    blank: int
    read: int = Field(description="references whose states were read")
    open: int
    already_cancelled: int
    manifested: int
    not_found: int
    unknown: int = Field(description="no state could be read, or it shows nothing")
    near_manifesting: int = Field(description="of the open ones: manifesting comes next, or within an hour")


class PlanPortion(JsonDocument):
    """How many of all references: exact where all were read, else with the interval of 95 % confidence."""

    count: int
    least: int
    most: int
    share: float
    share_least: float
    share_most: float


class PlanPortions(JsonDocument):
    """The same for each kind."""

    open: PlanPortion
    already_cancelled: PlanPortion
    manifested: PlanPortion
    not_found: PlanPortion
    unknown: PlanPortion
    near_manifesting: PlanPortion


class PlanUnread(JsonDocument):
    """Why states are unknown."""

    why: str
    references: int


class PlanOverlapping(JsonDocument):
    """A job that names some of the references, too."""

    job: str
    references: int
    state: JobState | None = Field(description="null where its record is gone")
    created_at: Time | None


class PlanOverlap(JsonDocument):
    """Jobs of the last seven days, and those that go on."""

    references: int = Field(description="how many of those that were compared are in any job")
    compared: int = Field(description="all references, or the sample of more than 100,000")
    complete: bool = Field(description="false where jobs may be missing")
    jobs: list[PlanOverlapping] = Field(description="at most 20, the one with most references first")


class PlanOpen(JsonDocument):
    """All open consignments of the account."""

    count: int | None = Field(description="null where the platform does not say so for sure")
    share: float | None = Field(description="how much of it the job would cancel")
    unknown_because: str | None


class PlanTime(JsonDocument):
    """How long the job will take: an estimate."""

    seconds: float | None
    by: str = Field(description="what the estimate goes by")
    deadline: Time | None
    deadline_met: bool | None


class PlanExample(JsonDocument):
    """Who gets what."""

    reference: str
    standing: Standing
    state: str | None = Field(description="the platform's word")
    near_manifesting: bool
    name: str | None
    town: str | None
    goods: str | None = Field(description="what is sent, as its packages or their items are described")
    shipping_date: str | None


class Plan(JsonDocument):
    """A plan with its report."""

    plan: str = Field(description="its token, by which a job is made: `plan` of `POST /v1/jobs`")
    state: Literal["ready"]
    created_at: Time
    expires_at: Time
    digest: str = Field(description="of the account, the platform and the references, in whatever order they come")
    made_by: str | None
    job: str | None = Field(description="the job that has used it")
    account: str
    platform: str = Field(description="the host")
    environment: Literal["sandbox", "production"]
    counts: PlanCounts
    sampled: bool = Field(description="whether a random sample was read, not all")
    of_all: PlanPortions
    unread: list[PlanUnread]
    overlap: PlanOverlap
    open_consignments: PlanOpen
    time: PlanTime
    warnings: list[str] = Field(description="what to look at before the job is handed in, in words")
    sample: list[PlanExample] = Field(description="at most 20, some of each kind")
    read_at: Time


class WaitingPlan(JsonDocument):
    """A plan whose report is not there yet."""

    plan: str
    state: Literal["waiting"]
    created_at: Time
    expires_at: Time
    account: str
    references: int
