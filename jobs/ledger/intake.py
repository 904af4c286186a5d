"""The intake stream, by which any system in any language hands in jobs with one XADD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.chunking import pack
from jobs.ledger.connection import translated
from jobs.ledger.core import Ledger
from jobs.ledger.packing import pack_fresh
from jobs.ledger.submission import Content, new_job_id, order_fields, pack_invalid
from jobs.model import JobOrder
from jobs.references import InvalidEntry

GROUP = "cancellist"
_KEPT_TEXT, _KEPT_IN_ALL = 1000, 4000
_KEPT_FIELDS = 50
_GONE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream as it came."""

    id: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SmallJob:
    """An entry that has become a job small enough to be made with many others in one script."""

    entry: str
    order: JobOrder
    references: Sequence[str]
    invalid: Sequence[InvalidEntry]
    duplicates: int


async def prepare(ledger: Ledger) -> None:
    """Makes the stream and its consumer group where there are none."""
    with translated():
        try:
            await ledger.redis.xgroup_create(ledger.keys.intake, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


async def read(ledger: Ledger, blocking: Redis, consumer: str, *, count: int, block_ms: int) -> list[Entry]:
    """Waits for new entries, at most so many and so long."""
    with translated():
        try:
            reply = await blocking.xreadgroup(GROUP, consumer, {ledger.keys.intake: ">"}, count=count, block=block_ms)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await prepare(ledger)
            return []
    return _entries(reply[0][1]) if reply else []


async def unfinished(ledger: Ledger, consumer: str, *, count: int) -> list[Entry]:
    """Entries that this reader was given and has not dealt with, oldest first."""
    with translated():
        try:
            reply = await ledger.redis.xreadgroup(GROUP, consumer, {ledger.keys.intake: "0"}, count=count)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            return []
    return _entries(reply[0][1]) if reply else []


async def take_over(ledger: Ledger, consumer: str, *, idle_ms: int, count: int) -> list[Entry]:
    """Takes over entries whose reader has not dealt with them for so long."""
    with translated():
        reply = await ledger.redis.xautoclaim(ledger.keys.intake, GROUP, consumer, idle_ms, "0-0", count=count)
    return _entries(reply[1])


async def leave(ledger: Ledger, consumer: str) -> None:
    """Takes a reader off the group, and those that are long gone, where they have nothing pending."""
    with translated():
        try:
            rows = await ledger.redis.xinfo_consumers(ledger.keys.intake, GROUP)
        except ResponseError as error:
            if "no such key" not in str(error) and not str(error).startswith("NOGROUP"):
                raise
            return  # the server was emptied, or too full for the stream to be made
        for row in rows:
            gone = row["name"] == consumer.encode() or row["idle"] > _GONE_MS
            if gone and not row["pending"]:
                await ledger.redis.xgroup_delconsumer(ledger.keys.intake, GROUP, row["name"])


async def reject(ledger: Ledger, account: str, entry: Entry, reason: str) -> None:
    """Answers an entry that cannot become a job, and takes it off the stream."""
    pairs = ["entry", entry.id, "reason", reason]
    left = _KEPT_IN_ALL
    for name, value in list(entry.fields.items())[:_KEPT_FIELDS]:
        given = (f"given.{_cut(name)}", _cut(value))
        left -= sum(map(len, given))
        if left < 0:
            break
        pairs += given
    await ledger.run("reject", account, GROUP, entry.id, *pairs)


async def seal_small(
    ledger: Ledger, account: str, jobs: Sequence[SmallJob], *, idempotency_keep_s: float, per_call: int
) -> tuple[list[str], list[str]]:
    """Makes many small jobs of one account in one script; answers what became of each, and drains to enqueue."""
    answers: list[str] = ["clash"] * len(jobs)
    drains: list[str] = []
    while "clash" in answers:
        clashing = [n for n, answer in enumerate(answers) if answer == "clash"]
        documents = [_document(jobs[n]) for n in clashing]
        reply = await ledger.run("intake", account, GROUP, round(idempotency_keep_s * 1000), per_call, *documents)
        named = int(reply[0])
        drains += [word.decode() for word in reply[1 : 1 + named]]
        for n, word in zip(clashing, reply[1 + named :], strict=True):
            answers[n] = word.decode()
    return answers, drains


def _document(job: SmallJob) -> bytes:
    content = Content(job.order)
    content.add(job.references, job.invalid)
    document: dict[str, Any] = {
        "entry": job.entry,
        "job": new_job_id(),
        "fields": order_fields(job.order),
        "calls": [pack_fresh(chunk) for chunk in pack(job.references)],
        "invalid": [pack_invalid(entry) for entry in job.invalid],
        "total": len(job.references) + len(job.invalid),
        "valid": len(job.references),
        "duplicates": job.duplicates,
        "malformed": len(job.invalid),
        "key": job.order.idempotency_key or "",
        "digest": content.digest(),
    }
    if job.order.start_at_ms is not None:
        document["start_at"] = job.order.start_at_ms
    if job.order.deadline_ms is not None:
        document["deadline"] = job.order.deadline_ms
    return orjson.dumps(document)


def _entries(rows: Sequence[Any]) -> list[Entry]:
    return [
        Entry(entry.decode(), {_text(k): _text(v) for k, v in fields.items()})
        for entry, fields in rows
        if fields is not None
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _KEPT_TEXT else text[: _KEPT_TEXT - 1] + "…"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
