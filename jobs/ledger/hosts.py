"""The platform's hosts: those that workers call, and those that a person has confirmed."""

from collections.abc import Sequence
from typing import Final

import orjson

from cancellist.jobs.errors import InputError, NewHostError
from cancellist.jobs.ledger import audit
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.safety.environment import Environment

_SHOWN: Final = 100


def read(packed: bytes | None) -> tuple[Environment, ...]:
    """The hosts that an account's workers call, sorted; from the field `hosts` of its state."""
    noted = orjson.loads(packed or b"{}").values()
    return tuple(sorted({Environment(one["host"], one.get("sandbox", False)) for one in noted}, key=lambda e: e.host))


def all_bare(packed: bytes | None) -> bool:
    """Whether there are such workers, and none of them can keep records."""
    noted = orjson.loads(packed or b"{}").values()
    return bool(noted) and all(one.get("bare") for one in noted)


async def first_strange(ledger: Ledger, found: Sequence[Environment]) -> str | None:
    """The first of these hosts that nobody has confirmed; None where all are sandboxes or confirmed."""
    real = [one.host for one in found if not one.is_sandbox]
    if not real:
        return None
    with translated():
        known = await ledger.redis.hmget(ledger.keys.totals, [f"host:{host}" for host in real])
    return next((host for host, by in zip(real, known, strict=True) if by is None), None)


async def called(ledger: Ledger, account: str) -> tuple[Environment, ...]:
    """The hosts that the account's workers call; empty where none has run yet."""
    with translated():
        return read(await ledger.redis.hget(ledger.keys.state(account), "hosts"))


async def strange(ledger: Ledger, account: str, ours: Environment | None = None) -> str | None:
    """The host of the account that nobody has confirmed; None where there is none.

    `ours` is the host by the settings at hand. It counts where no worker has named one, unless the account has made
    calls: then an older version's workers know better.
    """
    with translated():
        packed, moved_at = await ledger.redis.hmget(ledger.keys.state(account), ["hosts", "limit_at"])
    found = read(packed)
    if not found and ours and moved_at is None:
        found = (ours,)
    return await first_strange(ledger, found)


async def confirm(ledger: Ledger, account: str, host: str, by: str) -> None:
    """Notes that a person has confirmed a host: calls may go there from now on."""
    async with audit.recorded(ledger, "confirm host", account=account, about=host):
        await ledger.run("confirm_host", account, host, by)


def as_named(given: str | None) -> str | None:
    """A host as it was named, in the form in which hosts are compared; None where none was."""
    return (given or "").strip().lower() or None


async def check(ledger: Ledger, account: str, given: str | None, by: str = "") -> None:
    """Refuses new work of an account whose host nobody has confirmed, unless `given` names it: that confirms it.

    Raises:
        NewHostError: the host is new, and `given` is another or none.
        InputError: `given` is another host than the workers call.
    """
    host, named = await strange(ledger, account), as_named(given)
    if host is None:
        found = [one.host for one in await called(ledger, account)] if named else []
        if found and named not in found:
            raise InputError(
                f"the workers of account {account} call the platform at {', '.join(found)}, "
                f"and {(given or '')[:_SHOWN]!r} was named: name the host that is to be called, or none"
            )
        return
    if named != host:
        raise NewHostError(account, host, given)
    await confirm(ledger, account, host, by)
