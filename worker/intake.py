"""The reader of the intake stream, in every worker."""

import asyncio
from collections.abc import Sequence
from time import monotonic

import structlog
from redis.asyncio import Redis

from config.settings import Settings
from jobs.errors import IdempotencyConflictError, LedgerError, LedgerFullError
from jobs.intake import IntakeOrder, MalformedEntryError, parse_entry
from jobs.ledger import intake
from jobs.ledger.core import Ledger
from jobs.ledger.deduplication import Deduplicator
from jobs.ledger.drains import enqueue
from jobs.ledger.intake import GROUP, Entry, SmallJob
from jobs.ledger.room import admit
from jobs.ledger.submission import BATCH, Submission
from jobs.model import DEFAULT_ACCOUNT
from jobs.patterns import ReferencePattern
from jobs.references import Batch, RawBatch, classify

log = structlog.get_logger()

_COUNT = 100
_LARGE = 40_000
"""Characters of references from which an entry is taken in beside the others."""
_MOST_ASIDE = 64_000_000
"""Characters that wait beside; beyond that nothing more is read."""
_LONG = 1_000_000
"""Characters of references that are better parsed beside the event loop."""
_BLOCK_MS = 4000
_TAKE_OVER_EVERY_S = 4.0
_LOOK_S = 0.1


