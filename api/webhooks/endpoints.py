"""Webhooks: who is told of events, and how that goes."""

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from cancellist.api.auth import Operator, Reader
from cancellist.api.common import COMMON
from cancellist.api.context import Context, InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.json_object import parse_object
from cancellist.api.problem_kinds import KINDS
from cancellist.api.problems import ProblemError, declared, invalid
from cancellist.api.request_body import json_body
from cancellist.api.webhooks.schemas import (
    Webhook,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookReplay,
    Webhooks,
    WebhookSecret,
)
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.model import Outcome
from cancellist.jobs.times import parse_since_ms, rfc3339
from cancellist.jobs.webhooks.endpoint import EndpointOrder, EventType, delivery_id, webhook_id
from cancellist.jobs.webhooks.views import delivery_view, endpoint_view, registered_view

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

_OF_A_BODY: Final = ("request_timeout", "body_too_large", "unsupported_media_type", "input", "validation")
_OF_ONE: Final = declared(*COMMON, "unknown_webhook", "not_found")
_LOCATION: Final = {"Location": {"description": "the webhook's address", "schema": {"type": "string"}}}


def _since(value: str) -> str:
    parse_since_ms(value, now_ms=time.time_ns() // 1_000_000)
    return value


class NewWebhook(BaseModel):
    """What is to be told, and where."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2000, description="https; shown later without credentials and query")
    on: list[EventType] = Field(
        default_factory=list, max_length=10, description="without it, and without `outcomes`: job.ended and job.halted"
    )
    outcomes: list[Outcome] = Field(
        default_factory=list, max_length=20, description="tell results with these outcomes: job.results"
    )
    account: str | None = Field(None, max_length=100, description="only of this account")


class Replay(BaseModel):
    """What is sent once more; without both: all deliveries that were given up."""

    model_config = ConfigDict(extra="forbid")

    delivery: str | None = Field(None, max_length=100, description="one delivery")
    since: Annotated[str, AfterValidator(_since)] | None = Field(
        None, max_length=100, description="all events since then: RFC 3339 with an offset, or a span back such as 2h"
    )


class DeliveriesQuery(BaseModel):
    """Which deliveries are listed."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=100, description="`next` of the page before; without: the first")


@router.get("", response_model=Webhooks, responses=declared(*COMMON))
async def listing(context: InContext, _: Reader) -> Any:
    """Every webhook as it stands."""
    return JsonAnswer({"webhooks": [endpoint_view(one) for one in await endpoints.endpoints(context.ledger)]})


@router.post("", status_code=201, response_model=None, responses={
    **declared(*COMMON, *_OF_A_BODY, "no_webhook_key", "server_full"),
    201: {"model": WebhookSecret, "description": "it is added; its secret is shown this once", "headers": _LOCATION},
})  # fmt: skip
async def add(request: Request, context: InContext, _: Operator) -> Any:
    """Adds a webhook: what happens from now on is told, in requests that are signed (Standard Webhooks).

    The answer has its secret, this once.
    """
    wanted = parse_object(await json_body(request, context.options.limits), NewWebhook)
    _check_keys(context)
    try:
        checked = EndpointOrder.of(
            wanted.url, wanted.on, wanted.outcomes, wanted.account, context.options.webhooks.allowed
        )
    except InputError as error:
        raise invalid("url", error.message) from None
    if wanted.account is not None:
        try:
            await accounts.check(context.ledger, wanted.account, context.options.accounts)
        except InputError as error:
            raise invalid("account", error.message) from None
    made = await endpoints.add(context.ledger, checked, context.options.webhooks.keys)
    location = f"{context.options.proxies.prefix}/v1/webhooks/{made.endpoint.id}"
    return JsonAnswer(registered_view(made.endpoint, made.secret), 201, headers={"Location": location})


@router.get("/{webhook}", response_model=Webhook, responses=_OF_ONE)
async def show(webhook: str, context: InContext, _: Reader) -> Any:
    """One webhook as it stands."""
    return JsonAnswer(endpoint_view(await endpoints.get(context.ledger, webhook_id(webhook))))


@router.delete("/{webhook}", status_code=204, response_model=None, responses=_OF_ONE)
async def remove(webhook: str, context: InContext, _: Operator) -> Response:
    """Removes a webhook with its deliveries; what waits is not sent any more."""
    await endpoints.remove(context.ledger, webhook_id(webhook))
    return Response(status_code=204)


@router.post("/{webhook}/enable", response_model=Webhook, responses=_OF_ONE)
async def enable(webhook: str, context: InContext, _: Operator) -> Any:
    """Enables a webhook that was disabled: it goes on where it stopped."""
    return JsonAnswer(endpoint_view(await endpoints.enable(context.ledger, webhook_id(webhook))))


@router.post(
    "/{webhook}/rotate",
    response_model=WebhookSecret,
    responses=declared(*COMMON, "unknown_webhook", "not_found", "input", "no_webhook_key"),
)
async def rotate(webhook: str, context: InContext, _: Operator) -> Any:
    """Gives a webhook a new secret, which is shown this once. For 24 hours the one before signs, too."""
    endpoint = (await endpoints.get(context.ledger, webhook_id(webhook))).id
    _check_keys(context)
    made = await endpoints.rotate(context.ledger, endpoint, context.options.webhooks.keys)
    return JsonAnswer(registered_view(made.endpoint, made.secret))


@router.post(
    "/{webhook}/test",
    status_code=202,
    response_model=WebhookDelivery,
    responses=declared(*COMMON, "unknown_webhook", "not_found", "input", "server_full"),
)
async def test(webhook: str, context: InContext, _: Operator) -> Any:
    """Sends an event that tells nothing; the list of deliveries shows what comes of it."""
    return JsonAnswer(delivery_view(await events.test(context.ledger, webhook_id(webhook))), 202)


@router.get(
    "/{webhook}/deliveries",
    response_model=WebhookDeliveries,
    responses=declared(*COMMON, "unknown_webhook", "not_found", "validation"),
)
async def deliveries(webhook: str, context: InContext, _: Reader, query: Annotated[DeliveriesQuery, Query()]) -> Any:
    """The last deliveries of a webhook, newest first; never what the receiver has answered."""
    endpoint = webhook_id(webhook)
    after = delivery_id(endpoint, query.cursor) if query.cursor is not None else None
    page = await endpoints.deliveries(context.ledger, endpoint, limit=query.limit, after=after)
    return JsonAnswer({"deliveries": [delivery_view(one) for one in page.deliveries], "next": page.next})


@router.post(
    "/{webhook}/replay",
    status_code=202,
    response_model=WebhookReplay,
    responses=declared(*COMMON, "unknown_webhook", "not_found", *_OF_A_BODY),
)
async def replay(webhook: str, request: Request, context: InContext, _: Operator) -> Any:
    """Sends once more: one delivery, all events since a time, or all deliveries that were given up.

    The receiver knows a repeat by its `webhook-id`.
    """
    endpoint, text = webhook_id(webhook), await json_body(request, context.options.limits, needed=False)
    wanted = parse_object(text, Replay) if text else Replay()
    if wanted.delivery is not None and wanted.since is not None:
        raise invalid("since", "it cannot be given together with `delivery`")
    if wanted.since is None:
        name = None if wanted.delivery is None else delivery_id(endpoint, wanted.delivery)
        count = await endpoints.replay(context.ledger, endpoint, name)
        return JsonAnswer({"webhook": endpoint, "deliveries": count, "since": None}, 202)
    since_ms = parse_since_ms(wanted.since, now_ms=time.time_ns() // 1_000_000)
    await endpoints.rewind(context.ledger, endpoint, since_ms)
    return JsonAnswer({"webhook": endpoint, "deliveries": None, "since": rfc3339(since_ms)}, 202)


def _check_keys(context: Context) -> None:
    if not context.options.webhooks.keys:
        raise ProblemError("no_webhook_key", KINDS["no_webhook_key"].title)
