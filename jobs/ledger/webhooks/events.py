"""Webhooks: takes events into deliveries, and records what became of each attempt.

Two orders of events are read, each by a mark of the endpoint's own: the ends and halts of jobs, and that jobs must be
approved (`ended`), which the step that brings them about has numbered; and the stream of results. A script makes the
deliveries and moves the mark in one step, so an event is taken in once, and none is left out. An endpoint keeps few
deliveries; while they are full, its events wait where they are.
"""

import secrets as chance
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import orjson

from cancellist.jobs.errors import InputError, UnknownWebhookError
from cancellist.jobs.ledger import snapshots
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.records import several
from cancellist.jobs.ledger.results import result_of
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.ledger.views.json_views import job_view, result_view
from cancellist.jobs.ledger.webhooks import endpoints
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.webhooks import payloads
from cancellist.jobs.webhooks.endpoint import MOST_DELIVERIES, STATES, Delivery, Endpoint, EventType
from cancellist.jobs.webhooks.payloads import Event, ResultEntry
from cancellist.jobs.webhooks.schedule import FAILING, FAILS_FOR_MS, AttemptVerdict

_JOBS: Final = 20
_RESULTS: Final = 500
"""Taken in at once: what it costs is a few milliseconds of a worker's time."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far an endpoint has taken events in, and how far it will have."""

    name: str
    at: str
    to: str


_NONE: Final = _Mark("", "", "")
_OF_JOBS: Final = frozenset({EventType.JOB_ENDED, EventType.JOB_APPROVAL_WANTED})
_PREFIXED: Final = {"halted": EventType.JOB_HALTED, "approval": EventType.JOB_APPROVAL_WANTED}


@dataclass(frozen=True, slots=True)
class _Numbered:
    """An event of a job, and its number in the order of such events."""

    type: EventType
    job: str
    number: int

    @classmethod
    def of(cls, member: str, number: int) -> Self:
        """What a member of the order is (lua/shared/jobs.lua)."""
        prefix, _, job = member.rpartition(":")
        return cls(_PREFIXED.get(prefix, EventType.JOB_ENDED), job, number)

    def event(self, endpoint: str, seen: Snapshot, now_ms: int) -> payloads.Event:
        """What is sent of it."""
        record, document = seen.record, job_view(seen)
        match self.type:
            case EventType.JOB_APPROVAL_WANTED:
                return payloads.job_approval_wanted(endpoint, document, self.number, now_ms)
            case EventType.JOB_HALTED:
                return payloads.job_halted(endpoint, document, self.number, record.halted_at_ms or now_ms)
            case _:
                return payloads.job_ended(endpoint, document, record.finished_at_ms or 0)


@dataclass(frozen=True, slots=True)
class EventsTaken:
    """What one turn of an endpoint has taken in.

    Attributes:
        more: more is to be taken in at once.
        jobs_missed: ends of jobs whose records are gone.
    """

    more: bool = False
    jobs_missed: int = 0


async def take_in(ledger: Ledger, endpoint: Endpoint) -> EventsTaken:
    """Makes deliveries of the next events of an endpoint, as many as it has room for.

    Raises:
        LedgerFullError: the server has no room.
    """
    room = MOST_DELIVERIES - endpoint.waiting
    ended = results = receipts = EventsTaken()
    if endpoint.wanted.types & STATES and room > 0:
        ended = await _take_states(ledger, endpoint, min(_JOBS, room))
        room -= _JOBS
    if EventType.JOB_RESULTS in endpoint.wanted.types and room > 0:
        results = await _take_results(ledger, endpoint, min(_RESULTS, room))
        room -= _RESULTS
    if EventType.RECEIPT_CREATED in endpoint.wanted.types and room > 0:
        receipts = await _take_receipts(ledger, endpoint, min(_JOBS, room))
    return EventsTaken(ended.more or results.more or receipts.more, ended.jobs_missed)


async def test(ledger: Ledger, endpoint: str) -> Delivery:
    """Makes an event that tells nothing but that deliveries arrive.

    Raises:
        UnknownWebhookError: there is no such endpoint.
        InputError: it is disabled, or has no room.
        LedgerFullError: the server has no room.
    """
    found = await endpoints.get(ledger, endpoint)
    if not found.enabled:
        raise InputError(f"{endpoint} is disabled, and nothing is sent to it", hint="enable it first")
    if found.waiting >= MOST_DELIVERIES:
        raise InputError(f"{MOST_DELIVERIES} deliveries wait for {endpoint}, the most that may: see why they fail")
    event = payloads.test(endpoint, chance.token_hex(12), await ledger.now_ms())
    if not await _make(ledger, endpoint, [event], _NONE):
        raise UnknownWebhookError(endpoint)
    return await endpoints.delivery(ledger, endpoint, event.id)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to send, its attempts before, and the bytes of its body."""

    delivery: Delivery
    body: bytes


async def due(ledger: Ledger, endpoint: str, *, most: int, by_ms: int | None) -> list[str]:
    """Deliveries that are due by then, the one that is due longest first; without a time, those that come first."""
    with translated():
        names = await ledger.redis.zrange(
            ledger.keys.webhook(endpoint, "due"),
            "-inf", "+inf" if by_ms is None else by_ms, byscore=True, offset=0, num=most,
        )  # fmt: skip
    return [name.decode() for name in names]


async def to_send(ledger: Ledger, endpoint: str, name: str) -> Due | None:
    """A delivery with its body; None where it is gone."""
    try:
        delivery = await endpoints.delivery(ledger, endpoint, name)
    except UnknownWebhookError:
        return None
    with translated():
        body = await ledger.redis.hget(ledger.keys.webhook(endpoint, "bodies"), name)
    return Due(delivery, zlib.decompress(body)) if body else None


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """What came of an attempt.

    Attributes:
        status: the HTTP status; None without an answer.
        why: why it failed, in a few words.
        delay_s: the pause before the next one; None to give the delivery up.
        probe: it was tried beyond its schedule, which stays as it is.
    """

    verdict: AttemptVerdict
    status: int | None
    why: str
    delay_s: float | None
    probe: bool = False


async def record(ledger: Ledger, endpoint: str, delivery: Delivery, attempt: DeliveryAttempt) -> str:
    """Records an attempt; returns the endpoint's state, or '' where there was nothing to record."""
    next_ms = "-1" if attempt.delay_s is None else str(round(attempt.delay_s * 1000))
    state = await ledger.run(
        "webhook_record", DEFAULT_ACCOUNT, endpoint, delivery.id, delivery.tries, attempt.verdict,
        "" if attempt.status is None else attempt.status, attempt.why,
        "" if attempt.probe else next_ms, FAILING, FAILS_FOR_MS, MOST_DELIVERIES,
    )  # fmt: skip
    return bytes(state).decode()