class Intake:
    """Turns entries into jobs: many small ones in one script, a large one in batches of its own.

    Large ones are taken in beside the reading, those of one account in turn: they hold up nobody else's.
    """

    def __init__(self, ledger: Ledger, consumer: str, settings: Settings, blocking: Redis) -> None:
        self._ledger = ledger
        self._consumer = consumer
        self._settings = settings
        own = {name: settings.of(name) for name in settings.account_names}
        self._accounts = frozenset(own)
        self._patterns = {name: ReferencePattern(account.reference_pattern) for name, account in own.items()}
        self._per_call = {name: account.max_references_per_call for name, account in own.items()}
        self._blocking = blocking
        self._idle_ms = round(settings.lease_seconds * 1000)
        self._looked_at = 0.0
        self._prepared = False
        self._lost = False
        self._full = False
        self._aside: dict[str, list[Entry]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._in_hand: dict[str, int] = {}

    async def run(self) -> None:
        """Reads and deals with what there is, once."""
        try:
            await self._run()
        except LedgerFullError as error:
            if not self._full:
                log.warning("no room for what is handed in: it waits", error=str(error))
            self._full = True
            raise
        except LedgerError:
            self._lost = True
            raise
        except asyncio.CancelledError:
            for lane in self._lanes.values():
                lane.cancel()
            await asyncio.gather(*self._lanes.values(), return_exceptions=True)
            raise

    async def _run(self) -> None:
        while sum(self._in_hand.values()) > _MOST_ASIDE:
            await asyncio.wait(self._lanes.values(), timeout=_LOOK_S)
        if not self._prepared:
            await intake.prepare(self._ledger)
            self._prepared = True
        entries: list[Entry] = []
        if self._lost:
            # A reply was lost, perhaps with entries in it: they count as read by us, and are not told again.
            entries = await intake.unfinished(self._ledger, self._consumer, count=_COUNT)
            entries = [entry for entry in entries if entry.id not in self._in_hand]
            self._lost = bool(entries)
        if not entries and monotonic() - self._looked_at > _TAKE_OVER_EVERY_S:
            self._looked_at = monotonic()
            entries = await intake.take_over(self._ledger, self._consumer, idle_ms=self._idle_ms, count=_COUNT)
        if not entries:
            entries = await intake.read(self._ledger, self._blocking, self._consumer, count=_COUNT, block_ms=_BLOCK_MS)
        if entries:
            await self._accept(entries)

    async def _accept(self, entries: Sequence[Entry]) -> None:
        """Takes in what it can; one entry never stops the others, and what the server has no room for waits."""
        now_ms = await self._ledger.now_ms()
        small: dict[str, list[SmallJob]] = {}
        full: LedgerFullError | None = None
        for entry in entries:
            if len(entry.fields.get("references", "")) > _LARGE:
                self._put_aside(entry)
                continue
            wanted = await self._parsed(entry, now_ms)
            if wanted is None:
                continue
            try:
                if len(wanted.references) > BATCH:
                    await self._accept_large(entry, wanted)
                else:
                    await self._add_small(small, self._small(entry, wanted))
            except LedgerFullError as error:
                full = error
        for account, jobs in small.items():
            await self._seal(account, jobs)
        if full:
            raise full
        if self._full:
            log.info("there is room again for what is handed in")
            self._full = False

    def _put_aside(self, entry: Entry) -> None:
        if entry.id in self._in_hand:  # it has waited for so long that it was taken for a dead reader's
            return
        account = entry.fields.get("account", "")
        self._in_hand[entry.id] = len(entry.fields["references"])
        self._aside.setdefault(account, []).append(entry)
        if account not in self._lanes:
            self._lanes[account] = asyncio.create_task(self._take_in_turn(account), name=f"intake {account}")

    async def _take_in_turn(self, account: str) -> None:
        """Takes in the large entries of an account.

        Where the server is away or full, they are let go: they are taken over once their reader counts as dead.
        """
        waiting = self._aside[account]
        try:
            while waiting:
                wanted = await self._parsed(waiting[0], await self._ledger.now_ms())
                if wanted:
                    await self._accept_large(waiting[0], wanted)
                del self._in_hand[waiting.pop(0).id]
        except LedgerError as error:
            log.warning("intake entries wait", entries=[entry.id for entry in waiting], error=str(error))
        except Exception:
            log.exception("intake entry could not be taken in; it waits", entry=waiting[0].id)
        finally:
            for entry in waiting:
                del self._in_hand[entry.id]
            del self._lanes[account], self._aside[account]

    async def _add_small(self, small: dict[str, list[SmallJob]], job: SmallJob) -> None:
        """Gathers small jobs of an account until they fill a script."""
        waiting = small.setdefault(job.order.account, [])
        size = sum(len(j.references) + len(j.invalid) for j in waiting)
        if size + len(job.references) + len(job.invalid) > BATCH:
            small[job.order.account] = []
            await self._seal(job.order.account, waiting)
        small[job.order.account].append(job)

    async def _parsed(self, entry: Entry, now_ms: int) -> IntakeOrder | None:
        """The entry's order; None where it was rejected. One entry never stops the others."""
        try:
            if len(entry.fields.get("references", "")) > _LONG:
                return await asyncio.to_thread(parse_entry, entry.fields, now_ms=now_ms, accounts=self._accounts)
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
        batch = self._classify(wanted.order.account, wanted.references)
        valid = list(dict.fromkeys(batch.valid))
        return SmallJob(entry.id, wanted.order, valid, batch.invalid, len(batch.valid) - len(valid))

    def _classify(self, account: str, references: list[str], first_line: int = 1) -> Batch:
        raw = RawBatch(range(first_line, first_line + len(references)), references)
        return classify(raw, self._patterns[account])

    async def _seal(self, account: str, jobs: Sequence[SmallJob]) -> None:
        if not jobs:
            return
        await admit(self._ledger, sum(len(job.references) + len(job.invalid) for job in jobs))
        words, drains = await intake.seal_small(
            self._ledger, account, jobs,
            idempotency_keep_s=self._settings.idempotency_keep, per_call=self._per_call[account],
        )  # fmt: skip
        log.debug("intake", account=account, entries=len(jobs), sealed=words.count("sealed"))
        await enqueue(self._ledger, account, drains)

    async def _accept_large(self, entry: Entry, wanted: IntakeOrder) -> None:
        await admit(self._ledger, len(wanted.references))
        submission = Submission(self._ledger, wanted.order)
        with Deduplicator() as deduplicator:
            for at in range(0, len(wanted.references), 10_000):
                batch = self._classify(wanted.order.account, wanted.references[at : at + 10_000], at + 1)
                await submission.add(deduplicator.unique(batch.valid), batch.invalid)
            try:
                sealed = await submission.seal(
                    duplicates=deduplicator.duplicates, idempotency_keep_s=self._settings.idempotency_keep,
                    per_call=self._per_call[wanted.order.account], intake=(GROUP, entry.id),
                )  # fmt: skip
            except IdempotencyConflictError as error:
                log.warning("intake entry rejected", entry=entry.id, reason=str(error))
                return
            except LedgerFullError:
                await submission.discard()  # the entry stays, and is tried again
                raise
        if sealed:
            await enqueue(self._ledger, wanted.order.account, sealed.drains)
