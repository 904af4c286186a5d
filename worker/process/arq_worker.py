"""arq's worker, changed so that it survives outages of the server.

The changes, and their reasons (arq 0.28):
- A connection or watch error in a poll ends arq's process. Here the poll is tried again, and the counters that the
  error may have left wrong are computed again from the live tasks.
- The key that marks a job as in progress lives as long as the longest job, so after a crash it blocks the job as
  long. Here it lives for seconds and is renewed while the job runs, so arq must also check whether the job runs here.
- Polling finds new work after half a poll delay on average. Here a wake starts a poll, too.
- One worker may take all drains of an account. Here it takes one.
- On a full server arq can neither queue a job nor mark one as running. Here the drain runs without the mark.
- At its end arq waits an hour for jobs. Here the worker waits as long as the server answers, and not much longer.
- `arq --check` asks an unknown server for a key that lives an hour. Here it reads the worker's own heartbeat.
- arq's hooks end the process when they raise, and its signal handlers do not know our tasks. Here both go through the
  service (worker/service.py).
- arq adds its signal handlers before its event loop runs, and uvloop loses what comes in between. Here it is noted.
"""

import asyncio
import contextlib
import gc
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from signal import Signals
from time import monotonic

import arq.worker
import structlog
from arq.constants import in_progress_key_prefix, job_key_prefix
from redis.exceptions import RedisError, ResponseError, WatchError

from cancellist.config import logs
from cancellist.jobs.errors import CancellistError, LedgerError
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.drains import account_of
from cancellist.jobs.ledger.server.redis_errors import refuses_for_memory, translate
from cancellist.worker.configuration import configured
from cancellist.worker.outage_log import tell_refused
from cancellist.worker.process import heartbeat
from cancellist.worker.process.burst_standstill import Standstill
from cancellist.worker.process.end import Deadline
from cancellist.worker.process.start import EarlySignals
from cancellist.worker.service import Service

log = structlog.get_logger()

_IN_PROGRESS_S = 6.0
_RENEW_S = 2.0
_BURST_CHECK_S = 0.1
_ENDS_WITHIN_S = 1.0
_OUTAGE_S = (0.1, 1.0)
_LOOK_EVERY_S = 1.0
_STARTING_S, _WITHOUT_ANSWER_S = 5.0, 20.0
"""After a signal to end: how long a worker that is still starting may take, and one whose server does not answer."""
_ASK_EVERY_S, _ANSWERS_WITHIN_S = 1.0, 3.0
_LEFT_TO_OTHERS, _LEFT_IN_ALL = 100, 1000
"""Drains that stay in the queue for other workers: of one account that is not served here, and of all such accounts."""


