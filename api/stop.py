"""The stop of all accounts."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from cancellist.api.auth import Operator, Reader
from cancellist.api.common import COMMON
from cancellist.api.context import Context, InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.problems import declared
from cancellist.api.schemas import Stop
from cancellist.jobs.ledger import account_status, stop_all
from cancellist.jobs.ledger.views.json_views import stop_view

router = APIRouter(prefix="/v1/stop", tags=["accounts"])

_MAX_TEXT: Final = 500


@router.get("", response_model=Stop, responses=declared(*COMMON))
async def show(context: InContext, _: Reader) -> Any:
    """Whether all accounts are stopped, since when, by whom and why."""
    return await _now(context)


@router.post("", response_model=Stop, responses=declared(*COMMON, "validation"))
async def stop(
    context: InContext,
    caller: Operator,
    reason: Annotated[str | None, Query(max_length=_MAX_TEXT, description="why; kept, and shown to all")] = None,
) -> Any:
    """Stops all accounts at once, also those whose first job comes later.

    Once this has answered, no worker starts a call. Calls in flight end normally. A second stop changes nothing.
    """
    await stop_all.stop(context.ledger, caller.name, reason or "")
    return await _now(context)


@router.delete("", response_model=Stop, responses=declared(*COMMON, "stop_file"))
async def resume(context: InContext, _: Operator) -> Any:
    """Lets all accounts go on; those that were paused on their own stay so."""
    await stop_all.resume(context.ledger)
    return await _now(context)


async def _now(context: Context) -> JsonAnswer:
    statuses = await account_status.statuses(context.ledger, {})
    return JsonAnswer(stop_view(await stop_all.standing(context.ledger), statuses))
