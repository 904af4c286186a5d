"""Whether the process lives, and whether it can do its work."""

from typing import Any

from fastapi import APIRouter

from cancellist.api.context import InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.problems import declared
from cancellist.api.schemas import Alive

router = APIRouter(tags=["health"])

_LEDGER = ("server", "server_unavailable", "server_refused", "server_unfit")


@router.get("/healthz", response_model=Alive, responses=declared(limited=False))
async def healthz() -> Any:
    """Whether the process lives; it asks nobody."""
    return JsonAnswer({"status": "alive"})


@router.get("/readyz", response_model=Alive, responses=declared(*_LEDGER, limited=False))
async def readyz(context: InContext) -> Any:
    """Whether the ledger answers."""
    await context.ledger.now_ms()
    return JsonAnswer({"status": "ready"})
