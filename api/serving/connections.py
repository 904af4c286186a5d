"""A connection of the HTTP API: closed where the head of a request does not come, whoever that may be."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0
"""Seconds within which the whole head of a request must have come."""


class Connection(H11Protocol):
    """uvicorn's connection, which by itself waits for a head for ever."""

    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Takes what has come, and goes on waiting where that is no whole head."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._stop()
        super().connection_lost(exc)

    @property
    def _waits(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        if not self._waits:
            self._stop()
        elif self._closing is None:
            self._closing = self.loop.call_later(HEAD_S, self._close)

    def _stop(self) -> None:
        if self._closing:
            self._closing.cancel()
        self._closing = None

    def _close(self) -> None:
        self._closing = None
        if self._waits and not self.transport.is_closing():
            self.transport.close()
