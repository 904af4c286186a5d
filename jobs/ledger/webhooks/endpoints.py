"""Webhooks: which endpoints there are, and what became of the deliveries to each."""

import secrets as chance
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cancellist.jobs.errors import InputError, SettingsError, UnknownWebhookError
from cancellist.jobs.ledger import audit
from cancellist.jobs.ledger.core import Ledger, known
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import DEFAULT_ACCOUNT, Outcome
from cancellist.jobs.webhooks import signature
from cancellist.jobs.webhooks.endpoint import (
    MOST_ENDPOINTS,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointOrder,
    EndpointState,
    EventType,
)

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_SEPARATOR: Final = ","
_LATER: Final = frozenset({EventType.RECEIPT_CREATED})
"""Types of events that older workers do not know: they skip the field in which these stand."""
Keys = Sequence[bytes]
"""The keys of WEBHOOK_KEY, the one that new secrets are made of first."""


@dataclass(frozen=True, slots=True)
class Registered:
    """An endpoint, and its secret, which is shown this once."""

    endpoint: Endpoint
    secret: str


async def add(ledger: Ledger, wanted: EndpointOrder, keys: Keys) -> Registered:
    """Registers an endpoint. What ends or is written from here on is told.

    Raises:
        SettingsError: no key is set.
        InputError: there are too many.
        LedgerError: the server does not take it.
    """
    key = _first(keys)
    endpoint = "wh_" + "".join(chance.choice(_ALPHABET) for _ in range(10))
    signing = signature.secret(key, endpoint, 1)
    fields: list[str | int] = [
        "url", wanted.url,
        "types", _SEPARATOR.join(sorted(wanted.types - _LATER)),
        "later_types", _SEPARATOR.join(sorted(wanted.types & _LATER)),
        "outcomes", _SEPARATOR.join(sorted(wanted.outcomes)),
        "results", int(EventType.JOB_RESULTS in wanted.types),
        "fingerprint", signature.fingerprint(signing),
    ]  # fmt: skip
    if wanted.account is not None:
        fields += ["account", wanted.account]
    async with audit.recorded(ledger, "webhooks add", account=wanted.account or "", about=endpoint):
        if not await ledger.run("webhook_add", DEFAULT_ACCOUNT, endpoint, MOST_ENDPOINTS, *fields):
            raise InputError(
                f"there are {MOST_ENDPOINTS} webhooks, the most there can be: remove one that is not needed"
            )
    return Registered(await get(ledger, endpoint), signature.shown(signing))


async def rotate(ledger: Ledger, endpoint: str, keys: Keys) -> Registered:
    """Gives an endpoint its next secret; for a day the one before signs, too.

    Raises:
        SettingsError: no key is set.
        UnknownWebhookError: there is none.
        InputError: somebody else has rotated it at the same time.
    """
    key = _first(keys)
    version = (await get(ledger, endpoint)).version
    signing = signature.secret(key, endpoint, version + 1)
    fingerprint = signature.fingerprint(signing)
    async with audit.recorded(ledger, "webhooks rotate", about=endpoint):
        done = int(await ledger.run("webhook_rotate", DEFAULT_ACCOUNT, endpoint, version, fingerprint))
        if done < 0:
            raise UnknownWebhookError(endpoint)
        if not done:
            raise InputError(f"the secret of {endpoint} was rotated by somebody else just now: ask them for it")
    return Registered(await get(ledger, endpoint), signature.shown(signing))


async def remove(ledger: Ledger, endpoint: str) -> None:
    """Removes an endpoint with all its deliveries.

    Raises:
        UnknownWebhookError: there is none.
    """
    async with audit.recorded(ledger, "webhooks remove", about=endpoint):
        _check(await ledger.run("webhook_remove", DEFAULT_ACCOUNT, endpoint), endpoint)


async def enable(ledger: Ledger, endpoint: str) -> Endpoint:
    """Enables an endpoint: it goes on where it stopped.

    Raises:
        UnknownWebhookError: there is none.
    """
    async with audit.recorded(ledger, "webhooks enable", about=endpoint):
        _check(await ledger.run("webhook_enable", DEFAULT_ACCOUNT, endpoint), endpoint)
    return await get(ledger, endpoint)


async def replay(ledger: Ledger, endpoint: str, delivery: str | None = None) -> int:
    """Sends one delivery once more, or all that were given up; returns how many.

    Raises:
        UnknownWebhookError: there is no such endpoint or delivery.
    """
    async with audit.recorded(ledger, "webhooks replay", about=endpoint):
        done = int(await ledger.run("webhook_replay", DEFAULT_ACCOUNT, endpoint, delivery or "failed"))
        if done == -1:
            raise UnknownWebhookError(endpoint)
        if done < 0:
            raise UnknownWebhookError(endpoint, delivery)
    return done


async def rewind(ledger: Ledger, endpoint: str, since_ms: int) -> None:
    """Tells everything since a time once more: the same events have the same ids.

    Raises:
        UnknownWebhookError: there is none.
    """
    async with audit.recorded(ledger, "webhooks rewind", about=endpoint):
        _check(await ledger.run("webhook_rewind", DEFAULT_ACCOUNT, endpoint, since_ms), endpoint)


async def get(ledger: Ledger, endpoint: str) -> Endpoint:
    """One endpoint as it stands.

    Raises:
        UnknownWebhookError: there is none.
    """
    found = await _read(ledger, [endpoint])
    if not found:
        raise UnknownWebhookError(endpoint)
    return found[0]


