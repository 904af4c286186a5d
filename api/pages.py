"""What a page may be asked for."""

import time
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cancellist.jobs.ledger.audit import AuditFilter
from cancellist.jobs.ledger.job_pages import JobFilter
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.times import parse_since_ms

_JOBS: Final = (50, 500)
_RESULTS: Final = (1000, 10_000)
_MENTIONS: Final = (100, 1000)
_ACTS: Final = (100, 1000)
"""How many a page holds, unless it is said otherwise, and at most."""


def words(kind: type[JobState] | type[Outcome]) -> BeforeValidator:
    """Words of a closed set with commas between them."""

    def read(value: Any) -> Any:
        found = [word.strip().lower() for word in str(value).split(",")]
        for word in found:
            if word not in set(kind):
                raise ValueError(f"{word[:20]!r} is not one of {', '.join(kind)}")
        return ",".join(found)

    return BeforeValidator(read)


def _instant(value: str) -> str:
    parse_since_ms(value, now_ms=time.time_ns() // 1_000_000)
    return value


_Cursor = Annotated[str | None, Field(max_length=100, description="`next` of the page before; without: the first")]


class JobsQuery(BaseModel):
    """Which jobs are listed."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, words(JobState)] | None = Field(None, description="one or several, with commas between")
    account: str | None = Field(None, max_length=100, description="of this account")
    requested_by: str | None = Field(None, max_length=500, description="wanted by this person or system")
    since: Annotated[str, AfterValidator(_instant)] | None = Field(
        None, max_length=100, description="made then or later: RFC 3339 with an offset, or a span back such as 2h"
    )
    limit: int = Field(_JOBS[0], ge=1, le=_JOBS[1])
    cursor: _Cursor = None

    def filter(self) -> JobFilter:
        """The same, as the ledger takes it."""
        states = frozenset(map(JobState, self.state.split(","))) if self.state else frozenset()
        since_ms = parse_since_ms(self.since, now_ms=time.time_ns() // 1_000_000) if self.since else None
        return JobFilter(states, self.account, self.requested_by, since_ms)


class ResultsQuery(BaseModel):
    """Which results are given."""

    model_config = ConfigDict(extra="forbid")

    outcome: Annotated[str, words(Outcome)] | None = Field(None, description="one or several, with commas between")
    limit: int = Field(_RESULTS[0], ge=1, le=_RESULTS[1], description="of a JSON page")
    cursor: _Cursor = None

    @property
    def outcomes(self) -> frozenset[Outcome]:
        """Those that are wanted; empty for all."""
        return frozenset(map(Outcome, self.outcome.split(","))) if self.outcome else frozenset()


class AuditQuery(BaseModel):
    """Which entries of the audit log are given."""

    model_config = ConfigDict(extra="forbid")

    job: str | None = Field(None, max_length=12, description="of this job")
    account: str | None = Field(None, max_length=100, description="of this account")
    since: Annotated[str, AfterValidator(_instant)] | None = Field(
        None, max_length=100, description="made then or later: RFC 3339 with an offset, or a span back such as 2h"
    )
    limit: int = Field(_ACTS[0], ge=1, le=_ACTS[1])
    cursor: _Cursor = None

    def wanted(self) -> AuditFilter:
        """The same, as the ledger takes it."""
        since_ms = parse_since_ms(self.since, now_ms=time.time_ns() // 1_000_000) if self.since else None
        return AuditFilter(self.job.lower() if self.job else None, self.account, since_ms)


class ReferencesQuery(BaseModel):
    """Which jobs that named a reference are given."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(_MENTIONS[0], ge=1, le=_MENTIONS[1])
    cursor: _Cursor = None
