"""What an urgent call leaves to be read goes before calls that were staged while it was under way."""

import asyncio
import contextlib
from time import monotonic

from jobs.ledger.claims import Claim

_LOCKSTEP_S = 0.05
"""Calls that begin within this may end together, and what an urgent one leaves to be read goes first."""


class Urgency:
    """The urgent calls of one drain that are not settled yet, and when one has last left something."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._settling: set[str] = set()
        self._left_at = -_LOCKSTEP_S
        self._ended = asyncio.Event()

    def begin(self, claim: Claim) -> None:
        """Notes that a call starts."""
        if claim.urgent:
            self._began[claim.id] = monotonic()

    def end(self, claim: Claim, *, left: bool) -> None:
        """Notes that a call is settled or lost; `left` says that some of it is to be read or called again."""
        if self._began.pop(claim.id, None):
            self._settling.discard(claim.id)
            self._ended.set()
            if left:
                self._left_at = monotonic()

    async def may_follow(self, claim: Claim, began_at: float, *, left: bool) -> bool:
        """Whether a staged claim may follow at once on a call that has ended: what is left would go before it.

        Args:
            claim: of the call that has ended, and is not settled yet.
            began_at: when that began.
            left: whether some of it is to be read or called again.
        """
        if claim.id in self._began:
            self._settling.add(claim.id)
            return not left
        if self._settling or any(abs(at - began_at) < _LOCKSTEP_S for at in self._began.values()):
            self._ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _LOCKSTEP_S)
        return monotonic() - self._left_at > _LOCKSTEP_S
