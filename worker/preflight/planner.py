"""Reads the plans that were handed in over HTTP; every worker does, for the accounts that it serves."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import LedgerError, NotPermittedError
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import PlanToRead
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight.flight import fly

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 0.5
_AT_ONCE: Final = 4
"""Plans that one worker reads at once, each of another account: a slow account delays no other."""
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
        self._going: dict[str, asyncio.Task[None]] = {}
        self._beginning = asyncio.Lock()

    async def run(self) -> None:
        """Takes one plan, or waits for a moment.

        Raises:
            LedgerError: the server was away.
        """
        try:
            await self._turn()
        except asyncio.CancelledError:
            for task in self._going.values():
                task.cancel()
            await asyncio.gather(*self._going.values(), return_exceptions=True)
            raise

    async def _turn(self) -> None:
        ended = [account for account, task in self._going.items() if task.done()]
        for task in [self._going.pop(account) for account in ended]:
            await task
        if await self._begin():
            return
        if self._going:
            await asyncio.wait(self._going.values(), timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(_LOOK_EVERY_S)

    async def idle(self) -> bool:
        """Whether no plan is to be read now that this process would read: a burst may end then.

        A turn may begin one while this waits, so what goes on is looked at last.
        """
        return not await self._begin() and not self._going

    async def _begin(self) -> bool:
        """Begins to read a plan; returns whether there was one."""
        async with self._beginning:
            free = [account for account in self._clients if account not in self._going]
            if not free or len(self._going) >= _AT_ONCE:
                return False
            taken = await plans.take(self._ledger, free, lease_ms=self._lease_ms)
            if taken is None:
                return False
            self._going[taken.account] = asyncio.create_task(self._keep(taken), name=f"plan of {taken.account}")
            return True

    async def _keep(self, taken: PlanToRead) -> None:
        """Reads a plan as long as it is ours."""
        reading = asyncio.create_task(self._read(taken))
        try:
            while not (await asyncio.wait({reading}, timeout=self._lease_ms / 3000))[0]:
                if not await plans.renew(self._ledger, taken, lease_ms=self._lease_ms):
                    return
            await reading
        except asyncio.CancelledError:
            with contextlib.suppress(LedgerError):
                await plans.give_back(self._ledger, taken, after_ms=0)
            raise
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, taken: PlanToRead) -> None:
        account, asked = taken.account, PreflightRequest.of(taken.request)
        try:
            found = await fly(self._ledger, self._settings, account, self._clients[account], asked)
        except NotPermittedError as error:
            log.info("plan waits", account=account, reason=str(error))
            await plans.give_back(self._ledger, taken, after_ms=_AGAIN_MS)
            return
        host = self._settings.of(account).environment.host
        kept = await plans.report(self._ledger, taken, host, found)
        log.info("plan read", account=account, references=asked.intake.references, read=len(asked.drawn), kept=kept)
