"""How many consignments of an account are open, as a worker has counted them for its guard (lua/shared/guards.lua)."""

from typing import Final

from cancellist.jobs.ledger.core import Ledger

_AGAIN_MS: Final = 600_000
_WAITED_FOR_MS: Final = 120_000


async def is_due(ledger: Ledger, account: str) -> bool:
    """Whether it is time to count, and no other worker does: whoever is told so is to do it."""
    return bool(int(await ledger.run("census", account, "", _AGAIN_MS, _WAITED_FOR_MS)))


async def note(ledger: Ledger, account: str, count: int) -> None:
    """Notes how many there are now."""
    await ledger.run("census", account, count, _AGAIN_MS, _WAITED_FOR_MS)
