"""Approvals: others than who handed a job in let it start, or reject it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cancellist.api.auth import Approver
from cancellist.api.common import COMMON, job_id
from cancellist.api.context import Context, InContext
from cancellist.api.job_request import filled
from cancellist.api.jobs import TAG, shown
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.json_object import parse_object
from cancellist.api.problems import declared
from cancellist.api.request_body import json_body
from cancellist.api.schemas import Effect, Job
from cancellist.jobs.errors import JobStateError
from cancellist.jobs.ledger import approvals, drains, records, snapshots
from cancellist.jobs.ledger.views import json_views
from cancellist.jobs.safety.approval import approval_of

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_OF_A_BODY: Final = ("request_timeout", "body_too_large", "unsupported_media_type", "input", "validation")
_OF_ONE: Final = (*COMMON, "unknown_job", "not_found", "job_state")


class Approve(BaseModel):
    """What who approves has seen: `approval` in the job's document has both."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=0, le=1_000_000_000, description="the references that would be cancelled")
    digest: str = Field(max_length=100, description="the digest of the job's content")


class Reject(BaseModel):
    """Why a job is rejected."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, AfterValidator(filled)] = Field(max_length=500, description="kept with the job")


@router.get("/{job}/approval", response_model=Effect, responses=declared(*_OF_ONE))
async def effect(job: str, context: InContext, _: Approver) -> Any:
    """Shows what a job would do that must be approved: in words, how many references and some of them, and where.

    A page that has a person approve it shows `effect`, and asks for the count to be typed.
    """
    found = job_id(job)
    seen = await snapshots.look(context.ledger, found)
    approval = approval_of(seen.record)
    if approval is None:
        raise JobStateError(found, seen.record.state, "approved: it needs no approval")
    examples = await approvals.examples(context.ledger, found)
    return JsonAnswer(json_views.effect_view(seen, approval, examples))


@router.post("/{job}/approve", response_model=Job, responses={
    **declared(*_OF_ONE, *_OF_A_BODY, "approval_mismatch"), 200: {"headers": TAG},
})  # fmt: skip
async def approve(job: str, request: Request, context: InContext, caller: Approver) -> Any:
    """Approves a job that waits for it, and that another handed in. Once it has all approvals it goes on.

    Who approves states how many references would be cancelled, and the digest of the content.
    """
    seen = parse_object(await json_body(request, context.options.limits), Approve)
    found = job_id(job)
    names = await approvals.approve(
        context.ledger, found, caller.name, count=seen.count, digest=seen.digest,
        per_call=await _per_call(context, found),
    )  # fmt: skip
    return await _scheduled(context, found, names)


@router.delete("/{job}/approve", response_model=Job, responses={**declared(*_OF_ONE), 200: {"headers": TAG}})
async def take_back(job: str, context: InContext, caller: Approver) -> Any:
    """Takes the caller's own approval back, as long as the job has not started."""
    found = job_id(job)
    names = await approvals.take_back(context.ledger, found, caller.name, await _per_call(context, found))
    return await _scheduled(context, found, names)


@router.post("/{job}/reject", response_model=Job, responses={
    **declared(*_OF_ONE, *_OF_A_BODY), 200: {"headers": TAG},
})  # fmt: skip
async def reject(job: str, request: Request, context: InContext, caller: Approver) -> Any:
    """Rejects a job that waits for approval, or has it and has not started: it is aborted."""
    why = parse_object(await json_body(request, context.options.limits), Reject)
    await approvals.reject(context.ledger, job_id(job), caller.name, why.reason)
    return await shown(context, job_id(job))


async def _per_call(context: Context, job: str) -> int:
    account = (await records.get(context.ledger, job)).order.account
    return context.options.of(account).configured.max_references_per_call


async def _scheduled(context: Context, job: str, names: list[str]) -> Any:
    await drains.schedule(context.ledger, (await records.get(context.ledger, job)).order.account, names)
    return await shown(context, job)