async def endpoints(ledger: Ledger) -> list[Endpoint]:
    """Every endpoint, in the order in which they were added."""
    with translated():
        ids = await ledger.redis.zrange(ledger.keys.webhooks, 0, -1)
    return await _read(ledger, [one.decode() for one in ids])


@dataclass(frozen=True, slots=True)
class DeliveriesPage:
    """Deliveries, newest first, and the one that the next page begins after; None where no more follow."""

    deliveries: list[Delivery]
    next: str | None


async def deliveries(ledger: Ledger, endpoint: str, *, limit: int, after: str | None = None) -> DeliveriesPage:
    """The deliveries that an endpoint keeps, newest first. After one that is forgotten, there are none.

    Raises:
        UnknownWebhookError: there is no such endpoint.
    """
    await get(ledger, endpoint)
    with translated():  # by what a reader of the ledger may run
        names = [one.decode() for one in await ledger.redis.zrevrange(ledger.keys.webhook(endpoint, "log"), 0, -1)]
        due = dict(await ledger.redis.zrange(ledger.keys.webhook(endpoint, "due"), 0, -1, withscores=True))
    begin = 0 if after is None else names.index(after) + 1 if after in names else len(names)
    rest = names[begin : begin + limit + 1]
    found = await _deliveries(ledger, endpoint, rest[:limit], due)
    return DeliveriesPage(found, rest[limit - 1] if len(rest) > limit else None)


async def delivery(ledger: Ledger, endpoint: str, name: str) -> Delivery:
    """One delivery.

    Raises:
        UnknownWebhookError: there is none.
    """
    with translated():
        at_ms = await ledger.redis.zscore(ledger.keys.webhook(endpoint, "due"), name)
    found = await _deliveries(ledger, endpoint, [name], {} if at_ms is None else {name.encode(): at_ms})
    if not found:
        raise UnknownWebhookError(endpoint, name)
    return found[0]


async def _read(ledger: Ledger, ids: Sequence[str]) -> list[Endpoint]:
    if not ids:
        return []
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        for one in ids:
            pipe.hgetall(ledger.keys.webhook(one))
            pipe.zcard(ledger.keys.webhook(one, "due"))
        rows = await pipe.execute()
    pairs = zip(ids, rows[::2], rows[1::2], strict=True)
    return [_endpoint(one, fields, waiting) for one, fields, waiting in pairs if fields.get(b"state")]


def _endpoint(endpoint: str, stored: dict[bytes, bytes], waiting: int) -> Endpoint:
    h = {name.decode(): value.decode() for name, value in stored.items()}
    return Endpoint(
        id=endpoint,
        wanted=EndpointOrder(
            url=h["url"],
            types=frozenset(known(EventType, word) for word in _words(h["types"]) + _words(h.get("later_types", ""))),
            outcomes=frozenset(known(Outcome, word) for word in _words(h.get("outcomes", ""))),
            account=h.get("account"),
        ),
        state=known(EndpointState, h["state"]),
        version=int(h["version"]),
        fingerprint=h["fingerprint"],
        created_at_ms=int(h["created_at"]),
        rotated_at_ms=_int(h.get("rotated_at")),
        why=h.get("why"),
        failing_since_ms=_int(h.get("failing_since")),
        failures=int(h.get("failures", 0)),
        tried_at_ms=int(h.get("tried_at", 0)),
        delivered_at_ms=_int(h.get("delivered_at")),
        ended_seen=int(h["ended_seen"]),
        results_seen=h["results_seen"],
        receipts_seen=int(h.get("receipts_seen", 0)),
        delivered=int(h.get("delivered", 0)),
        failed=int(h.get("failed", 0)),
        waiting=waiting,
        jobs_missed=int(h.get("jobs_missed", 0)),
        missed_ms=(int(h["missed_from"]), int(h["missed_to"])) if "missed_to" in h else None,
    )


async def _deliveries(
    ledger: Ledger, endpoint: str, names: Sequence[str], due: Mapping[bytes, float]
) -> list[Delivery]:
    if not names:
        return []
    with translated():
        documents = await ledger.redis.hmget(ledger.keys.webhook(endpoint, "deliveries"), names)
    rows = zip(names, documents, strict=True)
    return [_delivery(name, document, due.get(name.encode())) for name, document in rows if document]


def _delivery(name: str, document: bytes, due: float | None) -> Delivery:
    h: dict[str, Any] = orjson.loads(document)
    return Delivery(
        id=name,
        type=h["type"],
        job=h.get("job"),
        created_at_ms=int(h["created"]),
        state=known(DeliveryState, h["state"]),
        attempts=int(h["attempts"]),
        tries=int(h["tries"]),
        tried_at_ms=_int(h.get("at")),
        status=_int(h.get("status")),
        why=h.get("why"),
        due_at_ms=_int(due),
    )


def _first(keys: Keys) -> bytes:
    if not keys:
        raise SettingsError(
            "CANCELLIST_WEBHOOK_KEY is not set, of which the secrets of webhooks are made",
            hint="make one with `openssl rand -base64 32`, and set it for the workers, for `serve` and here",
        )
    return keys[0]


def _check(done: Any, endpoint: str) -> None:
    if not int(done):
        raise UnknownWebhookError(endpoint)


def _words(text: str) -> list[str]:
    return [word for word in text.split(_SEPARATOR) if word]


def _int(value: Any) -> int | None:
    return None if value is None else int(value)
