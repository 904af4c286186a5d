"""Counts the open consignments of accounts whose guard bounds the share of them that a job may name."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import NotPermittedError
from cancellist.jobs.ledger import open_counts, permits
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.safety.preflight import OpenCount
from cancellist.worker.accounts import terms_of
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight import open_consignments

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 2.0


class OpenCounter:
    """Counts now and then; of all workers one does.

    Args:
        ledger: where the numbers go.
        settings: those of the accounts.
        clients: the platform's client of each account that is served.
        worker: this process.
    """

    def __init__(self, ledger: Ledger, settings: Settings, clients: Mapping[str, PlatformClient], worker: str) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clients = {name: one for name, one in clients.items() if settings.of(name).guard_max_share is not None}
        self._worker = worker

    async def run(self) -> None:
        """Counts what is due, then waits.

        Raises:
            LedgerError: the server was away.
        """
        for account in self._clients:
            if await open_counts.take_turn(self._ledger, account, self._worker):
                await self._count(account)
        await asyncio.sleep(_LOOK_EVERY_S)

    async def _count(self, account: str) -> None:
        own, terms = self._settings.of(account), terms_of(self._settings, account)
        permit = partial(permits.permitted, self._ledger, account, terms, keep_s=own.call_timeout + 1)
        try:
            found = await open_consignments.count(self._clients[account], permit)
        except NotPermittedError as error:
            found = OpenCount(None, str(error))
        if found.count is None:
            log.warning("open consignments cannot be counted", account=account, reason=found.why)
            await open_counts.retry_soon(self._ledger, account, self._worker)
        else:
            await open_counts.note(self._ledger, account, found.count)
