"""A drain's requests to the ledger, repeated until they are answered.

A request whose reply was lost may have been granted. Only a repeated request with the same id shows the result.
"""

import asyncio
import contextlib
import itertools
import math
from collections.abc import Sequence
from time import monotonic

import structlog

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import claims
from cancellist.jobs.ledger.claims import (
    MOST_REFERENCES,
    START_LEASE_MS,
    Ask,
    Claim,
    HaltPutOffError,
    Mode,
    Settlement,
    Terms,
    Wait,
)
from cancellist.jobs.ledger.core import Ledger
from cancellist.worker.outage_log import tell_refused

log = structlog.get_logger()

_SETTLE_WITHIN_S = 10.0
"""How long settling is tried after a signal to stop, so that an outage does not keep the process for ever."""
_RETRY_S = (0.05, 1.0)


class LedgerRequests:
    """The requests of one drain. Answers come with the time of their request, by this process's monotonic clock."""

    def __init__(
        self, ledger: Ledger, account: str, drain: str, worker: str, terms: Terms, stop: asyncio.Event
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._drain = drain
        self._terms = terms
        self._stop = stop
        self._ids = (f"{worker}.{drain}.{n}" for n in itertools.count(1))
        self._ends_at = math.inf

    def end_soon(self) -> None:
        """Limits the repeats, since the process ends."""
        self._ends_at = monotonic() + _SETTLE_WITHIN_S

    def new(self, mode: Mode, lanes: int) -> Ask:
        """A request for the next claim."""
        return Ask(next(self._ids), self._drain, mode, lanes, self._terms, START_LEASE_MS)

    async def claim(self, ask: Ask) -> tuple[Claim | Wait, float] | None:
        """Asks for a claim. None where the drain must stop before an answer came; the claim may then exist."""
        pause_s = _RETRY_S[0]
        while True:
            at = monotonic()
            try:
                return await claims.claim(self._ledger, self._account, ask), at
            except LedgerError as error:
                tell_refused(error, account=self._account)
                log.debug("asking again", claim=ask.claim, error=str(error))
                if self._stop.is_set():
                    return None
                await asyncio.sleep(pause_s)
                pause_s = min(_RETRY_S[1], 2 * pause_s)

    async def settle(self, settlement: Settlement, ask: Ask | None) -> tuple[bool, Claim | Wait | None, float] | None:
        """Settles a claim, and repeats it until the server answers, so that no result is lost while this process lives.

        Returns:
            Whether the claim was still ours, and the answer to `ask`; None where it could not be settled.
        """
        pause_s, claim = _RETRY_S[0], settlement.claim
        while True:
            at = monotonic()
            try:
                ours, answer = await claims.settle(self._ledger, self._account, settlement, ask, self._terms)
            except HaltPutOffError as halt:
                await asyncio.sleep(halt.wait_ms / 1000)
            except LedgerError as error:
                if monotonic() > self._ends_at:
                    log.warning("could not settle before the end: it is taken over as maybe sent", claim=claim)
                    return None
                tell_refused(error, account=self._account)
                log.debug("settling again", claim=claim, error=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(_RETRY_S[1], 2 * pause_s)
            except Exception:
                log.exception("could not settle; the claim passes and is taken over", claim=claim)
                return None
            else:
                return ours, answer, at

    async def give_back(self, ids: Sequence[str], slots: Sequence[str]) -> None:
        """Releases unsent claims and slots; where the server is away, their leases pass."""
        most = max(1, MOST_REFERENCES // self._terms.per_call)
        try:
            for at in range(0, max(1, len(ids)), most):
                await claims.release(
                    self._ledger, self._account, ids[at : at + most], slots if at == 0 else (), self._terms
                )
        except LedgerError as error:
            log.warning("could not give claims back; their leases will pass", claims=list(ids), error=str(error))

    async def leave(self) -> None:
        """Takes the drain off the list of live drains; where the server is away, its entry expires."""
        with contextlib.suppress(LedgerError):
            await claims.leave(self._ledger, self._account, self._drain)
