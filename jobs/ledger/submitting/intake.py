"""The intake stream: any system in any language hands in a job with one XADD."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from cancellist.jobs.errors import InputError, LedgerUnfitError
from cancellist.jobs.escaping import cut
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.pieces import pack_fresh
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.submitting.content_digest import ContentDigest
from cancellist.jobs.ledger.submitting.submission import GUARD_TEXTS, new_job_id, order_fields, pack_invalid
from cancellist.jobs.model import JobRequest
from cancellist.jobs.parsing.chunking import pack
from cancellist.jobs.parsing.intake_entry import reply_name, size
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.jobs.safety.safeguards import NONE, Safeguards

_KEPT_TEXT, _KEPT_IN_ALL = 1000, 4000
_KEPT_FIELDS = 50
_PLAN, _HIDDEN = b"plan", "***"
"""The token of a plan may still be used, so it is not repeated, whichever field it was written into."""
_GONE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream, unparsed."""

    id: str
    pairs: tuple[tuple[bytes, bytes], ...]
    """Names and values in order. A name may occur more than once, and neither must be text."""

    @property
    def size(self) -> int:
        """The bytes of all names and values."""
        return size(self.pairs)

    def first(self, name: bytes) -> str:
        """The first value of that name as text; empty where there is none."""
        return next((_text(value) for given, value in self.pairs if given == name), "")


@dataclass(frozen=True, slots=True)
class SmallJob:
    """The job of one entry, small enough to be made in one script with others.

    Attributes:
        reply_to: the name that the entry is to be answered under; empty for none.
    """

    entry: str
    order: JobRequest
    references: Sequence[str]
    invalid: Sequence[InvalidEntry]
    duplicates: int
    reply_to: str = ""


