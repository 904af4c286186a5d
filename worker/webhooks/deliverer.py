"""Delivers webhooks: one process at a time, by a lease, beside its drains.

A delivery is sent twice where the process dies between the answer and the record. Its `webhook-id` is the same then.
"""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from typing import Final

import structlog

from cancellist.jobs.errors import LedgerError, LedgerFullError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.ledger.webhooks.events import DeliveryAttempt, Due, EventsTaken
from cancellist.jobs.webhooks import schedule, signature
from cancellist.jobs.webhooks.endpoint import Endpoint, EndpointState, shown_url
from cancellist.jobs.webhooks.schedule import AttemptVerdict
from cancellist.worker.calls.log_throttle import LogThrottle
from cancellist.worker.webhooks.sender import AT_ONCE, ReceiverAnswer, Sender

log = structlog.get_logger()

_EVERY_S: Final = 0.5
_LEAST_LEASE_S: Final = 3 * _EVERY_S
_OTHERS_EVERY_S: Final = 1.0
_MORE_S: Final = 0.02
_PER_ENDPOINT: Final = 4
_RECORDED_WITHIN_S: Final = 30.0
_ENDS_WITHIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """Which delivery of which endpoint."""

    endpoint: str
    delivery: str


class Deliverer:
    """Takes events into deliveries and sends them, as long as this process has the lease."""

    def __init__(self, ledger: Ledger, worker: str, keys: tuple[bytes, ...], sender: Sender, *, lease_s: float) -> None:
        self._ledger = ledger
        self._worker = worker
        self._keys = keys
        self._sender = sender
        self._lease_ms = round(max(lease_s, _LEAST_LEASE_S) * 1000)
        self._going: dict[_Sent, asyncio.Task[None]] = {}
        self._missed: dict[str, tuple[int, int]] = {}
        self._turn_lock = asyncio.Lock()
        self._throttle = LogThrottle(60.0)

    async def run(self) -> None:
        """One turn, and the pause until the next.

        Raises:
            LedgerError: the server was away.
        """
        try:
            pause_s = await self._turn()
            if self._going:
                await asyncio.wait(self._going.values(), timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            await self._end()
            raise

    async def idle(self) -> bool:
        """Whether nothing is to be done now that this process would do: a burst may end then."""
        if not self._keys:
            return True
        return await self._turn() != _MORE_S and not self._going

    async def _turn(self) -> float:
        """Takes in, sends what is due, and returns the pause until the next turn."""
        async with self._turn_lock:
            self._going = {what: task for what, task in self._going.items() if not task.done()}
            if not self._keys:
                return await self._without_key()
            held, count = await events.lease(self._ledger, self._worker, self._lease_ms)
            if not held:
                return _OTHERS_EVERY_S
            more = False
            for endpoint in await endpoints.endpoints(self._ledger) if count else []:
                if endpoint.enabled and self._key_fits(endpoint):
                    more |= await self._take_in(endpoint)
                    more |= await self._begin(endpoint)
            return _MORE_S if more else _EVERY_S

    async def _without_key(self) -> float:
        held, count = await events.lease(self._ledger, self._worker, 0)
        if count and not held and self._throttle.due("key") is not None:
            log.warning("webhooks are not delivered by this worker: CANCELLIST_WEBHOOK_KEY is not set", webhooks=count)
        return 10 * _OTHERS_EVERY_S

    def _key_fits(self, endpoint: Endpoint) -> bool:
        made = (signature.secret(key, endpoint.id, endpoint.version) for key in self._keys)
        fits = any(signature.fingerprint(one) == endpoint.fingerprint for one in made)
        if not fits and self._throttle.due(endpoint.id) is not None:
            log.warning(
                "a webhook waits: its secret was made of another CANCELLIST_WEBHOOK_KEY than this worker's",
                webhook=endpoint.id,
            )
        return fits

    async def _take_in(self, endpoint: Endpoint) -> bool:
        try:
            taken = await events.take_in(self._ledger, endpoint)
        except LedgerFullError as error:
            if self._throttle.due("full") is not None:
                log.warning("the server has no room for webhooks: events wait", error=str(error))
            return False
        self._tell_missed(endpoint, taken)
        return taken.more

    def _tell_missed(self, endpoint: Endpoint, taken: EventsTaken) -> None:
        if taken.jobs_missed:
            log.warning(
                "ends of jobs cannot be told to a webhook: their records are gone",
                webhook=endpoint.id, jobs=taken.jobs_missed,
            )  # fmt: skip
        if endpoint.missed_ms and self._missed.get(endpoint.id) != endpoint.missed_ms:
            self._missed[endpoint.id] = endpoint.missed_ms
            log.warning(
                "results cannot be told to a webhook: they were trimmed; `cancellist webhooks` says of when",
                webhook=endpoint.id,
            )

    async def _begin(self, endpoint: Endpoint) -> bool:
        """Begins to send what is due; returns whether it began anything."""
        going = sum(what.endpoint == endpoint.id for what in self._going)
        failing = endpoint.failures >= schedule.FAILING
        free = min((1 if failing else _PER_ENDPOINT) - going, AT_ONCE - len(self._going))
        if free <= 0:
            return False
        now_ms = await self._ledger.now_ms()
        names = await events.due(self._ledger, endpoint.id, most=free + going, by_ms=now_ms)
        probe = not names and failing and now_ms - endpoint.tried_at_ms >= schedule.PROBE_MS
        if probe:
            names = await events.due(self._ledger, endpoint.id, most=1, by_ms=None)
        fresh = [name for name in names if _Sent(endpoint.id, name) not in self._going][:free]
        for name in fresh:
            task = asyncio.create_task(self._deliver(endpoint, name, probe=probe), name=f"webhook {name}")
            self._going[_Sent(endpoint.id, name)] = task
        return bool(fresh)

    async def _deliver(self, endpoint: Endpoint, name: str, *, probe: bool) -> None:
        """Sends one delivery and records what came of it; an error in it stops nothing else."""
        try:
            due = await events.to_send(self._ledger, endpoint.id, name)
            if due is None:
                return
            answer = await self._send(endpoint, due)
            attempt = judged(answer, due.delivery.attempts, chance=random.random(), probe=probe)
            await self._record(endpoint, due, attempt)
        except LedgerError as error:
            if self._throttle.due("record") is not None:
                log.warning("a webhook's delivery could not be recorded: it is sent again", error=str(error))
        except Exception:
            log.exception("a webhook's delivery failed; it is tried again", webhook=endpoint.id, delivery=name)

    async def _send(self, endpoint: Endpoint, due: Due) -> ReceiverAnswer:
        now_s = time.time()
        rotated_s = None if endpoint.rotated_at_ms is None else endpoint.rotated_at_ms / 1000
        signing = signature.secrets(self._keys, endpoint.id, endpoint.version, rotated_at_s=rotated_s, now_s=now_s)
        headers = signature.signed(due.delivery.id, int(now_s), due.body, signing)
        return await self._sender.send(endpoint.wanted.url, headers, due.body)

    async def _record(self, endpoint: Endpoint, due: Due, attempt: DeliveryAttempt) -> None:
        """Records an attempt, also through a short outage.

        Raises:
            LedgerError: the server was away for too long.
        """
        until = time.monotonic() + _RECORDED_WITHIN_S
        while True:
            try:
                state = await events.record(self._ledger, endpoint.id, due.delivery, attempt)
                break
            except LedgerError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_EVERY_S)
        who = {"webhook": endpoint.id, "delivery": due.delivery.id, "type": due.delivery.type}
        if attempt.verdict is AttemptVerdict.DELIVERED:
            log.info("webhook delivered", **who, status=attempt.status, attempts=due.delivery.tries + 1)
        elif self._throttle.due((endpoint.id, attempt.why)) is not None:
            log.warning("webhook not delivered", **who, why=attempt.why, tried_again=attempt.delay_s is not None)
        if state == EndpointState.DISABLED and endpoint.enabled:
            log.warning("webhook disabled", webhook=endpoint.id, url=shown_url(endpoint.wanted.url), why=attempt.why)

    async def _end(self) -> None:
        """Lets what was sent be recorded for a moment, and gives the lease to others."""
        if self._going:
            _, late = await asyncio.wait(self._going.values(), timeout=_ENDS_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._keys:
            with contextlib.suppress(LedgerError):
                await events.lease(self._ledger, self._worker, 0)


def judged(answer: ReceiverAnswer, failures: int, *, chance: float, probe: bool) -> DeliveryAttempt:
    """What an answer means for a delivery that has failed so often before."""
    if answer.status is None:
        verdict, why = AttemptVerdict.FAILED, answer.why
    else:
        verdict, why = schedule.verdict(answer.status), schedule.why(answer.status) or ""
    delay_s = schedule.delay_s(failures + 1, chance, answer.retry_after_s)
    return DeliveryAttempt(verdict, answer.status, why, delay_s, probe)
