"""The sweep: the ledger's housekeeping, once a second by every worker."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import structlog

from config.settings import Settings
from jobs.ledger import control, lexicon
from jobs.ledger.claims import Terms
from jobs.ledger.core import Ledger
from jobs.ledger.drains import enqueue
from jobs.model import DEFAULT_ACCOUNT
from jobs.retry import RetryPolicy
from jobs.words import Meaning

log = structlog.get_logger()

PERIOD_S = 1.0
_TRIM_EVERY = 60


@dataclass(frozen=True, slots=True)
class Served:
    """By what an account is swept."""

    terms: Terms
    policy: RetryPolicy


class Sweep:
    """Takes over what dead workers held, starts what is due, sees that work has drains, and trims what is old."""

    def __init__(
        self,
        ledger: Ledger,
        worker: str,
        serving: Callable[[str], Served | None],
        settings: Settings,
        wake: Callable[[str], None],
        teach: Callable[[str, Mapping[str, Meaning]], None],
        drain: Callable[[str, str], None],
    ) -> None:
        self._ledger = ledger
        self._worker = worker
        self._serving = serving
        self._settings = settings
        self._wake = wake
        self._teach = teach
        self._drain = drain
        self._turn = 0
        self._accounts: Sequence[str] = ()

    async def run(self) -> None:
        """Sweeps every account once, then waits for the next turn."""
        if self._turn % 10 == 0:
            self._accounts = await control.accounts(self._ledger)
        for account in {*self._accounts, DEFAULT_ACCOUNT}:
            served = self._serving(account)
            if served:
                await self._sweep(account, served)
                self._teach(account, await lexicon.learnt(self._ledger, account))
        if self._turn % _TRIM_EVERY == 0:
            await self._trim()
        self._turn += 1
        await asyncio.sleep(PERIOD_S)

    async def _sweep(self, account: str, served: Served) -> None:
        more = True
        while more:
            swept = await control.sweep(
                self._ledger,
                account,
                self._worker,
                served.terms,
                served.policy.call_timeout_s,
                served.policy.max_attempts,
            )
            more = swept.more
            if swept.taken_over:
                log.warning("claims of a dead worker taken over", account=account, claims=swept.taken_over)
            if swept.drains:
                for name in await enqueue(self._ledger, account, swept.drains):
                    self._drain(account, name)
            elif swept.taken_over:
                self._wake(account)
        until = monotonic() + PERIOD_S / 2
        while swept.sliceable and monotonic() < until and await control.slice_oldest(self._ledger, account):
            pass

    async def _trim(self) -> None:
        keep = {"results_keep_s": self._settings.results_keep, "jobs_keep_s": self._settings.jobs_keep}
        trimmed = (1, 1)
        while any(trimmed):
            trimmed = await control.trim(self._ledger, DEFAULT_ACCOUNT, **keep)