async def lease(ledger: Ledger, worker: str, keep_ms: int) -> tuple[bool, int]:
    """Takes or renews the lease of who delivers, or gives it back (0).

    Returns whether it is held, and how many endpoints there are.
    """
    held, count = await ledger.run("webhook_lease", DEFAULT_ACCOUNT, worker, keep_ms)
    return bool(int(held)), int(count)


async def _take_states(ledger: Ledger, endpoint: Endpoint, most: int) -> EventsTaken:
    """Takes in ends and halts of jobs, and that jobs must be approved: they are numbered in one order."""
    with translated():
        rows = await ledger.redis.zrange(
            ledger.keys.ended, f"({endpoint.ended_seen}", "+inf", byscore=True, offset=0, num=most, withscores=True
        )
    if not rows:
        return EventsTaken()
    told = [_Numbered.of(member.decode(), int(number)) for member, number in rows]
    asked = [one for one in told if one.type in endpoint.wanted.types]
    found = {record.id: record for record in await several(ledger, [one.job for one in asked])}
    wanted = [record for record in found.values() if endpoint.wanted.account in {None, record.order.account}]
    seen = {one.record.id: one for one in await snapshots.look_at(ledger, wanted)}
    now_ms = await ledger.now_ms()
    events = [one.event(endpoint.id, seen[one.job], now_ms) for one in asked if one.job in seen]
    mark = _Mark("ended_seen", str(endpoint.ended_seen), str(told[-1].number))
    missed = sum(one.job not in found for one in asked if one.type is EventType.JOB_ENDED)
    made = await _make(ledger, endpoint.id, events, mark, missed)
    return EventsTaken(made and len(rows) == most, missed)


async def _take_results(ledger: Ledger, endpoint: Endpoint, most: int) -> EventsTaken:
    wanted = endpoint.wanted
    last, count, *rows = await ledger.run(
        "webhook_results", DEFAULT_ACCOUNT, endpoint.results_seen, most, wanted.account or "", *sorted(wanted.outcomes)
    )
    if not count:
        return EventsTaken()
    told = []
    for entry, fields in zip(rows[::2], rows[1::2], strict=True):
        result = result_of(entry, dict(zip(fields[::2], fields[1::2], strict=True)))
        told.append(ResultEntry(entry.decode(), result.job, result.at_ms, result_view(result)))
    mark = _Mark("results_seen", endpoint.results_seen, last.decode())
    made = await _make(ledger, endpoint.id, list(payloads.job_results(endpoint.id, told)), mark)
    return EventsTaken(made and count == most)


async def _take_receipts(ledger: Ledger, endpoint: Endpoint, most: int) -> EventsTaken:
    with translated():
        rows = await ledger.redis.zrange(
            ledger.keys.receipts_order,
            f"({endpoint.receipts_seen}", "+inf", byscore=True, offset=0, num=most, withscores=True,
        )  # fmt: skip
        lines = await ledger.redis.hmget(ledger.keys.receipts, [job for job, _ in rows]) if rows else []
    if not rows:
        return EventsTaken()
    found = [orjson.loads(line) for line in lines if line]
    wanted = [one for one in found if endpoint.wanted.account in {None, one["job"]["account"]}]
    events = [payloads.receipt_created(endpoint.id, one) for one in wanted]
    mark = _Mark("receipts_seen", str(endpoint.receipts_seen), str(int(rows[-1][1])))
    return EventsTaken(await _make(ledger, endpoint.id, events, mark) and len(rows) == most)


async def _make(ledger: Ledger, endpoint: str, events: Sequence[Event], mark: _Mark, jobs_missed: int = 0) -> bool:
    """Makes deliveries and moves the mark; returns whether it did, and that nobody else was first."""
    parts: list[str | bytes] = []
    for event in events:
        what = {"type": event.type, **({"job": event.job} if event.job else {})}
        parts += [event.id, orjson.dumps(what), zlib.compress(orjson.dumps(event.body))]
    made = await ledger.run(
        "webhook_make", DEFAULT_ACCOUNT, endpoint, MOST_DELIVERIES, mark.name, mark.at, mark.to,
        jobs_missed, *parts,
    )  # fmt: skip
    return bool(int(made))
