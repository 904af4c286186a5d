"""What becomes of jobs as it happens, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

`snapshot` has a job's whole document, `change` the fields that have changed, `end` the whole document of a job that has
ended. `reset` comes where a stream of all jobs begins anew: a snapshot of each job that has not ended follows. A stream
that somebody follows who has signed in ends with the session.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from cancellist.api.auth import Reader
from cancellist.api.common import COMMON, job_id
from cancellist.api.context import Context, InContext
from cancellist.api.events.sampler import SentEvent
from cancellist.api.monitor.sessions import Session
from cancellist.api.problems import declared
from cancellist.jobs.ledger import records

router = APIRouter(prefix="/v1", tags=["events"])

MEDIA_TYPE: Final = "text/event-stream"
_RETRY_MS: Final = 2000
"""How long a browser waits before it connects again."""
_BEGIN: Final = f"retry: {_RETRY_MS}\n\n".encode()
_ALIVE: Final = b":\n\n"
_HEADERS: Final = {"X-Accel-Buffering": "no"}  # nginx hands it on as it comes
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "events `snapshot`, `change` and `end`, and `reset` in the stream of all jobs",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}

_LastId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=100, description="the id of the last event that was received")
]


@router.get("/jobs/{job}/events", response_class=StreamingResponse, responses=_STREAM | declared(
    *COMMON, "unknown_job", "validation",
))  # fmt: skip
async def of_job(job: str, request: Request, context: InContext, _: Reader, last_event_id: _LastId = None) -> Any:
    """What becomes of one job; the stream ends with the job."""
    found = await records.get(context.ledger, job_id(job))
    return _response(request, context, found.id, last_event_id)


@router.get("/events", response_class=StreamingResponse, responses=_STREAM | declared(*COMMON, "validation"))
async def of_all(request: Request, context: InContext, _: Reader, last_event_id: _LastId = None) -> Any:
    """What becomes of all jobs."""
    return _response(request, context, None, last_event_id)


def _response(request: Request, context: Context, job: str | None, last: str | None) -> StreamingResponse:
    told = _stream(context, job, last, request.scope["state"]["session"])
    return StreamingResponse(told, headers=_HEADERS, media_type=MEDIA_TYPE)


async def _stream(
    context: Context, job: str | None, last: str | None, session: Session | None = None
) -> AsyncGenerator[bytes, None]:
    def over() -> bool:
        return session is not None and not session.is_open(time.monotonic())

    yield _BEGIN
    async with aclosing(context.sampler.listen(job, last, over)) as told:
        async for one in told:
            yield _encoded(one) if one else _ALIVE


def _encoded(told: SentEvent) -> bytes:
    lines = [f"event: {told.event.kind}".encode(), b"data: " + orjson.dumps(dict(told.event.fields))]
    if told.id:
        lines.insert(0, f"id: {told.id}".encode())
    return b"\n".join(lines) + b"\n\n"
