"""The reader of the intake stream, in every worker."""

from collections.abc import Sequence
from time import monotonic

import structlog
from redis.asyncio import Redis

from config.settings import Settings
from jobs.errors import IdempotencyConflictError
from jobs.intake import IntakeOrder, MalformedEntryError, parse_entry
from jobs.ledger import intake
from jobs.ledger.core import Ledger
from jobs.ledger.deduplication import Deduplicator
from jobs.ledger.drains import enqueue
from jobs.ledger.intake import GROUP, Entry, SmallJob
from jobs.ledger.submission import BATCH, Submission, admit
from jobs.model import DEFAULT_ACCOUNT
from jobs.patterns import ReferencePattern
from jobs.references import Batch, RawBatch, classify

log = structlog.get_logger()

_COUNT = 100
_BLOCK_MS = 4000
_TAKE_OVER_EVERY_S = 4.0


class Intake:
    """Turns entries into jobs: many small ones in one script, a large one in batches of its own."""

    def __init__(
        self,
        ledger: Ledger,
        consumer: str,
        accounts: frozenset[str],
        pattern: ReferencePattern,
        settings: Settings,
        blocking: Redis,
    ) -> None:
        self._ledger = ledger
        self._consumer = consumer
        self._accounts = accounts
        self._pattern = pattern
        self._settings = settings
        self._blocking = blocking
        self._idle_ms = round(settings.lease_seconds * 1000)
        self._looked_at = 0.0
        self._prepared = False

    async def run(self) -> None:
        """Reads and deals with what there is, once."""
        if not self._prepared:
            await intake.prepare(self._ledger)
            self._prepared = True
        entries: list[Entry] = []
        if monotonic() - self._looked_at > _TAKE_OVER_EVERY_S:
            self._looked_at = monotonic()
            entries = await intake.take_over(self._ledger, self._consumer, idle_ms=self._idle_ms, count=_COUNT)
        if not entries:
            entries = await intake.read(self._ledger, self._blocking, self._consumer, count=_COUNT, block_ms=_BLOCK_MS)
        if entries:
            await self._accept(entries)

    async def _accept(self, entries: Sequence[Entry]) -> None:
        now_ms = await self._ledger.now_ms()
        await admit(self._ledger, sum(len(e.fields.get("references", "")) for e in entries) // 15)
        small: dict[str, list[SmallJob]] = {}
        size: dict[str, int] = {}
        for entry in entries:
            wanted = await self._parsed(entry, now_ms)
            if wanted is None:
                continue
            if len(wanted.references) > BATCH:
                await self._accept_large(entry, wanted)
                continue
            account, job = wanted.order.account, self._small(entry, wanted)
            count = len(job.references) + len(job.invalid)
            if size.get(account, 0) + count > BATCH:
                await self._seal(account, small.pop(account))
                size[account] = 0
            small.setdefault(account, []).append(job)
            size[account] = size.get(account, 0) + count
        for account, jobs in small.items():
            await self._seal(account, jobs)

    async def _parsed(self, entry: Entry, now_ms: int) -> IntakeOrder | None:
        """The entry's order; None where it was rejected. One entry never stops the others."""
        try:
            return parse_entry(entry.fields, now_ms=now_ms, accounts=self._accounts)
        except MalformedEntryError as error:
            reason = str(error)
        except Exception:
            log.exception("intake entry could not be read", entry=entry.id)
            reason = "it could not be read"
        log.warning("intake entry rejected", entry=entry.id, reason=reason)
        await intake.reject(self._ledger, DEFAULT_ACCOUNT, entry, reason)
        return None

    def _small(self, entry: Entry, wanted: IntakeOrder) -> SmallJob:
        batch = self._classify(wanted.references)
        valid = list(dict.fromkeys(batch.valid))
        return SmallJob(entry.id, wanted.order, valid, batch.invalid, len(batch.valid) - len(valid))

    def _classify(self, references: list[str], first_line: int = 1) -> Batch:
        return classify(RawBatch(range(first_line, first_line + len(references)), references), self._pattern)

    async def _seal(self, account: str, jobs: Sequence[SmallJob]) -> None:
        words, drains = await intake.seal_small(
            self._ledger, account, jobs,
            idempotency_keep_s=self._settings.idempotency_keep, per_call=self._settings.max_references_per_call,
        )  # fmt: skip
        log.debug("intake", account=account, entries=len(jobs), sealed=words.count("sealed"))
        await enqueue(self._ledger, account, drains)

    async def _accept_large(self, entry: Entry, wanted: IntakeOrder) -> None:
        submission = Submission(self._ledger, wanted.order)
        with Deduplicator() as deduplicator:
            for at in range(0, len(wanted.references), 10_000):
                batch = self._classify(wanted.references[at : at + 10_000], at + 1)
                await submission.add(deduplicator.unique(batch.valid), batch.invalid)
            try:
                sealed = await submission.seal(
                    duplicates=deduplicator.duplicates, idempotency_keep_s=self._settings.idempotency_keep,
                    per_call=self._settings.max_references_per_call, intake=(GROUP, entry.id),
                )  # fmt: skip
            except IdempotencyConflictError as error:
                log.warning("intake entry rejected", entry=entry.id, reason=str(error))
                return
        if sealed:
            await enqueue(self._ledger, wanted.order.account, sealed.drains)
