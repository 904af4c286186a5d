"""Submits a job: batches that nobody sees, then a seal that makes the job whole and visible."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.exceptions import NoScriptError

from cancellist.jobs.errors import (
    CountMismatchError,
    GuardError,
    IdempotencyConflictError,
    LedgerError,
    LedgerFullError,
    PlanError,
)
from cancellist.jobs.ids import SERIALS, job_id
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.core import FORMAT, Ledger
from cancellist.jobs.ledger.pieces import NEWLINE, pack_fresh
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.submitting.admission import admit
from cancellist.jobs.ledger.submitting.content_digest import ContentDigest
from cancellist.jobs.model import JobRequest, JobState
from cancellist.jobs.parsing.chunking import CHUNK_SIZE, Chunker
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.safety.guard import TEXTS, in_words, unpack_findings
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.jobs.safety.safeguards import NONE, Safeguards

BATCH = 2000
"""References in one script."""
CHUNKS_PER_BATCH = BATCH // CHUNK_SIZE
GUARD_TEXTS = orjson.dumps({kind.value: text for kind, text in TEXTS.items()})
"""What an intake entry is answered that a guard refuses (lua/shared/sealing.lua)."""
_BATCHES_PER_TRIP = 8
_CHECK_EVERY = 64_000
"""References of one submission between two checks for room; the first checks come sooner, the last before the seal."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed job; `same` says that its idempotency key was bound to an equal job before, and that job is returned."""

    job: str
    state: JobState
    same: bool
    drains: tuple[str, ...]


class _Serials:
    """Serial numbers for job ids: they count up from a random start, so one process repeats none in a millisecond."""

    def __init__(self) -> None:
        self._serial = random.randrange(SERIALS)

    def next(self) -> int:
        self._serial = (self._serial + 1) % SERIALS
        return self._serial


_serials = _Serials()


