"""Counts the open consignments of accounts whose guard bounds the share of them that a job may name."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

import structlog

from cancellist.jobs.errors import NotPermittedError
from cancellist.jobs.ledger import open_count, permits
from cancellist.jobs.ledger.core import Ledger
from cancellist.worker.accounts import Account
from cancellist.worker.calls.log_throttle import LogThrottle
from cancellist.worker.preflight import open_consignments

log = structlog.get_logger()

_EVERY_S: Final = 5.0
_TOLD_EVERY_S: Final = 600.0


class Census:
    """Notes in the ledger how many there are, again and again. One worker at a time counts for an account."""

    def __init__(self, ledger: Ledger, accounts: Iterable[Account]) -> None:
        self._ledger = ledger
        self._accounts = tuple(one for one in accounts if one.safeguards.guard.max_share is not None)
        self._throttle = LogThrottle(_TOLD_EVERY_S)

    async def run(self) -> None:
        """Counts for each account for which it is due, then waits.

        Raises:
            LedgerError: the server was away.
        """
        for account in self._accounts:
            if await open_count.is_due(self._ledger, account.name):
                await self._count(account)
        await asyncio.sleep(_EVERY_S)

    async def _count(self, account: Account) -> None:
        permit = partial(
            permits.permitted,
            self._ledger,
            account.name,
            account.terms,
            keep_s=account.policy.call_timeout_s + 1,
        )
        try:
            found = await open_consignments.count(account.client, permit)
        except NotPermittedError as error:
            self._tell(account.name, str(error))
            return
        if found.count is None:
            self._tell(account.name, found.why)
            return
        await open_count.note(self._ledger, account.name, found.count)
        log.debug("open consignments counted", account=account.name, count=found.count)

    def _tell(self, account: str, why: str | None) -> None:
        if self._throttle.due(account) is not None:
            log.warning("the number of open consignments is not known: large jobs wait for approval", account=account,
                        why=why)  # fmt: skip
