"""The approval: a job waits until others than who handed it in have looked at it (lua/shared/approvals.lua)."""

from dataclasses import dataclass
from enum import StrEnum

from cancellist.jobs.model import ApprovalRecord, JobRecord
from cancellist.jobs.safety.guard import Finding, unpack_findings


class ApprovalState(StrEnum):
    """What became of it."""

    WAITING = "waiting"
    GIVEN = "given"
    REJECTED = "rejected"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Given:
    """Who approved, and when."""

    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """Who rejected the job, when and why."""

    by: str
    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval that a job needs.

    Attributes:
        wanted: how many persons must approve.
        given: who has.
        lapses_at_ms: until when they may.
        count: the references that would be cancelled; who approves states it.
        digest: of the job's content; what is approved is this and nothing else.
        why: what the job passes of its guards.
        rejection: who rejected it; None where nobody did.
        state: what became of it.
    """

    wanted: int
    given: tuple[Given, ...]
    lapses_at_ms: int | None
    count: int
    digest: str
    why: tuple[Finding, ...]
    rejection: Rejection | None
    state: ApprovalState


def approval_of(record: JobRecord) -> Approval | None:
    """The approval that a job needs or needed; None where it needs none."""
    kept = record.approval
    if kept is None:
        return None
    given = tuple(Given(by, at_ms) for by, at_ms in kept.given)
    rejection = Rejection(kept.rejected_by, kept.rejected_at_ms, kept.reject_reason) if kept.rejected_by else None
    return Approval(
        kept.wanted, given, kept.until_ms, record.total - record.invalid, record.digest or "",
        unpack_findings(kept.why), rejection, _state(record, kept),
    )  # fmt: skip


def _state(record: JobRecord, kept: ApprovalRecord) -> ApprovalState:
    if kept.rejected_by:
        return ApprovalState.REJECTED
    if not kept.lacks:
        return ApprovalState.GIVEN
    return ApprovalState.WAITING if record.waits_for_approval else ApprovalState.LAPSED
