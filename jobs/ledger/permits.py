"""Permits: calls that belong to no claim count against the limits of their account, as those of workers do."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import orjson

from cancellist.jobs.errors import LedgerError, NotPermittedError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.core import Ledger

_LONGEST_WAIT_S: Final = 60.0
_WHY: Final = {
    "stopped": "all accounts are stopped, so no call is made: `cancellist resume --all` lets them go on",
    "paused": "account {account} is paused, so no call is made: resume it first",
    "held": "the platform asked account {account} for a pause: try again later",
    "breaker": "the platform does not answer calls of account {account} well: `cancellist accounts` says why",
    "limit": "workers make all calls that account {account} may make at once: try again later",
    "rate": "account {account} makes as many calls a second as it may: try again later",
}


@asynccontextmanager
async def permitted(ledger: Ledger, account: str, terms: Terms, *, keep_s: float) -> AsyncIterator[None]:
    """Waits for the permission of one call, and holds it for the length of a block.

    Args:
        ledger: where the account's limits are held.
        account: whose call it is.
        terms: the account's limits.
        keep_s: the longest that the call may take.

    Raises:
        NotPermittedError: the account may make no call now, nor soon.
        LedgerError: the server does not answer.
    """
    slot = f"permit:{secrets.token_hex(8)}"
    limits = {"limit": terms.limit, "initial": terms.initial, "interval_us": terms.interval_us, "burst": terms.burst}
    delay_s = await _granted(ledger, account, slot, limits | {"keep": round(keep_s * 1000)})
    try:
        if delay_s:
            await asyncio.sleep(delay_s)
            await _still_open(ledger, account)
        yield
    finally:
        with contextlib.suppress(LedgerError):  # it ends by itself
            await ledger.run("permit", account, slot, orjson.dumps(limits | {"keep": 0}))


async def _still_open(ledger: Ledger, account: str) -> None:
    gate = await accounts.gate(ledger, account)
    if gate.stopped or gate.paused:
        raise NotPermittedError(_WHY["stopped" if gate.stopped else "paused"].format(account=account))


async def _granted(ledger: Ledger, account: str, slot: str, ask: dict[str, int]) -> float:
    """Asks until a slot and a rate token are granted; returns the seconds until the token is due."""
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + _LONGEST_WAIT_S
    while True:
        reply = await ledger.run("permit", account, slot, orjson.dumps(ask))
        if int(reply[0]):
            return int(reply[1]) / 1000
        wait_s, why = int(reply[1]) / 1000, reply[2].decode()
        if wait_s < 0 or loop.time() + wait_s > gives_up_at:
            raise NotPermittedError(_WHY[why].format(account=account))
        await asyncio.sleep(max(0.01, wait_s))
