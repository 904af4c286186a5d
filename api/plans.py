"""Plans: what would come of a job, told before it is handed in. A worker of the account reads the states."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request

from cancellist.api import waiting
from cancellist.api.auth import Submitter
from cancellist.api.common import COMMON
from cancellist.api.context import Context, InContext
from cancellist.api.job_body import PROBLEMS, JobBody, body_of
from cancellist.api.job_request import BodyOptions
from cancellist.api.jobs import check_account
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.plan_schemas import Plan as PlanDocument
from cancellist.api.plan_schemas import WaitingPlan
from cancellist.api.problems import declared
from cancellist.api.submitting import BodyFeed
from cancellist.jobs.errors import CountMismatchError
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.plans import Plan
from cancellist.jobs.ledger.submitting import enqueue
from cancellist.jobs.ledger.submitting.planning import Planning, Taken, Wanted
from cancellist.jobs.ledger.views.plan_views import plan_view, waiting_view

router = APIRouter(prefix="/v1/plans", tags=["plans"])

_TEXT: Final = {"schema": {"type": "string"}}
_HEADERS: Final = {
    "Location": {"description": "the report's address", **_TEXT},
    "Preference-Applied": {"description": "`wait=N`, where it was waited for", **_TEXT},
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": PlanDocument, "description": "the report", "headers": _HEADERS},
    202: {"model": WaitingPlan, "description": "a worker is to read the states", "headers": _HEADERS},
}
_Prefer = Annotated[str | None, Header(description="`wait=N`: answer once the report is there, within N s")]


@router.post("", status_code=202, response_model=None, responses={**declared(*COMMON, *PROBLEMS), **_ANSWERS})
async def make(
    request: Request,
    context: InContext,
    caller: Submitter,
    options: Annotated[BodyOptions, Query()],
    prefer: _Prefer = None,
) -> Any:
    """Plans a job: the body and its options are those of `POST /v1/jobs`, and nothing is handed in.

    The report has a token, by which exactly these references can be handed in, once.
    """
    with context.memory.share() as take:
        body = await body_of(request, context, options, take)
        account = body.said.account
        await check_account(context, account)
        taken = await _take_in(context, body, caller.name)
    keep_s = context.options.of(account).plan_keep_s
    plan = await plans.hand_in(context.ledger, taken.draft, taken.request.packed(), keep_s=keep_s)
    return await _answer(context, plan, prefer)


@router.get("/{plan}", response_model=None, responses={
    **declared(*COMMON, "unknown_plan", "not_found"), **_ANSWERS,
})  # fmt: skip
async def show(plan: str, context: InContext, _: Submitter, prefer: _Prefer = None) -> Any:
    """A plan by its token: its report, once that is there."""
    return await _answer(context, await plans.get(context.ledger, plan), prefer)


async def _take_in(context: Context, body: JobBody, caller: str) -> Taken:
    said, options = body.said, context.options
    own, now_ms = options.of(said.account), await context.ledger.now_ms()
    wanted = Wanted(
        account=said.account,
        host="",  # that of the worker, which will call it
        read_all=own.plan_read_all,
        deadline_ms=enqueue.deadline_ms(said.deadline, None, now_ms) if said.deadline else None,
        made_by=caller,
    )
    hints = said.hints() if isinstance(said, BodyOptions) else BodyOptions().hints()
    feed = BodyFeed(
        body.source,
        hints=hints,
        pattern=own.pattern,
        limit=said.limit(options.max_invalid),
        declared=body.declared,
        most=options.limits.max_rows,
    )
    with feed:
        taken = await Planning(context.ledger, context.references).take_in(feed, wanted)
    if said.expect_count not in {None, taken.draft.count}:
        raise CountMismatchError(said.expect_count or 0, taken.draft.count)
    return taken


async def _answer(context: Context, plan: Plan, prefer: str | None) -> JsonAnswer:
    wait_s = waiting.asked_s(prefer, context.options.limits.max_wait_s)
    headers = {"Location": f"{context.options.proxies.prefix}/v1/plans/{plan.token}", "Cache-Control": "no-store"}
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"

        async def is_ready() -> bool:
            nonlocal plan
            plan = await plans.get(context.ledger, plan.token)
            return plan.ready

        await waiting.until(context, is_ready, wait_s)
    if plan.ready:
        return JsonAnswer(plan_view(plan), 200, headers=headers)
    return JsonAnswer(waiting_view(plan), 202, headers=headers)
