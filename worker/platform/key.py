"""The subscription key, which may change while the process runs."""

import asyncio
from collections.abc import Callable

import structlog

from cancellist.jobs.errors import SettingsError

log = structlog.get_logger()

_READ_S = 0.25
"""How long a call waits for its key's file, since its lease limits when it may be sent."""


class Key:
    """The key that calls are sent with. It is read again once the platform has refused it.

    Args:
        value: the present key; None where none is needed.
        read: reads the key again; None where it cannot change.
        platform: the platform's name in log lines.
    """

    def __init__(self, value: str | None, read: Callable[[], str | None] | None, platform: str) -> None:
        self._value = value
        self._read = read
        self._platform = platform
        self._refused = False
        self._reading: asyncio.Task[str | None] | None = None
        self._unread = ""

    def refused(self, value: str | None) -> None:
        """Notes that the platform refused a key; ignores a key that was replaced meanwhile."""
        if value == self._value:
            self._refused = True

    async def now(self) -> str | None:
        """The key. A refused one is read again first, so that a new one is used without a restart."""
        if self._refused and self._read:
            reading = self._reading = self._reading or asyncio.create_task(asyncio.to_thread(self._read))
            await asyncio.wait({reading}, timeout=_READ_S)
            if self._reading is reading:  # else another call has taken it
                self._take(reading)
        return self._value

    async def mended(self) -> bool:
        """Whether a new key has replaced one that the platform refused."""
        if not (self._refused and self._read):
            return False
        refused = self._value
        changed = await self.now() != refused
        self._refused = not changed
        return changed

    def close(self) -> None:
        """Stops waiting for the file."""
        if self._reading:
            self._reading.cancel()

    def _take(self, reading: asyncio.Task[str | None]) -> None:
        """Takes the key that was read. If the file does not answer yet, the next call waits for it."""
        unread = ""
        if not reading.done():
            unread = "its file does not answer"
        else:
            self._reading = None
            try:
                value = reading.result()
            except SettingsError as error:
                unread = str(error)
            else:
                if value != self._value:
                    log.info("the key has changed", platform=self._platform)
                self._value, self._refused = value, False
        if unread and unread != self._unread:
            log.warning("the key cannot be read anew; the last one is sent", platform=self._platform, reason=unread)
        self._unread = unread
