"""Watches an account's gate: a claim may start only while the gate has the version that it was claimed under."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.core import Ledger

FRESH_S = 0.4
"""The most age of the known version at the start of a call. So no call starts later than half a second after `pause` or
`abort` has answered."""

_RECENT_S = 0.02

_LEASE_S = 0.2
"""How long a guarded call may start on a start lease, from the request that brought it. It is shorter than what the
ledger counts with (`START_LEASE_MS`), so that the call has arrived before."""


class GateWatch:
    """The version that a drain knows, and when it asked for it, by this process's monotonic clock."""

    def __init__(
        self,
        ledger: Ledger,
        account: str,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        moved: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._spawn = spawn
        self._moved = moved
        self._at = 0.0
        self._leased_at = 0.0
        self._open: Question | None = None
        self.version = 0

    @property
    def fresh(self) -> bool:
        """Whether the known version is new enough to start a call."""
        return monotonic() - self._at <= FRESH_S

    @property
    def leased(self) -> bool:
        """Whether a guarded call may start unasked: no job halts by its results before."""
        return monotonic() - self._leased_at <= _LEASE_S

    def lease(self, at: float) -> None:
        """Notes a start lease, from the answer to a request made `at`."""
        self._leased_at = max(at, self._leased_at)

    def learn(self, version: int, at: float) -> None:
        """Learns the version from the answer to a request made `at`. Answers may overtake each other."""
        self._at = max(at, self._at)
        if version > self.version:
            self.version = version
            self._moved(version)

    def doubt(self) -> None:
        """Trusts no earlier answer, since the gate may have moved."""
        self._at = self._leased_at = 0.0

    async def ask(self) -> None:
        """Asks for the version; does nothing where the server is away."""
        at = monotonic()
        with contextlib.suppress(LedgerError):
            self.learn(await accounts.gate_version(self._ledger, self._account), at)

    async def heard(self) -> bool:
        """Whether the known version is fresh; asks for it first if needed."""
        if not self.fresh:
            await self.ask()
        return self.fresh

    def question(self) -> "Question":
        """Asks for the version now; whoever starts a call waits for the answer later.

        Calls that start at about the same time share a question until it is answered: however many wait for an answer,
        it is as old as it comes as if each had asked alone.
        """
        if self._open is None or self._open.answer.done() or not self._open.recent:
            self._open = Question(monotonic(), self._spawn(self.ask()))
        return self._open

    async def answered(self) -> None:
        """Waits briefly until the open question is answered, since what is sent meanwhile would hold the answer up."""
        if self._open and not self._open.answer.done():
            await asyncio.wait({self._open.answer}, timeout=_RECENT_S)

    async def stands(self, version: int, *, asked: "Question | None" = None) -> bool:
        """Whether the gate still has this version for sure; waits only briefly for the server.

        `asked` says that no answer to an earlier question will do, so that no call starts once a job has halted.
        """
        since = asked.at if asked else monotonic() - FRESH_S
        if self._at < since:
            await asyncio.wait({asked.answer if asked else self._spawn(self.ask())}, timeout=FRESH_S)
        return self._at >= since and version == self.version


@dataclass(frozen=True, slots=True)
class Question:
    """A question for the gate's version: when it was asked, by this process's monotonic clock, and its answer."""

    at: float
    answer: asyncio.Task[None]

    @property
    def recent(self) -> bool:
        """Whether it was asked a moment ago, so that a call that starts now may go by it."""
        return monotonic() - self.at <= _RECENT_S
