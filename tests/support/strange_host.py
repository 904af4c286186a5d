"""An account whose workers call a host that nobody has confirmed, as the ledger has it."""

import asyncio

from cancellist.jobs.ledger import housekeeping
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.safety.environment import environment_of
from tests.support.ledgers import opened_ledger


def strange_host(url: str, account: str) -> str:
    """Does what a worker of the account does whose settings name such a host; returns the host."""
    host = f"{account}.example.com"

    async def sweep() -> None:
        async with opened_ledger(url) as ledger:
            terms = Terms(platform=environment_of(f"https://{host}"))
            await housekeeping.sweep(ledger, account, "w1", terms, 30.0)

    asyncio.run(sweep())
    return host