class ResilientWorker(arq.worker.Worker):
    """Runs drains under arq, with the service of this process."""

    service: Service
    _asking: "asyncio.Task[None] | None" = None
    _beating: "asyncio.Task[None] | None" = None
    raises = False
    """Whether errors that a user can fix are raised to the caller; else they become a line on standard error."""
    _renewed_at = _looked_at = 0.0
    _refused: str | None = None
    """Why a burst ended before its work was done."""

    def run(self) -> None:
        """Runs until it ends. An error that a user can fix is one line, not a traceback."""
        logs.guard()
        try:
            super().run()
        except CancellistError as error:
            self._refuse(error)
        if refused := self.burst and (self._refused or self.service.refused):
            self._refuse(CancellistError(refused))

    def _refuse(self, error: CancellistError) -> None:
        if self.raises:
            raise error
        sys.stderr.write(f"cancellist: {plain(str(error))}\n")
        raise SystemExit(1) from None

    @cached_property
    def _deadline(self) -> Deadline:
        return Deadline()

    @cached_property
    def _early_signals(self) -> EarlySignals:
        return EarlySignals()

    def _add_signal_handler(self, signum: Signals, handler: Callable[[Signals], None]) -> None:
        self._early_signals.note(signum, handler)

    async def main(self) -> None:
        """Runs until stopped, or in burst mode until nothing is left."""
        self._early_signals.hand_over(super()._add_signal_handler)
        self.in_progress_timeout_s = _IN_PROGRESS_S
        self._unqueued: set[asyncio.Task[int]] = set()
        settings = self.ctx.setdefault("settings", configured())
        self._beating = asyncio.create_task(heartbeat.Heartbeat(settings).keep())
        self.service = await Service.start(self.ctx)
        # Modules and settings stay for good. The collector took 10 to 40 ms to look through them, while calls waited.
        gc.collect()
        gc.freeze()
        self._pool = self.service.pool
        self.queue_name = self.service.pool.default_queue_name
        self.health_check_key = f"{self.queue_name}:health-check:{self.service.worker}"
        self.ctx["service"] = self.service
        pause_s, standstill = _OUTAGE_S[0], Standstill()
        while True:
            try:
                if self.burst and (refused := await standstill.why(self.service.ledger)):
                    self._refused = refused
                    self.service.stop()
                    return
                await self._poll_iteration()
                if self.burst and await self._burst_done():
                    return
                if await self._stopped():
                    return
            except (RedisError, LedgerError, OSError, TimeoutError) as error:
                self._recount()
                ours = error if isinstance(error, LedgerError) else translate(error)
                self.service.outage.notice("poll", ours or type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(_OUTAGE_S[1], pause_s * 2)
                continue
            except Exception:  # no error may end this process
                log.exception("poll failed; it goes on")
                self._recount()
                await asyncio.sleep(_OUTAGE_S[1])
                continue
            self.service.outage.over("poll")
            pause_s = _OUTAGE_S[0]
            await self.service.woken(_BURST_CHECK_S if self.burst else self.poll_delay_s)

    async def _poll_iteration(self) -> None:
        try:
            await self._keep_in_progress()
            await super()._poll_iteration()
            self._drain_unqueued()
        except WatchError:
            self._recount()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Starts drains of the accounts that are served here, one for each account that has none running here."""
        running = {account_of(job) for job, task in self.tasks.items() if not task.done()}
        waiting: Counter[str] = Counter()
        odd = []
        for job_b in job_ids:
            job = job_b.decode(errors="replace")
            account = account_of(job)
            if account is None or job.encode() != job_b:
                odd.append(job_b)
            elif account not in self.service.accounts:
                waiting[account] += 1
                if waiting[account] > _LEFT_TO_OTHERS or waiting.total() > _LEFT_IN_ALL:
                    odd.append(job_b)
            elif account not in running:
                await super().start_jobs([job_b])
                if job in self.tasks:
                    running.add(account)
        if odd:
            await self._drop(odd)

    async def _drop(self, job_ids: list[bytes]) -> None:
        """Removes jobs from the queue that are no drains, and drains that nobody takes. Their workers will ask again.

        Arq reads only the first thousands of the queue, so jobs that nobody takes would hide the rest.
        """
        log.warning("drains that nobody serves were dropped, or jobs that are no drains", number=len(job_ids))
        pipe = self.pool.pipeline(transaction=False)
        pipe.zrem(self.queue_name, *job_ids)
        for job_b in job_ids:
            pipe.delete(job_key_prefix.encode() + job_b)
        await pipe.execute()

    def _drain_unqueued(self) -> None:
        """Runs drains without arq that a full server could not queue."""
        unqueued = self.service.ledger.unqueued
        while unqueued and self.allow_pick_jobs:
            account = unqueued.pop()
            task = asyncio.create_task(self.service.drain(account, f"unqueued-{secrets.token_hex(4)}"))
            self._unqueued.add(task)
            task.add_done_callback(self._unqueued.discard)

    async def _keep_in_progress(self) -> None:
        """Renews the in-progress marks of the jobs that run here."""
        live = [job for job, task in self.tasks.items() if not task.done()]
        if not live or monotonic() - self._renewed_at < _RENEW_S:
            return
        pipe = self.pool.pipeline(transaction=False)
        for job in live:
            pipe.psetex(in_progress_key_prefix + job, round(_IN_PROGRESS_S * 1000), b"1")
        try:
            await pipe.execute()
        except ResponseError as error:
            if not refuses_for_memory(error):  # a full server cannot mark jobs, but its drains must go on
                raise
        self._renewed_at = monotonic()

    def _recount(self) -> None:
        """Computes the counter and the semaphore again from the live tasks: an error may have left both wrong."""
        self.job_counter = sum(not task.done() for task in self.tasks.values())
        self.sem = asyncio.BoundedSemaphore(self.max_jobs + 1)
        for _ in range(self.job_counter):
            self.sem._value -= 1  # noqa: SLF001 - a new semaphore has no public way to start partly taken

    def _release_sem_dec_counter_on_complete(self) -> None:
        self.job_counter = max(0, self.job_counter - 1)
        with contextlib.suppress(ValueError):
            self.sem.release()

    async def run_job(self, job_id: str, score: int) -> None:
        """Runs a drain. A server error around it does not end the process: the sweep will name the drain again."""
        try:
            await super().run_job(job_id, score)
        except (RedisError, OSError, TimeoutError) as error:
            if (ours := translate(error)) and tell_refused(ours, job=job_id):
                return
            log.warning("server away while a drain began or ended", job=job_id, error=type(error).__name__)

    async def record_health(self) -> None:
        """Writes arq's health record."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await super().record_health()

    async def _stopped(self) -> bool:
        """Whether the worker is done, although arq has not ended it.

        Arq cancels this task once after the last job. On Python 3.11 `wait_for` loses a cancellation that comes
        together with a wake.
        """
        if self.allow_pick_jobs or self.tasks or self._unqueued:
            return False
        await asyncio.sleep(_ENDS_WITHIN_S)
        return True

    async def _burst_done(self) -> bool:
        """Whether nothing is left. A drain that waits because its key is refused does not count."""
        busy = bool(self._unqueued) or any(not task.done() for task in self.tasks.values())
        if not busy:
            return await self.service.nothing_left()
        if monotonic() - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = monotonic()
        if not (await self.service.nothing_left() and self.service.refused):
            return False
        self.service.stop()
        return True

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        """Ends gracefully: no new claims; calls in flight end and are settled; staged claims are released."""
        self._deadline.within(_WITHOUT_ANSWER_S if self.service_started else _STARTING_S)
        if self.service_started:
            self.service.stop()
            self._asking = self._asking or self.loop.create_task(self._extend_deadline())
        super().handle_sig_wait_for_completion(signum)

    async def _extend_deadline(self) -> None:
        """Extends the deadline while the server answers, so that calls in flight can be settled."""
        while True:
            with contextlib.suppress(RedisError, LedgerError, OSError, TimeoutError):
                async with asyncio.timeout(_ANSWERS_WITHIN_S):
                    await self.service.ledger.redis.ping()
                self._deadline.within(_WITHOUT_ANSWER_S)
            await asyncio.sleep(_ASK_EVERY_S)

    @property
    def service_started(self) -> bool:
        """Whether the service has started, and can be stopped."""
        return "service" in self.__dict__

    async def close(self) -> None:
        """Ends the service and all its connections."""
        for task in (*self.tasks.values(), *getattr(self, "_unqueued", ())):
            with contextlib.suppress(asyncio.CancelledError, RedisError, OSError):
                await task
        if self._asking:
            self._asking.cancel()
        if self.service_started:
            await self.service.close()
        if self._beating:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        self._pool = None
        for signum in (signal.SIGINT, signal.SIGTERM):  # a late signal would only change the exit status
            signal.signal(signum, signal.SIG_IGN)
