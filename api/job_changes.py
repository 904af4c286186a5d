"""What becomes of a job once it is handed in: other priority or deadline, and another try."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request

from cancellist.api import waiting
from cancellist.api.auth import Operator, check_override
from cancellist.api.common import COMMON, job_id
from cancellist.api.context import InContext
from cancellist.api.job_request import JobChange, RetryQuery
from cancellist.api.jobs import HANDED_IN, TAG, answer, check_account, shown
from cancellist.api.json_object import parse_object
from cancellist.api.problems import ProblemError, declared, invalid
from cancellist.api.request_body import Body, is_packed
from cancellist.api.schemas import Job
from cancellist.api.submitting import HandedIn
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import changes, hosts, records
from cancellist.jobs.ledger.submitting import retry, uploads

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MERGE_PATCH: Final = "application/merge-patch+json"
_TYPES: Final = ("application/json", MERGE_PATCH)
_OF_UPDATE: Final = (
    "unknown_job", "not_found", "job_state", "job_changed", "request_timeout", "body_too_large",
    "unsupported_media_type", "input", "validation",
)  # fmt: skip
_OF_RETRY: Final = (
    "unknown_job", "not_found", "job_state", "idempotency_in_progress", "results_gone", "input", "no_references",
    "retried_before", "guard_refused", "new_host", "validation", "server_full",
)  # fmt: skip
_REVISION: Final = re.compile(r'"(\d{1,9})-[0-9a-f]{32}"', re.ASCII)


@router.patch(
    "/{job}", response_model=Job, responses={**declared(*COMMON, *_OF_UPDATE), 200: {"headers": TAG}}
)  # fmt: skip
async def update(
    job: str,
    request: Request,
    context: InContext,
    _: Operator,
    if_match: Annotated[
        str | None, Header(description="an ETag of the job: 412 where its priority or deadline was changed since")
    ] = None,
) -> Any:
    """Changes the priority or the deadline of a job that has not ended.

    What waits takes its new place at once. Calls that have started end as they end.
    """
    body = Body(request.receive, packed=is_packed(request), limits=context.options.limits)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _TYPES:
        said = f"the body is said to be {media_type}" if media_type else "nothing says what the body is"
        raise ProblemError("unsupported_media_type", said, hint=f"send Content-Type: {' or '.join(_TYPES)}")
    change = parse_object(await body.whole(context.options.limits.max_json), JobChange).change()
    record = await records.get(context.ledger, job_id(job))
    await changes.update(context.ledger, record.id, change, revision=_revision(if_match, record.revision))
    return await shown(context, record.id)


def _revision(if_match: str | None, present: int) -> int | None:
    """The revision that a job must have: the present one where one of the ETags has it; None for any."""
    if if_match is None or if_match.strip() == "*":
        return None
    known = {int(found[1]) for word in if_match.split(",") if (found := _REVISION.fullmatch(word.strip()))}
    return present if present in known else -1


@router.post(
    "/{job}/retry",
    status_code=202,
    response_model=None,
    responses={**declared(*COMMON, *_OF_RETRY), **HANDED_IN},
)
async def again(
    job: str,
    context: InContext,
    caller: Operator,
    query: Annotated[RetryQuery, Query()],
    prefer: Annotated[str | None, Header(description="`wait=N`: answer once the job has ended, within N s")] = None,
) -> Any:
    """Makes a new job of those references of an ended one that have these outcomes.

    Both jobs name each other. The same references are handed in again once: a second request answers the same job.
    """
    try:
        outcomes = retry.chosen(query.outcomes)
    except InputError as error:
        raise invalid("outcome", error.message) from None
    check_override(caller, query.override)
    planned = await retry.plan(context.ledger, job_id(job), outcomes, query.asked(caller.name))
    account = planned.record.order.account
    await check_account(context, account)
    submitted = await retry.made_before(context.ledger, planned)
    if submitted is None:
        own = context.options.of(account)
        await hosts.check(context.ledger, account, planned.asked.host, caller.name)
        async with uploads.under_way(context.ledger, account, planned.key) as upload:
            submitted = await retry.make(
                context.ledger,
                planned,
                own.safeguards,
                idempotency_keep_s=context.options.idempotency_keep_s,
                per_call=own.configured.max_references_per_call,
                on_page=upload.renew if upload else None,
            )
    return await answer(context, HandedIn(submitted, ()), waiting.asked_s(prefer, context.options.limits.max_wait_s))
