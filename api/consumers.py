"""Consumer groups of the results stream: how each stands, and removing one."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from cancellist.api.auth import Operator, Reader
from cancellist.api.common import COMMON
from cancellist.api.consumer_schemas import ConsumerGroups
from cancellist.api.context import InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.problems import ProblemError, declared
from cancellist.jobs.ledger import consumers
from cancellist.jobs.ledger.views.json_views import group_view

router = APIRouter(prefix="/v1/consumers", tags=["consumers"])


@router.get("", response_model=ConsumerGroups, responses=declared(*COMMON))
async def show(context: InContext, _: Reader) -> Any:
    """Every consumer group of the results stream, by name."""
    found = await consumers.groups(context.ledger, context.options.results_keep_s)
    return JsonAnswer({"groups": [group_view(group) for group in found]})


@router.delete(
    "/{group}", status_code=204, response_class=Response, responses=declared(*COMMON, "not_found", "validation")
)
async def remove(group: Annotated[str, Path(max_length=500)], context: InContext, _: Operator) -> Response:
    """Removes a consumer group: its readers get no more, and what it has not read may be trimmed."""
    if not await consumers.remove(context.ledger, group):
        raise ProblemError(
            "not_found", "no consumer group has that name", hint="GET /v1/consumers lists those there are"
        )
    return Response(status_code=204)
