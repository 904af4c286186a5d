"""What an urgent call leaves to be read or called goes before claims that were staged while it was under way.

Calls often go in lockstep: all that began together end together. A lane whose call ends just before the urgent one of
another, in this process or any, would start what it has staged, and what the urgent call leaves would wait for a call's
time. So it waits a little for the urgent call to end, and where that has left something, until it is settled. Where the
ledger may have what goes before all that is staged, a lane settles its call first, and is handed what is first.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from time import monotonic

from cancellist.jobs.ledger.claims import Claim

_LOCKSTEP_S, _LOCKSTEP_SHARE = 0.05, 0.1
"""Calls that begin together may end so far apart: seconds at most, and a share of their time."""
_MOMENT_S = 0.1
"""For how long at most to wait for the ledger."""


class UrgentCalls:
    """The urgent calls of an account, as far as one drain knows of them."""

    def __init__(self, overtaken: Callable[[], bool]) -> None:
        """Begins with none.

        Args:
            overtaken: whether the ledger may have something that goes before all that is staged.
        """
        self._overtaken = overtaken
        self._held: set[str] = set()
        self._began: dict[str, float] = {}
        self._settling: set[str] = set()
        self._elsewhere = False
        self._moved = asyncio.Event()

    def look(self) -> None:
        """Has the lanes that wait look again."""
        self._moved.set()

    def hear(self, urgent_out: int) -> None:
        """Takes in how many urgent calls the ledger has granted, to this drain and others."""
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
        """Notes that a call has ended; `left`: some of it is to be read or called again once settled."""
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
        """Whether the claim that is staged first may follow on a call that has ended; waits until that is known.

        Args:
            began_at: when the call began.
            urgent: whether the claim that is staged first is urgent itself.
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
