"""Word of an account's gate: what was claimed under one version of it may start only while that stands."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.core import Ledger

FRESH_S = 0.4
"""A call starts on the gate's word no older than this, so that after `pause` or `abort` has answered none starts later
than half a second."""


class GateWatch:
    """The version as a drain has last heard of it, and when that was asked for, by this process's monotonic clock."""

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
        self.version = 0

    @property
    def fresh(self) -> bool:
        """Whether what was heard is young enough to start a call on."""
        return monotonic() - self._at <= FRESH_S

    def learn(self, version: int, at: float) -> None:
        """Takes in what was answered to a request made `at`; that may overtake another on the way."""
        self._at = max(at, self._at)
        if version > self.version:
            self.version = version
            self._moved(version)

    def doubt(self) -> None:
        """Trusts no earlier word: the gate is said to have moved."""
        self._at = 0.0

    async def ask(self) -> None:
        """Asks for the version; where the server is away nothing is learnt."""
        at = monotonic()
        with contextlib.suppress(LedgerError):
            self.learn(await accounts.gate_version(self._ledger, self._account), at)

    async def heard(self) -> bool:
        """Whether there is fresh word; asks for it where there is none."""
        if not self.fresh:
            await self.ask()
        return self.fresh

    async def stands(self, version: int) -> bool:
        """Whether the gate has this version still, by fresh word; a server that does not answer is not waited for."""
        if not self.fresh:
            await asyncio.wait({self._spawn(self.ask())}, timeout=FRESH_S)
        return self.fresh and version == self.version
