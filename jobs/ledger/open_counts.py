"""How many open consignments an account has, as a worker has counted them: what a share is measured by (guards.lua)."""

from typing import Final

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated

EVERY_MS: Final = 600_000
"""How often they are counted."""
_AGAIN_MS: Final = 60_000
"""After so long they are counted once more, where that was in vain."""


async def take_turn(ledger: Ledger, account: str, worker: str) -> bool:
    """Whether this worker is to count now: one does, over all workers.

    Raises:
        LedgerError: the server does not answer.
    """
    with translated():
        return bool(await ledger.redis.set(ledger.keys.counting(account), worker, nx=True, px=EVERY_MS))


async def retry_soon(ledger: Ledger, account: str, worker: str) -> None:
    """Has them counted again before long.

    Raises:
        LedgerError: the server does not answer.
    """
    with translated():
        await ledger.redis.set(ledger.keys.counting(account), worker, px=_AGAIN_MS)


async def note(ledger: Ledger, account: str, count: int) -> None:
    """Notes how many there are now.

    Raises:
        LedgerError: the server does not take it.
    """
    at_ms = await ledger.now_ms()
    with translated():
        await ledger.redis.hset(ledger.keys.state(account), "open_count", f"{count} {at_ms}")
