"""What a webhook is: an address of somebody else's, and the events that go there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self
from urllib.parse import urlsplit

from cancellist.jobs.errors import InputError, UnknownWebhookError
from cancellist.jobs.escaping import plain
from cancellist.jobs.model import Outcome
from cancellist.jobs.webhooks.addresses import Allowed, is_host

MOST_ENDPOINTS: Final = 100
MOST_DELIVERIES: Final = 1000
"""Deliveries that an endpoint keeps, those that still wait among them."""
_LONGEST_URL: Final = 2000
_ID: Final = re.compile(r"wh_[0-9a-z]{10}", re.ASCII)
_DELIVERY: Final = re.compile(r"msg_[0-9A-Za-z_-]{1,100}", re.ASCII)


class EventType(StrEnum):
    """What is told; `docs/how-to/receive-webhooks.md` has the data of each."""

    JOB_ENDED = "job.ended"
    JOB_HALTED = "job.halted"
    JOB_APPROVAL_WANTED = "job.approval_wanted"
    JOB_RESULTS = "job.results"
    RECEIPT_CREATED = "receipt.created"


STATES: Final = frozenset({EventType.JOB_ENDED, EventType.JOB_HALTED, EventType.JOB_APPROVAL_WANTED})
"""The events that are told where nothing is named."""
TEST: Final = "webhook.test"
"""The type of an event that `webhooks test` makes. Nobody asks for it."""


class EndpointState(StrEnum):
    """Whether events are sent to an endpoint."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EndpointOrder:
    """What somebody wants to be told.

    Attributes:
        url: where to; it may hold a secret, so it is never shown whole.
        types: the types of events.
        outcomes: of `job.results`, the outcomes that are told; empty for all.
        account: the account whose jobs are told; None for all.
    """

    url: str = field(repr=False)
    types: frozenset[EventType]
    outcomes: frozenset[Outcome] = frozenset()
    account: str | None = None

    @classmethod
    def of(
        cls, url: str, types: Iterable[EventType], outcomes: Iterable[Outcome], account: str | None, allowed: Allowed
    ) -> Self:
        """What is wanted, checked. Outcomes ask for results; where nothing is named, it is told that jobs end or halt.

        Raises:
            InputError: the URL cannot be used.
        """
        chosen = frozenset(outcomes)
        named = frozenset(types) | ({EventType.JOB_RESULTS} if chosen else frozenset())
        return cls(checked_url(url, allowed), named or STATES, chosen, account)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registered endpoint as it stands; times are ms by the server's clock.

    Attributes:
        version: of its secret; a rotation raises it.
        fingerprint: of its secret, by which a wrong WEBHOOK_KEY is noticed.
        why: why it is disabled.
        failing_since_ms: since when no delivery has succeeded; None while the last one did.
        failures: failed attempts since then.
        tried_at_ms: when the last attempt ended.
        delivered_at_ms: when the last delivery succeeded.
        ended_seen: the number of the last end of a job that was taken into deliveries.
        results_seen: the entry of the results stream up to which it was read.
        receipts_seen: the number of the last receipt that was taken into deliveries.
        jobs_missed: ends of jobs whose records were gone before they could be told.
        missed_ms: from when to when results were trimmed before they could be told.
    """

    id: str
    wanted: EndpointOrder
    state: EndpointState
    version: int
    fingerprint: str
    created_at_ms: int
    rotated_at_ms: int | None = None
    why: str | None = None
    failing_since_ms: int | None = None
    failures: int = 0
    tried_at_ms: int = 0
    delivered_at_ms: int | None = None
    ended_seen: int = 0
    results_seen: str = "0-0"
    receipts_seen: int = 0
    delivered: int = 0
    failed: int = 0
    waiting: int = 0
    jobs_missed: int = 0
    missed_ms: tuple[int, int] | None = None

    @property
    def enabled(self) -> bool:
        """Whether events are sent to it."""
        return self.state is EndpointState.ENABLED


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint; its id is the `webhook-id` of every attempt.

    Attributes:
        attempts: failed attempts that count for the schedule.
        tries: all attempts, by which two reports of one are told apart.
        status: the HTTP status of the last answer.
        why: why the last attempt failed, in a few words.
        due_at_ms: when it is tried next; None where it no longer waits.
    """

    id: str
    type: str
    job: str | None
    created_at_ms: int
    state: DeliveryState
    attempts: int = 0
    tries: int = 0
    tried_at_ms: int | None = None
    status: int | None = None
    why: str | None = None
    due_at_ms: int | None = None


def checked_url(url: str, allowed: Allowed) -> str:
    """The URL of an endpoint, without what goes to no server.

    Raises:
        InputError: it cannot be used. The text repeats nothing of it that may be secret.
    """
    if not url or len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InputError(f"the URL is not one word of at most {_LONGEST_URL} ASCII characters: escape what is not")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError("the URL cannot be read: give one such as https://example.com/hooks") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise InputError("the URL is not one such as https://example.com/hooks")
    if not is_host(host):
        raise InputError("the URL's host is neither a name nor an address")
    if parts.fragment:
        raise InputError("the URL has a fragment (#...), which goes to no server: leave it out")
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "the URL has credentials, which would be kept on the server: leave them out, the signature shows who sends"
        )
    if parts.scheme == "http" and not allowed.plain_http(host):
        raise InputError(f"the URL is not https, and CANCELLIST_WEBHOOK_ALLOW does not name {plain(host)}")
    if (refused := allowed.refused_literal(host)) is not None:
        raise InputError(f"{refused}: CANCELLIST_WEBHOOK_ALLOW may name it or its network")
    return url


def refused_address(url: str, allowed: Allowed) -> str | None:
    """Why a URL whose host is an address, or that is plain http, may not be called; None where it may."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not allowed.plain_http(host):
        return "its URL is not https"
    return allowed.refused_literal(host)


def shown_url(url: str) -> str:
    """Host and path of a URL: without credentials and query, which may be secret."""
    parts = urlsplit(url)
    return plain(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?...' if parts.query else ''}")


def event_types(words: Iterable[str]) -> frozenset[EventType]:
    """Types of events; each word holds one, or several with commas between them.

    Raises:
        InputError: a word is none.
    """
    found = set()
    for word in filter(None, (word.strip().lower() for text in words for word in text.split(","))):
        try:
            found.add(EventType(word))
        except ValueError:
            raise InputError(f"{plain(word[:60])!r} is no type of event; give one of {', '.join(EventType)}") from None
    return frozenset(found)


def webhook_id(text: str) -> str:
    """The id of a webhook as the ledger has it.

    Raises:
        UnknownWebhookError: none can have such an id.
    """
    bare = text.strip().lower()
    if not _ID.fullmatch(bare):
        raise UnknownWebhookError(text)
    return bare


def delivery_id(webhook: str, text: str) -> str:
    """The id of a delivery.

    Raises:
        UnknownWebhookError: none can have such an id.
    """
    bare = text.strip()
    if not _DELIVERY.fullmatch(bare):
        raise UnknownWebhookError(webhook, text)
    return bare
