"""Submissions whose references are still on their way, known to all processes by their idempotency key."""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from cancellist.jobs.errors import LedgerError, UploadUnderWayError
from cancellist.jobs.ledger.core import Ledger

KEEP_S: Final = 10.0
"""How long an upload keeps the key after its last sign of life, as when its process was killed."""
_RENEW_S: Final = KEEP_S / 4


class Upload:
    """A submission on its way, which has its key as long as `renew` is called."""

    def __init__(self, ledger: Ledger, account: str, key: str) -> None:
        self._ledger = ledger
        self._account = account
        self._key = key
        self._nonce = secrets.token_hex(8)
        self._said_at = 0.0

    async def renew(self) -> None:
        """Says that it goes on; asks the server only now and then.

        Raises:
            UploadUnderWayError: another has the key: this one was silent for too long.
            LedgerError: the server does not take it.
        """
        now = time.monotonic()
        if now - self._said_at >= _RENEW_S:
            self._said_at = now
            await self._say(round(KEEP_S * 1000))

    async def end(self) -> None:
        """Gives the key free."""
        await self._say(0)

    async def _say(self, keep_ms: int) -> None:
        held = await self._ledger.run("upload", self._account, self._key, self._nonce, keep_ms)
        if not int(held) and keep_ms:
            raise UploadUnderWayError(self._key)


@asynccontextmanager
async def under_way(ledger: Ledger, account: str, key: str | None) -> AsyncIterator[Upload | None]:
    """An upload for the length of a block, whose key is free again when it ends; None where there is no key.

    Raises:
        UploadUnderWayError: another has the key.
    """
    if key is None:
        yield None
        return
    upload = Upload(ledger, account, key)
    await upload.renew()
    try:
        yield upload
    finally:
        with contextlib.suppress(LedgerError):  # it passes by itself
            await upload.end()
