"""Takes entries of the intake stream, or rejects them with a reason."""

import asyncio
from dataclasses import dataclass
from time import monotonic

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import (
    CountMismatchError,
    InputError,
    LedgerError,
    NewHostError,
)
from cancellist.jobs.ledger import hosts, plans
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.intake import Entry
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.model import DEFAULT_ACCOUNT, JobRequest
from cancellist.jobs.parsing.intake_entry import parse_entry, sift
from cancellist.jobs.parsing.intake_values import MalformedEntryError
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import Batch

log = structlog.get_logger()

_LONG = 200_000
"""Entries of more bytes are parsed in a thread, since parsing would block the event loop."""
_LOOK_AT_HOST_S = 1.0


@dataclass(frozen=True, slots=True)
class TakenEntry:
    """A parsed entry: the job's request, the checked references in batches, and the name for its answer."""

    order: JobRequest
    batches: list[Batch]
    reply_to: str

    @property
    def total(self) -> int:
        """The number of references, including duplicates and malformed ones."""
        return sum(len(batch.valid) + len(batch.invalid) for batch in self.batches)


class IntakeEntries:
    """Parses entries for the accounts that are served here, and rejects those that cannot become jobs."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        own = {name: settings.of(name) for name in settings.account_names}
        self._accounts = frozenset(own)
        self._patterns = {name: ReferencePattern(account.reference_pattern) for name, account in own.items()}
        self._environments = {name: account.environment for name, account in own.items()}
        self._most = parse_limit(settings.max_invalid)
        self._confirmed_at: dict[str, float] = {}

    async def take(self, entry: Entry, now_ms: int) -> TakenEntry | None:
        """Parses an entry; None where it was rejected. No entry stops the others."""
        code = InputError.code
        try:
            if entry.size > _LONG:
                taken = await asyncio.to_thread(self._understood, entry, now_ms)
            else:
                taken = self._understood(entry, now_ms)
            await self._check_host(taken.order.account)
        except LedgerError:
            raise
        except NewHostError as error:
            reason, code = str(error), error.code
        except MalformedEntryError as error:
            reason = plans.hidden(str(error))
        except Exception:
            log.exception("intake entry could not be read", entry=entry.id)
            reason = "it could not be read"
        else:
            return taken
        log.warning("intake entry rejected", entry=entry.id, reason=reason)
        await intake.reject(self._ledger, DEFAULT_ACCOUNT, entry, reason, code=code)
        return None

    async def refuse_count(self, entry: Entry, error: CountMismatchError) -> None:
        """Rejects an entry of another number of references than it says."""
        log.warning("intake entry rejected", entry=entry.id, reason=str(error))
        await intake.reject(self._ledger, DEFAULT_ACCOUNT, entry, str(error), code=error.code)

    async def _check_host(self, account: str) -> None:
        """Refuses work for a host that nobody has confirmed; asks the server now and then.

        Raises:
            NewHostError: nobody has.
        """
        if monotonic() - self._confirmed_at.get(account, -_LOOK_AT_HOST_S) < _LOOK_AT_HOST_S:
            return
        at = monotonic()
        host = await hosts.strange(self._ledger, account, self._environments[account])
        if host is not None:
            raise NewHostError(account, host, None)
        self._confirmed_at[account] = at

    def _understood(self, entry: Entry, now_ms: int) -> TakenEntry:
        wanted = parse_entry(entry.pairs, now_ms=now_ms, accounts=self._accounts, patterns=self._patterns)
        pattern = self._patterns[wanted.order.account]
        return TakenEntry(wanted.order, sift(wanted.references, pattern, most=self._most), wanted.reply_to)
