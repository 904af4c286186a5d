"""Receipts, and the audit log."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from cancellist.api import cursors
from cancellist.api.auth import Reader
from cancellist.api.common import COMMON, job_id
from cancellist.api.context import InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.pages import AuditQuery
from cancellist.api.problems import declared
from cancellist.api.receipt_maker import Making
from cancellist.api.receipt_schemas import Audit, Receipt, ReceiptUnderWay
from cancellist.jobs.ledger import audit as audit_log

router = APIRouter(tags=["receipts"])

_WITHIN_S: Final = 10.0
"""Seconds that a request waits for a receipt to be made."""
_AGAIN_S: Final = "5"
_LATER: Final = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}


@router.get("/v1/jobs/{job}/receipt", response_model=Receipt, responses={
    **declared(*COMMON, "unknown_job", "not_found", "job_state", "results_gone", "error"),
    202: {"model": ReceiptUnderWay, "description": "it is being made: ask again", "headers": _LATER},
})  # fmt: skip
async def receipt(job: str, context: InContext, _: Reader) -> Any:
    """The receipt of a job that has ended: what was done, in a form that `cancellist verify` checks without the server.

    It is made when it is first asked for, and stays as it is. Keep its bytes: they are what is signed.
    """
    found = await context.receipts.get(job_id(job), _WITHIN_S)
    if isinstance(found, Making):
        document = {"job": job_id(job), "read": found.read, "total": found.total}
        return JsonAnswer(document, 202, headers={"Retry-After": _AGAIN_S})
    return Response(found, media_type="application/json")


@router.get("/v1/audit", response_model=Audit, responses=declared(*COMMON, "validation"))
async def audit(context: InContext, _: Reader, query: Annotated[AuditQuery, Query()]) -> Any:
    """Who has changed what, from where, and with what result; newest first."""
    page = await audit_log.page(
        context.ledger, query.wanted(), limit=query.limit, before=cursors.to_audit(query.cursor)
    )
    return JsonAnswer({"entries": page.entries, "next": cursors.of_audit(page.next) if page.next else None})
