"""References: which jobs named one, and what became of it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from cancellist.api import cursors
from cancellist.api.auth import Reader
from cancellist.api.common import COMMON
from cancellist.api.context import InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.pages import ReferencesQuery
from cancellist.api.problems import declared, invalid
from cancellist.api.schemas import References
from cancellist.jobs.ledger.views.reference_views import references_view
from cancellist.jobs.parsing.references import checked

router = APIRouter(prefix="/v1/references", tags=["references"])


_WITHIN_S: Final = 1.0
"""Seconds that one request brings the index up to date: a reader who asks again and again brings it to the end."""


@router.get(
    "/{reference}",
    response_model=References,
    responses=declared(*COMMON, "not_found", "validation", "error", "index_behind"),
)
async def find(reference: str, context: InContext, _: Reader, query: Annotated[ReferencesQuery, Query()]) -> Any:
    """Every job that named a reference, newest first, and what became of it.

    The list is empty where no job is known that named it. `complete` says whether one may be missing: `gap` is when
    results may have been written that are not known here, and `unsearched` are jobs under way that are too large to be
    looked through. While many results are new, the answer is 503 until the index has them.
    """
    known = checked(reference, [one.pattern for one in (context.options.common, *context.options.accounts.values())])
    if known is None:
        raise invalid("reference", f"it is no reference: references look like {context.options.common.pattern.pattern}")
    before = cursors.to_references(query.cursor)
    answer = await context.references.find(known, before=before, limit=query.limit, within_s=_WITHIN_S)
    following = cursors.of_references(answer.next) if answer.next else None
    return JsonAnswer({**references_view(known, answer), "next": following})
