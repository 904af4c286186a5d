"""An open ledger for a block."""

import contextlib
from collections.abc import AsyncIterator

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect


@contextlib.asynccontextmanager
async def opened_ledger(url: str, *, emptied: bool = False) -> AsyncIterator[Ledger]:
    """Connects to a server, empties it if asked to, and opens the ledger there."""
    redis = await connect(url)
    try:
        if emptied:
            await redis.flushall()
        ledger = Ledger(redis)
        await ledger.open()
        yield ledger
    finally:
        await redis.aclose()
