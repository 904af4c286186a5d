"""Spaces the settling of guarded claims, so that a question for the gate finds the server free.

Calls that end together are settled together, and settling takes the server about a millisecond a call. A guarded call
starts only once its question is answered, which would wait behind all of them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

_APART_S: Final = 0.002
"""The next one is sent after so long also where the last one is not answered, so that a far server slows nothing."""


class SettleTurns:
    """Lets one settlement after the other go."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._last = asyncio.Event()
        self._last.set()

    @contextlib.asynccontextmanager
    async def turn(self, *, waits: bool) -> AsyncIterator[None]:
        """Waits until the last one is answered, or was sent so long ago; `waits` says whether this one does."""
        answered = asyncio.Event()
        if waits:
            async with self._queue:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_APART_S):
                        await self._last.wait()
                self._last = answered
        try:
            yield
        finally:
            answered.set()