async def prepare(ledger: Ledger) -> None:
    """Creates the stream and its consumer group if they are missing. Entries that are already there are read too.

    Raises:
        LedgerUnfitError: the stream's key holds something else.
    """
    with _translated(ledger):
        try:
            await ledger.redis.xgroup_create(ledger.keys.intake, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


async def read(ledger: Ledger, blocking: Redis, consumer: str, *, count: int, block_ms: int) -> list[Entry]:
    """Waits up to `block_ms` for at most `count` new entries; creates the stream or the group again if it is gone."""
    return await _read(ledger, blocking, consumer, ">", "COUNT", count, "BLOCK", block_ms)


async def unfinished(ledger: Ledger, consumer: str, *, count: int) -> list[Entry]:
    """Entries that this reader got and has not finished, oldest first."""
    return await _read(ledger, ledger.redis, consumer, "0", "COUNT", count)


async def take_over(ledger: Ledger, consumer: str, *, idle_ms: int, count: int) -> list[Entry]:
    """Takes over entries that their readers have not finished for `idle_ms`."""
    words = (ledger.keys.intake, GROUP, consumer, idle_ms, "0-0", "COUNT", count)
    with _translated(ledger):
        try:
            reply = await ledger.redis.execute_command(b"XAUTOCLAIM", *words)
        except ResponseError as error:
            if not _gone(error):
                raise
            await prepare(ledger)
            return []
    return _entries(reply[1])


async def _read(ledger: Ledger, redis: Redis, consumer: str, since: str, *options: str | int) -> list[Entry]:
    client: Any = redis
    words = ("GROUP", GROUP, consumer, *options, "STREAMS", ledger.keys.intake, since)
    with _translated(ledger):
        try:
            # The command is bytes: for commands that it knows, redis-py makes a dict and loses repeated fields.
            reply = await client.execute_command(b"XREADGROUP", *words)
        except ResponseError as error:
            if not _gone(error):
                raise
            await prepare(ledger)
            return []
    return _entries(reply[0][1]) if reply else []


def _gone(error: ResponseError) -> bool:
    """Whether the stream or its group is gone: deleted, destroyed, or the server was flushed."""
    text = str(error)
    return text.startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in text or "no longer exists" in text


@contextmanager
def _translated(ledger: Ledger) -> Iterator[None]:
    """Like `translated`, but names the stream where its key holds something else."""
    with translated():
        try:
            yield
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            raise LedgerUnfitError(
                f"the key {ledger.keys.intake} is no stream, so nothing that other systems hand in is read: "
                "remove it, or choose another CANCELLIST_NAMESPACE"
            ) from error


async def leave(ledger: Ledger, consumer: str) -> None:
    """Removes this reader, and readers that are long gone, from the group, unless they have pending entries."""
    with translated():
        try:
            rows = await ledger.redis.xinfo_consumers(ledger.keys.intake, GROUP)
        except ResponseError as error:
            if not _gone(error):
                raise
            return  # the server was flushed, or is too full to create the stream
        for row in rows:
            gone = row["name"] == consumer.encode() or row["idle"] > _GONE_MS
            if gone and not row["pending"]:
                await ledger.redis.xgroup_delconsumer(ledger.keys.intake, GROUP, row["name"])


async def reject(ledger: Ledger, account: str, entry: Entry, reason: str, *, code: str = InputError.code) -> None:
    """Answers an entry that cannot become a job with the reason and its code, and takes it off the stream."""
    reason = plans.hidden(reason)
    answer = {"entry": entry.id, "reason": reason}
    left = _KEPT_IN_ALL
    for at, (raw_name, raw_value) in enumerate(entry.pairs[:_KEPT_FIELDS], 1):
        value = _HIDDEN if raw_name == _PLAN else cut(plans.hidden(_text(raw_value)), _KEPT_TEXT)
        name = f"given.{cut(plans.hidden(_text(raw_name)), _KEPT_TEXT)}"
        left -= len(name) + len(value)
        if left < 0:
            break
        answer[f"{name}.{at}" if name in answer else name] = value
    words = (word for pair in answer.items() for word in pair)
    await ledger.run("reject", account, GROUP, entry.id, reply_name(entry.pairs), reason, code, *words)


async def seal_small(
    ledger: Ledger,
    account: str,
    jobs: Sequence[SmallJob],
    safeguards: Safeguards = NONE,
    *,
    idempotency_keep_s: float,
    per_call: int,
) -> tuple[list[str], list[str]]:
    """Makes many small jobs of one account in one script; returns a word for each job, and the drains to enqueue.

    The words are `sealed`, `same`, `conflict`, `refused`, `stale_plan` and `taken` (lua/intake.lua).
    """
    answers: list[str] = ["clash"] * len(jobs)
    drains: list[str] = []
    while "clash" in answers:
        clashing = [n for n, answer in enumerate(answers) if answer == "clash"]
        documents = [_document(jobs[n], safeguards) for n in clashing]
        reply = await ledger.run(
            "intake", account, GROUP, round(idempotency_keep_s * 1000), per_call, GUARD_TEXTS, *documents
        )
        named = int(reply[0])
        drains += [word.decode() for word in reply[1 : 1 + named]]
        for n, word in zip(clashing, reply[1 + named :], strict=True):
            answers[n] = word.decode()
    return answers, drains


def _document(job: SmallJob, safeguards: Safeguards) -> bytes:
    content = ContentDigest(job.order)
    content.add(job.references, job.invalid)
    document: dict[str, Any] = {
        "entry": job.entry,
        "job": new_job_id(),
        "fields": order_fields(job.order, safeguards),
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
    if job.order.plan:
        references = ReferenceSet()
        references.add(job.references)
        document["plan"] = plans.following(job.order.plan, safeguards.platform, references)
    if job.reply_to:
        document["reply_to"] = job.reply_to
    return orjson.dumps(document)


def _entries(rows: Sequence[Any]) -> list[Entry]:
    """The entries of a raw reply. An entry that was deleted meanwhile has no fields and is left out."""
    return [Entry(row[0].decode(), tuple(_in_pairs(row[1]))) for row in rows if row and row[1] is not None]


def _in_pairs(words: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Splits an alternating sequence into pairs."""
    return zip(words[::2], words[1::2], strict=True)


def _text(raw: bytes) -> str:
    """Any bytes as text; only as many are decoded as are kept."""
    return raw[: 4 * _KEPT_TEXT].decode("utf-8", "backslashreplace")
