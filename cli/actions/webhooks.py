"""What `cancellist webhooks` does."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from cancellist.cli import session
from cancellist.cli.terminal import cell, emit, fitting, heading, say, show
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.webhooks import endpoints as ledger_webhooks
from cancellist.jobs.ledger.webhooks import events
from cancellist.jobs.ledger.webhooks.endpoints import Registered
from cancellist.jobs.model import Outcome
from cancellist.jobs.times import parse_since_ms, rfc3339
from cancellist.jobs.webhooks.endpoint import (
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointOrder,
    delivery_id,
    event_types,
    shown_url,
    webhook_id,
)
from cancellist.jobs.webhooks.views import delivery_view, endpoint_view, registered_view

if TYPE_CHECKING:
    from rich.text import Text

_STYLES: Final = {"enabled": "green", "delivered": "green", "disabled": "red", "failed": "red"}
_WHY: Final = "why"
_OF_ENDPOINTS: Final = ("webhook", "url", "on", "account", "state", "waiting", "delivered", "failed", _WHY)
_OF_DELIVERIES: Final = ("delivery", "type", "job", "state", "attempts", "created", "next", _WHY)
_NUMBERS: Final = ("waiting", "delivered", "failed", "attempts")
_LEAST_WRAPPED: Final = 30
_TEST_S: Final = 20.0
_LOOK_S: Final = 0.1


def show_webhooks(*, as_json: bool) -> None:
    """Prints the webhooks."""
    found = session.run(_all())
    if as_json:
        emit({"webhooks": [endpoint_view(one) for one in found]})
        return
    if not found:
        say("no webhook: `cancellist webhooks add URL` adds one")
    _table(_OF_ENDPOINTS, [_row(one) for one in found], ("account", "delivered", "failed", "on"))


def add(url: str, on: Sequence[str], outcomes: Collection[Outcome], account: str | None, *, as_json: bool) -> None:
    """Adds a webhook and prints its secret.

    Raises:
        InputError: it cannot be had like this.
        SettingsError: no key is set.
    """
    _registered(session.run(_add(url, on, outcomes, account)), as_json=as_json)


def rotate(webhook: str, *, as_json: bool) -> None:
    """Gives a webhook a new secret and prints it."""
    _registered(session.run(_rotate(webhook_id(webhook))), as_json=as_json)


def remove(webhook: str, *, as_json: bool) -> None:
    """Removes a webhook."""
    endpoint = webhook_id(webhook)
    session.run(_remove(endpoint))
    if as_json:
        emit({"webhook": endpoint, "removed": True})
    else:
        say(f"{endpoint} is removed")


def enable(webhook: str, *, as_json: bool) -> None:
    """Enables a webhook."""
    found = session.run(_enable(webhook_id(webhook)))
    if as_json:
        emit(endpoint_view(found))
    else:
        say(f"{found.id} is enabled; {found.waiting:,} deliveries wait")


def deliveries(webhook: str, limit: int, *, as_json: bool) -> None:
    """Prints the last deliveries of a webhook."""
    found = session.run(_deliveries(webhook_id(webhook), limit))
    if as_json:
        emit({"deliveries": [delivery_view(one) for one in found]})
        return
    _table(_OF_DELIVERIES, [_row_of(one) for one in found], ("next", "attempts", "created", "type"))


def replay(webhook: str, delivery: str | None, since: str | None, *, as_json: bool) -> None:
    """Sends deliveries once more.

    Raises:
        UnknownWebhookError: there are no such ones.
        InputError: the time cannot be read.
    """
    endpoint = webhook_id(webhook)
    name = None if delivery is None else delivery_id(endpoint, delivery)
    document = session.run(_replay(endpoint, name, since))
    if as_json:
        emit(document)
    elif since is None:
        count = document["deliveries"]
        say(f"{count:,} {'delivery is' if count == 1 else 'deliveries are'} sent once more")
    else:
        say(f"all events since {document['since']} are sent once more")


def try_out(webhook: str, *, as_json: bool) -> int:
    """Sends an event that tells nothing; returns the exit status."""
    found = session.run(_test(webhook_id(webhook)))
    delivered = found.state is DeliveryState.DELIVERED
    if as_json:
        emit(delivery_view(found))
    elif delivered:
        say(f"delivered: HTTP {found.status}")
    else:
        why = found.why or f"nothing was tried within {_TEST_S:g} s: does a worker run, with CANCELLIST_WEBHOOK_KEY?"
        say(f"not delivered: {why}")
    return 0 if delivered else 1


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[Ledger, Settings]]:
    settings = load()
    async with session.ledger_of(settings) as opened:
        yield opened.ledger, settings


async def _all() -> list[Endpoint]:
    async with _opened() as (ledger, _):
        return await ledger_webhooks.endpoints(ledger)


async def _add(url: str, on: Sequence[str], outcomes: Collection[Outcome], account: str | None) -> Registered:
    async with _opened() as (ledger, settings):
        wanted = EndpointOrder.of(url, event_types(on), outcomes, account, settings.webhook_allowed)
        if account is not None:
            await session.check_account(ledger, settings, account)
        return await ledger_webhooks.add(ledger, wanted, settings.webhook_keys)


async def _rotate(endpoint: str) -> Registered:
    async with _opened() as (ledger, settings):
        return await ledger_webhooks.rotate(ledger, endpoint, settings.webhook_keys)


async def _remove(endpoint: str) -> None:
    async with _opened() as (ledger, _):
        await ledger_webhooks.remove(ledger, endpoint)


async def _enable(endpoint: str) -> Endpoint:
    async with _opened() as (ledger, _):
        return await ledger_webhooks.enable(ledger, endpoint)


async def _deliveries(endpoint: str, limit: int) -> list[Delivery]:
    async with _opened() as (ledger, _):
        return (await ledger_webhooks.deliveries(ledger, endpoint, limit=limit)).deliveries


async def _replay(endpoint: str, delivery: str | None, since: str | None) -> dict[str, Any]:
    async with _opened() as (ledger, _):
        if since is None:
            return {"webhook": endpoint, "deliveries": await ledger_webhooks.replay(ledger, endpoint, delivery)}
        try:
            since_ms = parse_since_ms(since, now_ms=await ledger.now_ms())
        except ValueError as error:
            raise InputError(f"--since: {error}") from None
        await ledger_webhooks.rewind(ledger, endpoint, since_ms)
        return {"webhook": endpoint, "since": rfc3339(since_ms)}


async def _test(endpoint: str) -> Delivery:
    async with _opened() as (ledger, _):
        made = await events.test(ledger, endpoint)
        until = asyncio.get_running_loop().time() + _TEST_S
        found = made
        while not found.tries and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_LOOK_S)
            found = await ledger_webhooks.delivery(ledger, endpoint, made.id)
        return found


def _registered(made: Registered, *, as_json: bool) -> None:
    if as_json:
        emit(registered_view(made.endpoint, made.secret))
        return
    sys.stdout.write(f"{made.secret}\n")
    say(f"{made.endpoint.id}: keep its secret now, it is not shown again; `webhooks test {made.endpoint.id}` tries it")


def _table(columns: Sequence[str], rows: Sequence[tuple["Text", ...]], left_out: Sequence[str]) -> None:
    if not rows:
        return
    kept = fitting(columns, rows, left_out, {_WHY: _LEAST_WRAPPED})
    table = heading(*(columns[place] for place in kept), right=_NUMBERS, wrapped=[_WHY])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    show(table)


def _row(one: Endpoint) -> tuple["Text", ...]:
    view = endpoint_view(one)
    on = ", ".join([*view["on"], *view["outcomes"]])
    return (
        cell(one.id, "bold"), cell(shown_url(one.wanted.url)), cell(on), cell(one.wanted.account or ""),
        cell(one.state, _STYLES.get(one.state, "")), cell(one.waiting), cell(one.delivered), cell(one.failed),
        cell("; ".join(_held_back(one))),
    )  # fmt: skip


def _held_back(one: Endpoint) -> list[str]:
    """What is not as it should be."""
    found = [one.why] if one.why else []
    if one.enabled and one.failing_since_ms is not None:
        found.append(f"nothing was delivered since {rfc3339(one.failing_since_ms)}")
    if one.jobs_missed:
        found.append(f"{one.jobs_missed:,} ends of jobs could not be told: their records were gone")
    if one.missed_ms:
        since, until = map(rfc3339, one.missed_ms)
        found.append(f"results from {since} to {until} were trimmed before they were told")
    return found


def _row_of(one: Delivery) -> tuple["Text", ...]:
    return (
        cell(one.id, "bold"), cell(one.type), cell(one.job or ""), cell(one.state, _STYLES.get(one.state, "yellow")),
        cell(one.tries), cell(rfc3339(one.created_at_ms) or ""), cell(rfc3339(one.due_at_ms) or ""),
        cell(one.why or (f"HTTP {one.status}" if one.status else "")),
    )  # fmt: skip
