"""The sweep: every worker does the ledger's housekeeping once a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import housekeeping
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from cancellist.worker.calls.log_throttle import LogThrottle
from cancellist.worker.snapshots.store import DIR_SETTING
from cancellist.worker.snapshots.store import trim as trim_snapshots

log = structlog.get_logger()

PERIOD_S = 1.0
_TRIM_EVERY = 60
_REMIND_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """An account's parameters for the sweep."""

    terms: Terms
    policy: RetryPolicy
    safeguards: Safeguards = NONE
    deallocates: bool = False


class Sweep:
    """Takes over the claims of dead workers, starts what is due, names missing drains, and trims old data.

    Each account is swept in a task of its own, so that an account with much work does not delay another.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker: str,
        served: Mapping[str, Served],
        settings: Settings,
        wake: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._worker = worker
        self._served = served
        self._settings = settings
        self._wake = wake
        self._turn = 0
        self._unkept = LogThrottle(_REMIND_S)
        self._going: dict[str, asyncio.Task[LedgerError | None]] = {}

    async def run(self) -> None:
        """Begins a sweep of every account whose last sweep is over, then waits for the rest of the second.

        Raises:
            LedgerError: the server was away.
        """
        ends_at = monotonic() + PERIOD_S
        for account, served in self._served.items():
            self._begin(f"sweep {account}", partial(self._sweep, account, served))
        if self._turn % _TRIM_EVERY == 0:
            self._begin("trim", self._trim)
            self._begin("trim snapshots", self._trim_snapshots)
        self._turn += 1
        try:
            over, _ = await asyncio.wait(self._going.values(), timeout=PERIOD_S)
            self._going = {name: task for name, task in self._going.items() if task not in over}
            for error in filter(None, [task.result() for task in over]):
                raise error
            await asyncio.sleep(ends_at - monotonic())
        except asyncio.CancelledError:
            for task in self._going.values():
                task.cancel()
            await asyncio.gather(*self._going.values(), return_exceptions=True)
            raise

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if name not in self._going:
            self._going[name] = asyncio.create_task(_apart(name, work), name=name)

    async def _sweep(self, account: str, served: Served) -> None:
        more = True
        while more:
            swept = await housekeeping.sweep(
                self._ledger,
                account,
                self._worker,
                served.terms,
                served.policy.call_timeout_s,
                served.policy.max_attempts,
                safeguards=served.safeguards,
                deallocates=served.deallocates,
            )
            more = swept.more
            if swept.taken_over:
                log.warning("claims of a dead worker taken over", account=account, claims=swept.taken_over)
            if swept.unkept and self._unkept.due(account) is not None:
                log.error("no worker can keep records, so a job waits", account=account, job=swept.unkept,
                          remedy=f"start a worker with {DIR_SETTING}")  # fmt: skip
            if swept.drains:
                await schedule(self._ledger, account, swept.drains)
            elif swept.taken_over:
                self._wake(account)
        until = monotonic() + PERIOD_S / 2
        while swept.sliceable and monotonic() < until and await housekeeping.slice_oldest(self._ledger, account):
            pass

    async def _trim(self) -> None:
        keep = {"results_keep_s": self._settings.results_keep, "jobs_keep_s": self._settings.jobs_keep}
        trimmed = (1, 1)
        while any(trimmed):
            trimmed = await housekeeping.trim(self._ledger, DEFAULT_ACCOUNT, **keep)

    async def _trim_snapshots(self) -> None:
        folder = self._settings.snapshot_dir
        if folder is None:
            return
        try:
            removed = await asyncio.to_thread(trim_snapshots, folder, time.time() - self._settings.snapshot_keep)
        except OSError as error:
            log.warning("old snapshots cannot be removed", reason=error.strerror or type(error).__name__)
            return
        if removed:
            log.info("old snapshots removed", files=removed)


async def _apart(name: str, work: Callable[[], Awaitable[None]]) -> LedgerError | None:
    """Does one turn; an error in it stops nothing else."""
    try:
        await work()
    except LedgerError as error:
        return error
    except Exception:
        log.exception("turn failed; the next is tried", turn=name)
    return None
