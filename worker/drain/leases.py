"""Renews a drain's leases, and forbids requests under a lease that may have passed."""

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import claims
from cancellist.jobs.ledger.claims import Claim, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.worker.outage_log import tell_refused

log = structlog.get_logger()


class Leases:
    """The claims and slots of one drain, and when each was last known to be ours, by this process's monotonic clock."""

    def __init__(
        self, ledger: Ledger, account: str, drain: str, terms: Terms, learn_gate: Callable[[int, float], None]
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._drain = drain
        self._terms = terms
        self._learn_gate = learn_gate
        self._renewed_at: dict[str, float] = {}
        self._slots: set[str] = set()
        self._calls: dict[str, asyncio.Task[object]] = {}

    def add(self, claim: Claim, asked_at: float) -> None:
        """Holds a claim, granted after `asked_at`."""
        self._renewed_at[claim.id] = asked_at

    def add_slot(self, slot: str) -> None:
        """Holds a slot."""
        self._slots.add(slot)

    def drop(self, claim: str) -> None:
        """Drops a claim."""
        self._renewed_at.pop(claim, None)

    def drop_slot(self, slot: str) -> None:
        """Drops a slot."""
        self._slots.discard(slot)

    def watch(self, claim: str, call: "asyncio.Task[object]") -> None:
        """Closes a call as soon as its claim is no longer ours."""
        self._calls[claim] = call
        call.add_done_callback(lambda _: self._calls.pop(claim, None))

    def may_send(self, claim: str) -> bool:
        """Whether the claim was ours within two thirds of the lease. So a process that was frozen sends nothing."""
        renewed_at = self._renewed_at.get(claim)
        return renewed_at is not None and monotonic() - renewed_at < self._terms.lease_ms / 1000 * 2 / 3

    async def keep(self) -> None:
        """Renews all leases, at least every third of a lease, until cancelled."""
        usual_s = min(self._terms.lease_ms, self._terms.live_ms) / 3000
        period_s = usual_s
        while True:
            await asyncio.sleep(period_s)
            try:
                await self._renew()
            except LedgerError as error:
                tell_refused(error, account=self._account)
                log.debug("renewal failed", account=self._account, error=str(error))
                self._close_lapsed()
                period_s = min(0.5, usual_s)
            except Exception:  # no error may end this: without renewal the leases pass while the drain goes on
                log.exception("renewal failed; it is tried again", account=self._account)
                self._close_lapsed()
                period_s = usual_s
            else:
                period_s = usual_s

    def holds(self, slot: str) -> bool:
        """Whether a slot is still ours, as far as this process knows."""
        return slot in self._slots

    def _close_lapsed(self) -> None:
        """Closes calls whose claims were not renewed for a whole lease: another worker may have them by now."""
        oldest = monotonic() - self._terms.lease_ms / 1000
        for claim, call in list(self._calls.items()):
            if self._renewed_at.get(claim, 0.0) < oldest:
                call.cancel()

    async def _renew(self) -> None:
        held = list(self._renewed_at)
        if not held and not self._slots:
            return
        at = monotonic()
        gate, lost, lost_slots = await claims.renew(
            self._ledger, self._account, self._drain, self._terms, held, list(self._slots)
        )
        self._slots -= lost_slots
        for claim in held:
            if claim in lost:
                self._renewed_at.pop(claim, None)
                if call := self._calls.get(claim):
                    call.cancel()
            elif claim in self._renewed_at:
                self._renewed_at[claim] = at
        self._learn_gate(gate, at)
