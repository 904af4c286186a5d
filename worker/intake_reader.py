"""Reads the intake stream; every worker does."""

import asyncio
from collections.abc import Awaitable, Sequence
from time import monotonic

import structlog
from redis.asyncio import Redis

from cancellist.config.settings import Settings
from cancellist.jobs.errors import (
    CountMismatchError,
    GuardError,
    IdempotencyConflictError,
    LedgerError,
    LedgerFullError,
    LedgerUnavailableError,
    PlanError,
)
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.admission import admit
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.ledger.submitting.intake import Entry, SmallJob
from cancellist.jobs.ledger.submitting.submission import BATCH, Submission
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.worker.intake_entries import IntakeEntries, TakenEntry

log = structlog.get_logger()

_COUNT = 100
_LARGE = 40_000
"""Entries of more bytes are submitted beside the reading, one after another."""
_MOST_ASIDE = 64_000_000
"""The most bytes of large entries in hand; beyond that nothing more is read."""
_BLOCK_MS = 4000
_TAKE_OVER_EVERY_S = 4.0
_LOOK_S = 0.1


class IntakeReader:
    """Makes jobs from entries: many small ones in one script, a large one in batches of its own.

    Large ones are submitted beside the reading, those of one account one after another, so they delay no other account.
    """

    def __init__(
        self,
        ledger: Ledger,
        consumer: str,
        settings: Settings,
        blocking: Redis,
    ) -> None:
        self._ledger = ledger
        self._consumer = consumer
        self._settings = settings
        own = {name: settings.of(name) for name in settings.account_names}
        self._accounts = frozenset(own)
        self._entries = IntakeEntries(ledger, settings)
        self._safeguards = {name: account.safeguards for name, account in own.items()}
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
        """Reads entries once, and makes jobs of them."""
        try:
            await self._run()
        except LedgerFullError as error:
            if not self._full:
                log.warning("the server has no room for new jobs: entries wait", error=str(error))
            self._full = True
            raise
        except LedgerUnavailableError:
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
            # A reply was lost, perhaps with entries in it. They count as read by us, and are not delivered again.
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
        """Submits what the server takes. The rest waits, and no entry stops the others."""
        now_ms = await self._ledger.now_ms()
        small: dict[str, list[SmallJob]] = {}
        refusals: list[LedgerError] = []
        for entry in entries:
            if entry.size > _LARGE:
                self._put_aside(entry)
            else:
                await _apart(self._accept_one(entry, now_ms, small), refusals)
        for account, jobs in small.items():
            await _apart(self._seal(account, jobs), refusals)
        for refusal in refusals:
            raise refusal
        if self._full:
            log.info("the server has room for new jobs again")
            self._full = False

    async def _accept_one(self, entry: Entry, now_ms: int, small: dict[str, list[SmallJob]]) -> None:
        taken = await self._entries.take(entry, now_ms)
        if taken is None:
            return
        if taken.total > BATCH:
            await self._accept_large(entry, taken)
            return
        job = _small(entry, taken)
        expected = job.order.expect_count
        if expected is not None and expected != len(job.references):
            await self._entries.refuse_count(entry, CountMismatchError(expected, len(job.references)))
        else:
            await self._add_small(small, job)

    def _put_aside(self, entry: Entry) -> None:
        if entry.id in self._in_hand:  # it waited so long that it was taken over from ourselves
            return
        account = entry.first(b"account")
        account = account if account in self._accounts else DEFAULT_ACCOUNT
        self._in_hand[entry.id] = entry.size
        self._aside.setdefault(account, []).append(entry)
        if account not in self._lanes:
            self._lanes[account] = asyncio.create_task(self._take_in_turn(account), name=f"intake {account}")

    async def _take_in_turn(self, account: str) -> None:
        """Submits the large entries of an account, one after another.

        If the server is away or full, they are dropped here, and taken over once their reader counts as dead.
        """
        waiting = self._aside[account]
        try:
            while waiting:
                taken = await self._entries.take(waiting[0], await self._ledger.now_ms())
                if taken:
                    await self._accept_large(waiting[0], taken)
                del self._in_hand[waiting.pop(0).id]
        except LedgerError as error:
            log.warning("intake entries wait", entries=[entry.id for entry in waiting], error=str(error))
        except Exception:
            log.exception("intake entry could not be submitted; it waits", entry=waiting[0].id)
        finally:
            for entry in waiting:
                del self._in_hand[entry.id]
            del self._lanes[account], self._aside[account]

    async def _add_small(self, small: dict[str, list[SmallJob]], job: SmallJob) -> None:
        """Collects small jobs of an account until they fill one script."""
        waiting = small.setdefault(job.order.account, [])
        size = sum(len(j.references) + len(j.invalid) for j in waiting)
        if size + len(job.references) + len(job.invalid) > BATCH:
            small[job.order.account] = []
            await self._seal(job.order.account, waiting)
        small[job.order.account].append(job)

    async def _seal(self, account: str, jobs: Sequence[SmallJob]) -> None:
        if not jobs:
            return
        await admit(self._ledger, sum(len(job.references) + len(job.invalid) for job in jobs))
        words, drains = await intake.seal_small(
            self._ledger, account, jobs, self._safeguards[account],
            idempotency_keep_s=self._settings.idempotency_keep, per_call=self._per_call[account],
        )  # fmt: skip
        log.debug("intake", account=account, entries=len(jobs), sealed=words.count("sealed"))
        if refused := [job.entry for job, word in zip(jobs, words, strict=True) if word == "refused"]:
            log.warning("intake entries refused by the guard", account=account, entries=refused)
        await schedule(self._ledger, account, drains)

    async def _accept_large(self, entry: Entry, taken: TakenEntry) -> None:
        await admit(self._ledger, taken.total)
        submission = Submission(self._ledger, taken.order, self._safeguards[taken.order.account])
        with Deduplicator() as deduplicator:
            for batch in taken.batches:
                await submission.add(deduplicator.unique(batch.valid), batch.invalid)
            try:
                sealed = await submission.seal(
                    duplicates=deduplicator.duplicates, idempotency_keep_s=self._settings.idempotency_keep,
                    per_call=self._per_call[taken.order.account], intake=(GROUP, entry.id),
                    reply_to=taken.reply_to,
                )  # fmt: skip
            except CountMismatchError as error:
                await self._entries.refuse_count(entry, error)
                return
            except (IdempotencyConflictError, GuardError, PlanError) as error:
                log.warning("intake entry rejected", entry=entry.id, reason=str(error))
                return
            except LedgerFullError:
                await submission.discard()  # the entry stays in the stream and is tried again
                raise
        if sealed:
            await schedule(self._ledger, taken.order.account, sealed.drains)


def _small(entry: Entry, taken: TakenEntry) -> SmallJob:
    given = [reference for batch in taken.batches for reference in batch.valid]
    valid = list(dict.fromkeys(given))
    invalid = [malformed for batch in taken.batches for malformed in batch.invalid]
    return SmallJob(entry.id, taken.order, valid, invalid, len(given) - len(valid), taken.reply_to)


async def _apart(work: Awaitable[None], refusals: list[LedgerError]) -> None:
    """Does a part of the work; adds the server's refusal to `refusals`, so that it stops no other part.

    Raises:
        LedgerUnavailableError: the server is away.
    """
    try:
        await work
    except LedgerUnavailableError:
        raise
    except LedgerError as error:
        refusals.append(error)
