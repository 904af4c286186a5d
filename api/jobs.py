"""Jobs: handing one in, and how it stands."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request

from cancellist.api import submitting
from cancellist.api.auth import Reader, Submitter
from cancellist.api.context import Context, InContext
from cancellist.api.job_request import BodyOptions, JobOptions, parse_order
from cancellist.api.json_answer import Document
from cancellist.api.problems import declared, invalid
from cancellist.api.request_body import Body, Declared, declared_of, is_packed
from cancellist.api.schemas import Job, Submitted
from cancellist.jobs.errors import UnknownJobError
from cancellist.jobs.ledger import accounts, documents, snapshots
from cancellist.jobs.ledger.input_feed import Input
from cancellist.jobs.ledger.snapshots import Snapshot

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_ID: Final = re.compile(r"[0-9A-Za-z]{1,12}", re.ASCII)
_OBJECT: Final = b"{"
COMMON: Final = (
    "unauthorized", "forbidden", "too_many_requests", "too_many_connections", "internal", "server",
    "server_unavailable", "server_refused", "server_unfit",
)  # fmt: skip
"""What any route that asks the ledger for a known caller may answer."""


@router.post("", status_code=202, response_model=Submitted, responses=declared(
    *COMMON, "request_timeout", "idempotency_in_progress", "body_too_large", "unsupported_media_type", "input",
    "no_references", "idempotency_conflict", "validation", "server_full", "error",
))  # fmt: skip
async def hand_in(
    request: Request,
    context: InContext,
    caller: Submitter,
    options: Annotated[BodyOptions, Query()],
    idempotency_key: Annotated[str | None, Header(max_length=500)] = None,
) -> Any:
    """Hands in references to be cancelled, as one job."""
    declared_as, packed = declared_of(request), is_packed(request)
    body = Body(request.receive, packed=packed, limits=context.options.limits)
    source: Input = body
    said: JobOptions = options
    if declared_as is Declared.JSON and await body.begins_with() == _OBJECT:
        if options.model_fields_set:
            raise invalid(min(options.model_fields_set), "with a JSON object it is given within the object")
        order = parse_order(await body.whole(context.options.limits.max_json))
        source, said = submitting.Listed(order.document()), order
    wanted = said.wanted(caller.name, idempotency_key)
    await _check_account(context, said)
    submitted = await submitting.submit(
        context,
        wanted,
        source,
        hints=options.hints(),
        limit=said.limit(context.options.max_invalid),
        declared=declared_as,
    )
    headers = {"Location": f"{context.options.proxies.prefix}/v1/jobs/{submitted.job}"}
    if submitted.same:
        headers["Idempotent-Replayed"] = "true"
    return Document(submitted.document(), 202, headers=headers)


@router.get("/{job}", response_model=Job, responses=declared(*COMMON, "unknown_job"))
async def show(job: str, context: InContext, _: Reader) -> Any:
    """One job as it stands."""
    return Document(documents.job_document(await look(context, job)))


async def look(context: Context, job: str) -> Snapshot:
    """A job now.

    Raises:
        UnknownJobError: there is none of that id.
    """
    return await snapshots.look(context.ledger, job_id(job))


def job_id(text: str) -> str:
    """A job's id as the ledger has it.

    Raises:
        UnknownJobError: no job can have such an id.
    """
    if not _ID.fullmatch(text):
        raise UnknownJobError(text[:60])
    return text.lower()


async def _check_account(context: Context, said: JobOptions) -> None:
    if said.account not in context.options.accounts:
        there = sorted({*context.options.accounts, *await accounts.served(context.ledger)})
        if said.account not in there:
            raise invalid("account", f"there is no account {said.account!r}; there is {', '.join(there)}")
