"""A worker process: its connections, its accounts, and the background tasks beside its drains."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import structlog
from arq.connections import ArqRedis

from cancellist.config.settings import Settings
from cancellist.jobs.errors import (
    CancellistError,
    LedgerError,
    LedgerFullError,
    LedgerRefusedError,
    LedgerUnfitError,
    NewHostError,
)
from cancellist.jobs.ledger import accounts as ledger_accounts
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import arq_pool
from cancellist.jobs.ledger.opening import Opened, open_ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.submitting.intake import leave
from cancellist.jobs.model import JobRecord, JobState
from cancellist.worker.accounts import Account, KeyWatch, open_account
from cancellist.worker.calls.flow_reporter import FlowReporter
from cancellist.worker.census import Census
from cancellist.worker.configuration import check_key, configured
from cancellist.worker.drain.drain import Drain
from cancellist.worker.intake_reader import IntakeReader
from cancellist.worker.outage_log import OutageLog
from cancellist.worker.preflight.planner import Planner
from cancellist.worker.snapshots.opening import open_store, warn_if_unfit
from cancellist.worker.snapshots.store import DIR_SETTING
from cancellist.worker.stop_file import StopFile
from cancellist.worker.sweep import Served, Sweep
from cancellist.worker.webhooks.deliverer import Deliverer
from cancellist.worker.webhooks.sender import Sender

log = structlog.get_logger()

_OUTAGE_S = (0.1, 1.0)
_SURELY_REFUSED_MS = 3000
"""A burst does not wait for a key that was refused for this long, by more than one call."""


class Service:
    """Connections, accounts and background tasks of one worker process."""

    def __init__(self, settings: Settings, opened: Opened) -> None:
        self.settings = settings
        self.ledger: Ledger = opened.ledger
        self.worker = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.pool: ArqRedis = arq_pool(self.ledger)
        self._opened = opened
        self._accounts: dict[str, Account] = {}
        self._drains: dict[str, Drain] = {}
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()
        self._plans: Planner | None = None
        self.outage = OutageLog()
        self.refused = ""
        self._stop_file = StopFile(self.ledger, self.worker, settings.stop_file)
        self._sender = Sender(settings.webhook_allowed)
        self._webhooks = Deliverer(
            self.ledger, self.worker, settings.webhook_keys, self._sender, lease_s=settings.lease_seconds
        )

    @classmethod
    async def start(cls, ctx: dict[str, Any]) -> Self:
        """Opens everything and starts the background tasks.

        Raises:
            SettingsError: a setting is missing or wrong.
            LedgerError: the server cannot be used.
        """
        settings = ctx.get("settings") or configured()
        for name in settings.account_names:
            check_key(settings, name)
        opened = await open_ledger(
            url=settings.redis_url.get_secret_value() if settings.redis_url else None,
            data_dir=settings.data_dir,
            fsync=settings.fsync,
            namespace=settings.namespace,
            on_wait=log.warning,
        )
        service = cls(settings, opened)
        log.info("worker started", worker=service.worker, server=opened.shown)
        try:
            await service._begin()
        except BaseException:  # also a signal to end during the start
            await service.close()
            raise
        return service

    async def _begin(self) -> None:
        snapshots = open_store(self.settings, self.worker)
        warn_if_unfit(snapshots)
        for name in self.settings.account_names:
            self._accounts[name] = await open_account(self.settings, name, self._stack, snapshots)
        served = {
            name: Served(account.terms, account.policy, account.safeguards, self.settings.of(name).deallocate_first)
            for name, account in self._accounts.items()
        }
        sweep = Sweep(self.ledger, self.worker, served, self.settings, self.wake_all)
        intake = IntakeReader(self.ledger, self.worker, self.settings, self._opened.blocking)
        clients = {name: account.client for name, account in self._accounts.items()}
        self._plans = Planner(self.ledger, self.settings, clients)
        keys = KeyWatch(self.ledger, self._accounts.values(), self.wake_all)
        census = Census(self.ledger, self._accounts.values())
        beside = {
            "sweep": sweep.run,
            "census": census.run,
            "intake": intake.run,
            "wake": self._listen,
            "keys": keys.run,
            "webhooks": self._webhooks.run,
            "plans": self._plans.run,
        }
        if self._stop_file.is_set:
            beside |= {"stop file": self._stop_file.tell, "stop file watch": self._stop_file.watch}
        for name, work in beside.items():
            self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    @property
    def accounts(self) -> frozenset[str]:
        """The names of the accounts that this process serves."""
        return frozenset(self._accounts)

    async def drain(self, account: str, name: str) -> int:
        """Drains an account until nothing is claimable; returns the number of calls."""
        served = self._accounts.get(account)
        if served is None or account in self._drains or self._stop.is_set():
            return 0
        shared = FlowReporter(self.ledger, account, name, served.flow, served.wording)
        drain = Drain(
            self.ledger,
            account,
            name,
            self.worker,
            served.terms,
            served.attempt,
            shared,
            self._stop,
            self._stop_file.stands,
        )
        self._drains[account] = drain
        try:
            await drain.run()
        finally:
            del self._drains[account]
        return drain.calls

    async def woken(self, within_s: float) -> None:
        """Waits for a wake, at most `within_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        self._wake.clear()

    def wake_all(self, account: str | None = None, *, gate: bool = False, first: bool = False) -> None:
        """Wakes an account's drains, or all (None): work or the `gate` may have changed, or some goes `first`."""
        self._wake.set()
        for name, drain in self._drains.items():
            if account in {None, name}:
                drain.wake(gate=gate, first=first)

    async def nothing_left(self) -> bool:
        """Whether nothing can make progress without a person: no job, intake entry, webhook or plan.

        An account whose key is refused cannot; `refused` then has the reason.

        Raises:
            LedgerError: the server cannot say. If it refuses only to read the stream, that is raised last.
        """
        self.refused, untold = "", None
        try:
            with translated():
                if await self.ledger.redis.xlen(self.ledger.keys.intake):
                    return False
        except (LedgerRefusedError, LedgerUnfitError) as error:
            untold = error
        if await self._goes_on(await records.unfinished(self.ledger)):
            return False
        if untold:
            raise untold
        plans_read = self._plans is None or await self._plans.idle()
        return await self._webhooks.idle() and plans_read

    async def _goes_on(self, jobs: Sequence[JobRecord]) -> bool:
        """Whether one of these jobs can make progress without a person."""
        waiting = {JobState.QUEUED, JobState.RUNNING, JobState.ABORTING}
        gates: dict[str, AccountGate] = {}
        refused_before_ms = await self.ledger.now_ms() - _SURELY_REFUSED_MS
        for job in jobs:
            account = job.order.account
            if job.state in waiting and account in self._accounts:
                if account not in gates:
                    gates[account] = await ledger_accounts.gate(self.ledger, account)
                gate = gates[account]
                breaker = gate.breaker
                stuck = breaker is not None and breaker.denied and breaker.since_ms < refused_before_ms
                unkept = gate.keeps_no_records and job.order.snapshot and job.uncalled == job.pending
                if job.in_flight or not (gate.shut or stuck or unkept):
                    return True
                if unkept:
                    self.refused = f"job {job.id} wants its records kept, and no worker has {DIR_SETTING}"
                if gate.strange_host:
                    self.refused = str(NewHostError(account, gate.strange_host, None))
                if stuck and breaker:
                    self.refused = f"account {account}: {breaker.why}"
        return False

    def stop(self) -> None:
        """Stops claiming; the drains then end by themselves."""
        if not self._stop.is_set():
            log.info("worker stopping: calls in flight are finished, the rest is released")
        self._stop.set()

    async def close(self) -> None:
        """Ends the background tasks and every connection."""
        self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(LedgerError):
            await leave(self.ledger, self.worker)
        with contextlib.suppress(LedgerError), translated():
            await self.ledger.redis.zrem(self.ledger.keys.workers, self.worker)
        await self._sender.close()
        await self._stack.aclose()
        await self._opened.close()
        log.info("worker stopped", worker=self.worker)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs a background task until the process ends, also through outages."""
        away, pause_s = False, _OUTAGE_S[0]
        while True:
            try:
                await work()
                self.outage.over(name)
                away, pause_s = False, _OUTAGE_S[0]
            except LedgerFullError:
                away = True  # the task logs this itself; the server is not away
            except CancellistError as error:
                self.outage.notice(name, error if isinstance(error, LedgerError) else str(error))
                away = True
                with contextlib.suppress(CancellistError):
                    await self._opened.revive()
            except Exception:
                log.exception("background task failed; it is tried again", task=name)
                await asyncio.sleep(_OUTAGE_S[1])
            if away:
                await asyncio.sleep(pause_s)
                pause_s = min(_OUTAGE_S[1], pause_s * 2)

    async def _listen(self) -> None:
        """Waits for published wakes; returns when the connection must be made again."""
        async with self._opened.blocking.pubsub() as channel:
            with translated():
                await channel.subscribe(self.ledger.keys.wake)
                self.outage.over("wake")
                self.wake_all(gate=True, first=True)  # wakes before the subscription were missed
                while True:
                    message = await channel.get_message(ignore_subscribe_messages=True, timeout=5.0)
                    if message:
                        account, _, what = message["data"].decode().partition(" ")
                        self.wake_all(account, gate=what == "gate", first=what == "first")