def new_job_id() -> str:
    """A new job id. In the rare case that it is taken, the submission takes another."""
    return job_id(time.time_ns() // 1_000_000, _serials.next())


def order_fields(order: JobRequest, safeguards: Safeguards) -> dict[str, str | int]:
    """The stored fields of a job that come from its request, and from the safeguards of its account."""
    fields: dict[str, str | int | None] = {
        "priority": order.priority.value,
        "class": order.priority.rank,
        "reason": order.reason,
        "requested_by": order.requested_by,
        "deadline": order.deadline_ms,
        "start_at": order.start_at_ms,
        "idempotency_key": order.idempotency_key,
        "stop": safeguards.stop_of(order).packed() or None,
        "hold": max(order.hold_ms, safeguards.hold_ms) or None,
        "canary_all": f"{safeguards.canary} {safeguards.canary_above}" if safeguards.canary else None,
        "canary": max(order.canary, safeguards.canary if not safeguards.canary_above else 0) or None,
        "snapshot": int(order.snapshot or safeguards.snapshot) or None,
        "submitted_by": order.submitted_by,
        "retry_of": order.retry_of,
        "guard": safeguards.guard.packed() or None,
        "overridden_by": order.overridden_by,
        "override_reason": order.override_reason,
        "host": order.host,
    }
    return {name: value for name, value in fields.items() if value is not None}


def pack_invalid(entry: InvalidEntry) -> str:
    """The stored form of a malformed line, until its result is written."""
    message = f"line {entry.line}: {entry.reason}"
    return orjson.dumps({"v": FORMAT, "text": entry.text or "(empty)", "message": message}).decode()


class Submission:
    """One job on its way into the ledger. Nothing of it is visible before `seal` answers."""

    def __init__(self, ledger: Ledger, order: JobRequest, safeguards: Safeguards = NONE) -> None:
        self._ledger = ledger
        self._order = order
        self._safeguards = safeguards
        self._content = ContentDigest(order)
        self._planned = ReferenceSet() if order.plan else None
        self._nonce = f"{random.getrandbits(64):016x}"
        self.job = new_job_id()
        self._batches: list[tuple[Any, ...]] = []
        self._number = 0
        self._chunker = Chunker()
        self._chunks: list[str] = []
        self._sending: asyncio.Task[None] | None = None
        self._checked_at = 0
        self._counted = 0
        self.valid = 0
        self.invalid = 0

    async def add(self, references: Sequence[str], invalid: Sequence[InvalidEntry] = ()) -> None:
        """Adds references (normalised, valid, each once in the job) and malformed lines, in order.

        Raises:
            LedgerFullError: the server has no room for them.
            LedgerError: the server cannot take them.
        """
        self._content.add(references, invalid)
        if self._planned:
            self._planned.add(references)
        self.valid += len(references)
        self.invalid += len(invalid)
        await self._queue_chunks(self._chunker.feed(references))
        for start in range(0, len(invalid), BATCH):
            await self._queue([], invalid[start : start + BATCH])

    async def seal(
        self,
        *,
        duplicates: int,
        idempotency_keep_s: float,
        per_call: int,
        intake: tuple[str, str] | None = None,
        reply_to: str = "",
    ) -> Sealed | None:
        """Makes the job whole and visible. Repeating it gets the same answer.

        Args:
            duplicates: the number of duplicates that were left out.
            idempotency_keep_s: how long the idempotency key stays bound.
            per_call: references a call, to work out how many drains the job can use.
            intake: the consumer group and entry of the intake stream, where the job came from it.
            reply_to: the name that the entry is to be answered under.

        Returns:
            The sealed job; None where another reader sealed the same intake entry.

        Raises:
            IdempotencyConflictError: the key is bound to other content; nothing was submitted.
            GuardError: a guard of the account refuses it; nothing was submitted.
            PlanError: it is not what its plan was made of; nothing was submitted.
            CountMismatchError: it has more or fewer references than were said to be; nothing was submitted.
            LedgerError: the server cannot take it.
        """
        await self._check_count()
        await self._complete()
        key = self._order.idempotency_key or ""
        group, entry = intake or ("", "")
        total = self.valid + self.invalid
        reply = await self._ledger.run(
            "seal", self._order.account, self.job, self._nonce, total, duplicates, self.invalid, key,
            self._content.digest(), round(idempotency_keep_s * 1000), group, entry, per_call,
            reply_to, GUARD_TEXTS if intake else "", self._following(),
        )  # fmt: skip
        return self._sealed([word.decode() for word in reply])

    async def discard(self) -> None:
        """Drops a submission that will not be sealed; does nothing after the seal."""
        with contextlib.suppress(LedgerError):
            await self._sent()
        await self._ledger.run("discard", self._order.account, self.job, self._nonce)

    def _sealed(self, words: list[str]) -> Sealed | None:
        """What seal.lua has answered."""
        match words:
            case ["sealed", job, state, *drains]:
                return Sealed(job, JobState(state), same=False, drains=tuple(drains))
            case ["same", job, state, *_]:
                return Sealed(job, JobState(state), same=True, drains=())
            case ["conflict", job, *_]:
                raise IdempotencyConflictError(self._order.idempotency_key or "", job)
            case ["refused", why, *_]:
                raise GuardError(self._order.account, in_words(unpack_findings(why)))
            case ["stale_plan", why, *_]:
                raise PlanError(why)
            case ["taken", *_]:
                return None
            case _:
                raise LedgerError(
                    f"job {self.job} paused for over an hour between batches and was dropped; submit it again"
                )

    async def _check_count(self) -> None:
        """Drops a submission of another number of references than it is said to have."""
        expected = self._order.expect_count
        if expected is not None and expected != self.valid:
            await self.discard()
            raise CountMismatchError(expected, self.valid)

    def _following(self) -> bytes:
        if not self._order.plan or self._planned is None:
            return b""
        return orjson.dumps(
            plans.following(self._order.plan, self._safeguards.platform, self._planned, self._order.host)
        )

    async def _complete(self) -> None:
        """Sends the rest; drops the submission where the server has no room for its results."""
        rest, self._chunks = [*self._chunks, *self._chunker.flush()], []
        if rest or not self._number:
            await self._queue(rest, ())
        try:
            await self._send()
            await self._sent()
            # The ledger counts all of it now, and what others are sending, so no two are promised the same room.
            await admit(self._ledger, 0)
        except LedgerFullError:
            await self.discard()
            raise

    async def _queue_chunks(self, chunks: Sequence[str]) -> None:
        self._chunks += chunks
        while len(self._chunks) >= CHUNKS_PER_BATCH:
            batch, self._chunks = self._chunks[:CHUNKS_PER_BATCH], self._chunks[CHUNKS_PER_BATCH:]
            await self._queue(batch, ())

    async def _queue(self, chunks: Sequence[str], invalid: Sequence[InvalidEntry]) -> None:
        self._number += 1
        fields: list[str | int] = []
        if self._number == 1:
            fields = [part for pair in order_fields(self._order, self._safeguards).items() for part in pair]
        pieces = [pack_fresh(chunk) for chunk in chunks]
        count = sum(chunk.count(NEWLINE) + 1 for chunk in chunks)
        head = (self._nonce, self._number, count, len(invalid), len(fields) // 2)
        self._batches.append((*head, *fields, *pieces, "", *map(pack_invalid, invalid)))
        if len(self._batches) >= _BATCHES_PER_TRIP:
            await self._send()

    async def _send(self) -> None:
        await self._sent()
        count = self.valid + self.invalid
        if self._counted and count - self._checked_at >= min(_CHECK_EVERY, max(1, self._checked_at)):
            await admit(self._ledger, count - self._counted)
            self._checked_at = count
        self._counted = count
        batches, self._batches = self._batches, []
        if batches:
            self._sending = asyncio.create_task(self._transmit(batches))

    async def _sent(self) -> None:
        if self._sending:
            task, self._sending = self._sending, None
            await task

    async def _transmit(self, batches: list[tuple[Any, ...]]) -> None:
        """Sends batches in order, in one round trip. A repeated batch is added once."""
        replies = await self._trip(batches)
        if replies[0] == -1 and batches[0][1] == 1:
            self.job = new_job_id()
            replies = await self._trip(batches)
        if any(reply < 0 for reply in replies):
            raise LedgerError(f"job {self.job} was dropped before it was sealed; submit it again")

    async def _trip(self, batches: list[tuple[Any, ...]]) -> list[int]:
        keys = self._ledger.keys.of_account(self._order.account)
        head = (self._ledger.keys.prefix, self._order.account, self.job)
        script = self._ledger.scripts.text("submit")
        with translated():
            for command in (("EVALSHA", script.sha), ("EVAL", script.text)):
                pipe = self._ledger.redis.pipeline(transaction=False)
                for batch in batches:
                    pipe.execute_command(*command, len(keys), *keys, *head, *batch)
                try:
                    return [int(reply) for reply in await pipe.execute()]
                except NoScriptError:
                    continue
        raise LedgerError("the server does not keep scripts; check that nothing runs SCRIPT FLUSH in a loop")
