"""Lets the references that an urgent call leaves go before claims that were staged meanwhile.

Calls that begin together often end together. A lane whose call ends just before an urgent call of another lane would
start a staged claim, and references that the urgent call leaves for a read or call would wait for a call's time. So the
lane waits briefly for the urgent call to end, and for its settlement if it leaves references. Where the ledger may have
work that goes before all staged claims, a lane settles its call first, and gets that work.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from time import monotonic

from cancellist.jobs.ledger.claims import Claim

_LOCKSTEP_S, _LOCKSTEP_SHARE = 0.05, 0.1
"""How far apart calls may end that began together: seconds at most, and a share of their duration."""
_MOMENT_S = 0.1
"""The longest wait for the ledger, in seconds."""


class UrgentCalls:
    """The urgent calls of an account, as far as one drain knows them."""

    def __init__(self, overtaken: Callable[[], bool]) -> None:
        """Begins with none.

        Args:
            overtaken: whether the ledger may have work that goes before all staged claims.
        """
        self._overtaken = overtaken
        self._held: set[str] = set()
        self._began: dict[str, float] = {}
        self._settling: set[str] = set()
        self._elsewhere = False
        self._moved = asyncio.Event()

    def look(self) -> None:
        """Makes waiting lanes check again."""
        self._moved.set()

    def hear(self, urgent_out: int) -> None:
        """Learns the number of urgent calls that the ledger has granted, to this drain and others."""
        self._elsewhere = urgent_out > len(self._held)
        self._moved.set()

    def hold(self, claim: Claim) -> None:
        """Notes a claim that this drain was granted."""
        if claim.urgent and claim.kind != "reads":
            self._held.add(claim.id)

    def begin(self, claim: Claim) -> None:
        """Notes that a call starts."""
        if claim.urgent and claim.kind != "reads":
            self._began[claim.id] = monotonic()

    def end(self, claim: Claim, *, left: bool) -> None:
        """Notes that a call has ended; `left` says that references need another call or read once it is settled."""
        if self._began.pop(claim.id, None) and left:
            self._settling.add(claim.id)
        self._moved.set()

    def drop(self, claims: Iterable[str]) -> None:
        """Notes that claims are settled, given back or lost."""
        for claim in claims:
            self._held.discard(claim)
            self._began.pop(claim, None)
            self._settling.discard(claim)
        self._moved.set()

    async def in_order(self, began_at: float, urgent: Callable[[], bool]) -> bool:
        """Whether the first staged claim may follow on an ended call; waits until that is known.

        Args:
            began_at: when the call began.
            urgent: whether the first staged claim is urgent itself.
        """
        now = monotonic()
        near_until = now + min(_LOCKSTEP_S, (now - began_at) * _LOCKSTEP_SHARE)
        while not urgent():
            if self._settling:
                left_s = now + _MOMENT_S - monotonic()
            elif self._overtaken():
                return False
            elif self._elsewhere or any(abs(at - began_at) < _LOCKSTEP_S for at in self._began.values()):
                left_s = near_until - monotonic()
            else:
                return True
            if left_s <= 0:
                return True
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._moved.wait()
        return True
