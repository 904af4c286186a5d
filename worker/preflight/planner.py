"""Reads the plans that were handed in over HTTP, one at a time; every worker does, for the accounts that it serves."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import LedgerError, NotPermittedError
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import Taken
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight.flight import fly

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 0.5
_AGAIN_MS: Final = 5_000
"""After so long a plan is tried once more whose account may make no call now."""


class Planner:
    """Takes plans that wait, by a lease: if this process dies, another takes them over.

    Args:
        ledger: where plans wait.
        settings: those of the accounts.
        clients: the platform's client of each account that is served.
    """

    def __init__(self, ledger: Ledger, settings: Settings, clients: Mapping[str, PlatformClient]) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clients = clients
        self._lease_ms = round(settings.lease_seconds * 1000)

    async def run(self) -> None:
        """Reads one plan, or looks for one and waits.

        Raises:
            LedgerError: the server was away.
        """
        taken = await plans.take(self._ledger, self._clients, lease_ms=self._lease_ms)
        if taken is None:
            await asyncio.sleep(_LOOK_EVERY_S)
            return
        renewing = asyncio.create_task(self._renew(taken))
        try:
            await self._read(taken)
        except asyncio.CancelledError:
            with contextlib.suppress(LedgerError):
                await plans.give_back(self._ledger, taken, after_ms=0)
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _read(self, taken: Taken) -> None:
        account, asked = taken.account, PreflightRequest.of(taken.request)
        try:
            found = await fly(self._ledger, self._settings, account, self._clients[account], asked)
        except NotPermittedError as error:
            log.info("plan waits", account=account, reason=str(error))
            await plans.give_back(self._ledger, taken, after_ms=_AGAIN_MS)
            return
        host = self._settings.of(account).host
        kept = await plans.report(self._ledger, taken, host, found)
        log.info("plan read" if kept else "plan read in vain: it has expired, or another worker has read it",
                 account=account, references=asked.intake.references, read=len(asked.drawn))  # fmt: skip

    async def _renew(self, taken: Taken) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            await plans.renew(self._ledger, taken, lease_ms=self._lease_ms)
