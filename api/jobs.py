"""Jobs: handing one in, how it stands, and stopping it or letting it go on."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from cancellist.api import cursors, submitting, waiting
from cancellist.api.auth import Caller, Operator, OperatorOrSubmitter, Reader, Submitter, check_override
from cancellist.api.common import COMMON, job_id
from cancellist.api.context import Context, InContext
from cancellist.api.job_body import PROBLEMS, body_of
from cancellist.api.job_request import BodyOptions, checked_key
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.pages import JobsQuery
from cancellist.api.problems import ProblemError, declared, invalid
from cancellist.api.schemas import Job, Jobs, Submitted
from cancellist.jobs.access import Access
from cancellist.jobs.errors import InputError, LedgerError, UnknownJobError
from cancellist.jobs.ledger import accounts, control, drains, job_pages, records, snapshots
from cancellist.jobs.ledger.submitting.enqueue import Submitted as Handed
from cancellist.jobs.ledger.views import json_views
from cancellist.jobs.model import JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_OF_A_BODY: Final = (
    *PROBLEMS, "idempotency_in_progress", "idempotency_conflict", "guard_refused", "new_host", "stale_plan",
)  # fmt: skip
_LOCATION: Final = {"description": "the job's address", "schema": {"type": "string"}}
_APPLIED: Final = {"description": "`wait=N`, where it was waited for", "schema": {"type": "string"}}
_REPLAYED: Final = {"description": "`true`, where the key named the job before", "schema": {"type": "string"}}
_NOTE: Final = "Cancellist-Note"
_NOTED: Final = {
    "description": "how the body was read, if there is more to know; repeated",
    "schema": {"type": "string"},
}
_WITH_A_JOB: Final = {
    "Location": _LOCATION, "Preference-Applied": _APPLIED, "Idempotent-Replayed": _REPLAYED, _NOTE: _NOTED,
}  # fmt: skip
HANDED_IN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Job, "description": "it has ended, and was waited for", "headers": _WITH_A_JOB},
    202: {
        "model": Submitted | Job,
        "description": "it is handed in; where it was waited for in vain, the job as it stands",
        "headers": _WITH_A_JOB,
    },
}
IfNoneMatch = Annotated[str | None, Header(description="an ETag: 304 where it is still that")]
TAG: Final = {"ETag": {"description": "changes with the document", "schema": {"type": "string"}}}


@router.post("", status_code=202, response_model=None, responses={**declared(*COMMON, *_OF_A_BODY), **HANDED_IN})
async def hand_in(
    request: Request,
    context: InContext,
    caller: Submitter,
    options: Annotated[BodyOptions, Query()],
    idempotency_key: Annotated[str | None, Header(description="the same key with the same content is one job")] = None,
    prefer: Annotated[str | None, Header(description="`wait=N`: answer once the job has ended, within N s")] = None,
) -> Any:
    """Hands in references to be cancelled, as one job.

    The body is a JSON object with `references` and the options, or an array, CSV, JSON lines or one reference a line,
    of any length, with the options as parameters; plain or gzip. Nothing is handed in before it has ended well.
    """
    key = checked_key(idempotency_key)
    with context.memory.share() as take:
        handed_in = await _hand_in(request, context, caller, options, key, take)
    return await answer(context, handed_in, waiting.asked_s(prefer, context.options.limits.max_wait_s))


async def _hand_in(
    request: Request,
    context: Context,
    caller: Caller,
    options: BodyOptions,
    key: str | None,
    take: Callable[[int], None],
) -> submitting.HandedIn:
    body = await body_of(request, context, options, take)
    check_override(caller, body.said.override)
    wanted = body.said.wanted(caller.name, key)
    await check_account(context, wanted.account)
    limit = body.said.limit(context.options.max_invalid)
    return await submitting.submit(
        context, wanted, body.source, hints=options.hints(), limit=limit, declared=body.declared
    )


async def check_account(context: Context, account: str) -> None:
    """Refuses an account that is neither configured here nor served by a worker.

    Raises:
        ProblemError: it is one.
    """
    try:
        await accounts.check(context.ledger, account, context.options.accounts)
    except InputError as error:
        raise invalid("account", error.message) from None


async def answer(context: Context, handed_in: submitting.HandedIn, wait_s: int | None) -> Response:
    """What is answered once a job is handed in; it is, whatever goes wrong from here on."""
    found = await _document(context, handed_in.submitted, wait_s)
    for note in handed_in.notes:
        found.headers.append(_NOTE, note.encode("ascii", "backslashreplace").decode())
    return found


async def _document(context: Context, submitted: Handed, wait_s: int | None) -> JsonAnswer:
    headers = {"Location": f"{context.options.proxies.prefix}/v1/jobs/{submitted.job}"}
    if submitted.same:
        headers["Idempotent-Replayed"] = "true"
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
        try:
            ended = await waiting.until_ended(context, submitted.job, wait_s)
            document = json_views.job_view(await snapshots.look(context.ledger, submitted.job))
        except LedgerError:
            pass
        else:
            return JsonAnswer(document, 200 if ended else 202, headers=headers)
    return JsonAnswer(submitted.document(), 202, headers=headers)


@router.get("", response_model=Jobs, responses={
    **declared(*COMMON, "validation"),
    200: {"headers": TAG},
    304: {"description": "it is as it was", "headers": TAG},
})  # fmt: skip
async def listing(
    context: InContext, _: Reader, query: Annotated[JobsQuery, Query()], if_none_match: IfNoneMatch = None
) -> Any:
    """Jobs, newest first."""
    page = await job_pages.page(context.ledger, query.filter(), before=cursors.to_jobs(query.cursor), limit=query.limit)
    seen = await snapshots.look_at(context.ledger, page.records)
    following = cursors.of_jobs(page.next) if page.next else None
    found = JsonAnswer({"jobs": [json_views.job_view(one) for one in seen], "next": following})
    return _unless_known(_tagged(found), if_none_match)


@router.get("/{job}", response_model=Job, responses={
    **declared(*COMMON, "unknown_job", "not_found"),
    200: {"headers": TAG},
    304: {"description": "it is as it was", "headers": TAG},
})  # fmt: skip
async def show(
    job: str,
    context: InContext,
    _: Reader,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """One job as it stands."""
    return _unless_known(await shown(context, job_id(job)), if_none_match)


def _tagged(found: JsonAnswer, before: str = "") -> JsonAnswer:
    """A document with its strong ETag, which begins with `before`."""
    tag = f'"{before}{hashlib.sha256(found.body).hexdigest()[:32]}"'
    found.headers.update({"ETag": tag, "Cache-Control": "private, no-cache"})
    return found


def _unless_known(found: JsonAnswer, if_none_match: str | None) -> Response:
    """The document, or 304 where the caller has it."""
    if not _matches(if_none_match, found.headers["etag"]):
        return found
    headers = {name: found.headers[name] for name in ("etag", "cache-control")}
    return Response(status_code=304, headers=headers)


def _matches(given: str | None, tag: str) -> bool:
    words = [word.strip().removeprefix("W/") for word in (given or "").split(",")]
    return "*" in words or tag in words


_OF_CONTROL: Final[dict[int | str, dict[str, Any]]] = {
    **declared(*COMMON, "unknown_job", "not_found", "job_state"),
    200: {"headers": TAG},
}


@router.post("/{job}/pause", response_model=Job, responses=_OF_CONTROL)
async def pause(job: str, context: InContext, _: Operator) -> Any:
    """Pauses a job: nothing of it is called any more. What is in flight ends as it ends."""
    await control.pause_job(context.ledger, job_id(job))
    return await shown(context, job_id(job))


@router.post("/{job}/resume", response_model=Job, responses=_OF_CONTROL)
async def resume(job: str, context: InContext, _: Operator) -> Any:
    """Lets a paused or halted job go on."""
    return await _go_on(context, job_id(job), control.resume_job)


@router.post("/{job}/continue", response_model=Job, responses=_OF_CONTROL)
async def continue_(job: str, context: InContext, _: Operator) -> Any:
    """Lets a halted job go on: its limits of refused and unconfirmed references count from here on."""
    return await _go_on(context, job_id(job), control.continue_job)


async def _go_on(context: Context, job: str, let: control.LettingGoOn) -> Any:
    """Lets a job go on, and has workers woken for it."""
    account = (await records.get(context.ledger, job)).order.account
    _, names = await let(context.ledger, job, context.options.of(account).configured.max_references_per_call)
    await drains.schedule(context.ledger, account, names)
    return await shown(context, job)


@router.post("/{job}/abort", response_model=Job, responses=_OF_CONTROL)
async def abort(job: str, context: InContext, caller: OperatorOrSubmitter) -> Any:
    """Aborts a job: what was never sent is `aborted` at once, what is in flight ends as it ends.

    Who may only submit can take back a job of their own while it is held.
    """
    if Access.OPERATE not in caller.roles:
        await _check_own(context, job_id(job), caller)
    await control.abort_job(context.ledger, job_id(job))
    return await shown(context, job_id(job))


async def _check_own(context: Context, job: str, caller: Caller) -> None:
    """Lets only who handed in a job pass, and only while it is held.

    Raises:
        UnknownJobError: there is none of that id.
        ProblemError: it is another's, or no longer held.
    """
    record = await records.get(context.ledger, job)
    if record.order.submitted_by != caller.name or record.state is not JobState.HELD:
        raise ProblemError(
            "forbidden", f"{caller.name} lacks the role operate: it may take back its own jobs, and only held ones"
        )


async def shown(context: Context, job: str) -> JsonAnswer:
    """The document of a job. Its ETag begins with the job's revision, by which `If-Match` is judged.

    Raises:
        UnknownJobError: there is none of that id, or it is still on its way.
    """
    seen = await snapshots.look(context.ledger, job)
    if seen.record.state is JobState.SEALING:
        raise UnknownJobError(job)
    return _tagged(JsonAnswer(json_views.job_view(seen)), f"{seen.record.revision}-")
