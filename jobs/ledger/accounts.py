"""Accounts: which there are, who serves them, and whether their calls may start."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson

from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated

LIVE_MS = 4000
"""A worker that has not swept for so long is not counted as live (lua/shared/jobs.lua too)."""
_USUAL_STALE_MS = 60_000
_GATE = (
    "gate", "paused", "hold_until", "hold_why", "list_size", "list_search", "size", "limit", "limit_at", "limit_stale",
    "interval", "spread", "breaker", "breaker_why", "breaker_since", "breaker_next", "breaker_opened",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """Why an account calls its platform no more than by a probe now and then.

    `denied` says that it refuses the key or the address, which only a person can mend; `why` says what to do.
    """

    denied: bool
    why: str
    since_ms: int
    next_probe_ms: int


@dataclass(frozen=True, slots=True)
class AccountGate:
    """The account's gate.

    Attributes:
        version: it rises whenever what is staged must be let go.
        paused: by a person.
        hold_until_ms: as the platform asked; 0 where it does not hold.
        hold_why: what it asked.
        breaker: None where it is closed.
        breaker_opened: how often it has opened.
        limit: calls in flight that flow control allows, over all workers; None where that is not known, or long ago.
        interval_us: between calls, as learnt from the platform; 0 where no rate is known.
        list_size: references of a call that flow control, or a 413, has left; None where nothing has.
        calls_in_flight: over all workers.
        workers: that live.
        list_refused: the shortest list that was refused for its length (413), where that is why; else None.
    """

    version: int
    paused: bool
    hold_until_ms: int
    hold_why: str
    breaker: OpenBreaker | None
    breaker_opened: int
    limit: int | None
    interval_us: int
    list_size: int | None
    calls_in_flight: int
    workers: int
    list_refused: int | None = None

    @property
    def calls_per_second(self) -> float | None:
        """The rate that was learnt from the platform."""
        return round(1e6 / self.interval_us, 2) if self.interval_us else None


async def gate(ledger: Ledger, account: str) -> AccountGate:
    """The account's gate now."""
    with translated():
        now_ms = await ledger.now_ms()
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.hmget(ledger.keys.state(account), list(_GATE))
        pipe.zcount(ledger.keys.slots(account), now_ms, "+inf")
        pipe.zcount(ledger.keys.workers, now_ms - LIVE_MS, "+inf")
        values, calls, workers = await pipe.execute()
    h = dict(zip(_GATE, values, strict=True))
    held_until = int(h["hold_until"] or 0)
    known = now_ms - int(h["limit_at"] or 0) < int(h["limit_stale"] or _USUAL_STALE_MS)
    refused = orjson.loads(h["list_search"] or b"{}").get("refused")
    bounds = [int(size) for size in (h["list_size"], refused and refused - 1) if size]
    sizes = bounds + [int(size) for size in (h["size"],) if size]
    list_size = min(sizes, default=None)
    return AccountGate(
        version=int(h["gate"] or 0),
        paused=h["paused"] is not None,
        hold_until_ms=held_until if held_until > now_ms else 0,
        hold_why=text(h["hold_why"] or b"") if held_until > now_ms else "",
        breaker=_breaker(h),
        breaker_opened=int(h["breaker_opened"] or 0),
        limit=int(h["limit"]) if h["limit"] and known else None,
        interval_us=0 if h["spread"] else int(h["interval"] or 0),  # slow calls that are spread tell of no rate
        list_size=list_size,
        calls_in_flight=int(calls),
        workers=int(workers),
        list_refused=refused if list_size in bounds else None,
    )


def _breaker(h: Mapping[str, bytes | None]) -> OpenBreaker | None:
    if h["breaker"] is None:
        return None
    return OpenBreaker(
        h["breaker"] == b"denied",
        text(h["breaker_why"] or b""),
        int(h["breaker_since"] or 0),
        int(h["breaker_next"] or 0),
    )


def text(value: bytes | str) -> str:
    """A reply of a script as text."""
    return value.decode() if isinstance(value, bytes) else value


async def gate_version(ledger: Ledger, account: str) -> int:
    """The gate's version alone: what is staged may start while it stays."""
    with translated():
        return int(await ledger.redis.hget(ledger.keys.state(account), "gate") or 0)


async def known(ledger: Ledger) -> Sequence[str]:
    """Accounts that ever had a job."""
    with translated():
        return sorted(text(name) for name in await ledger.redis.smembers(ledger.keys.accounts))


async def check(ledger: Ledger, account: str, configured: Collection[str]) -> None:
    """Refuses an account that is neither configured here nor served by workers.

    Raises:
        InputError: there is none of that name; the text lists those there are.
    """
    if account in configured:
        return
    there = {*configured, *await served(ledger)}
    if account not in there:
        raise InputError(f"no account {account!r} is configured; there is {', '.join(sorted(there))}")


async def served(ledger: Ledger) -> dict[str, bool]:
    """Accounts that workers serve, and whether one does now; remembered for an hour, so that a queue outlives them."""
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.time()
        pipe.zrange(ledger.keys.served, 0, -1, withscores=True)
        (seconds, _), found = await pipe.execute()
    return {text(name): at_ms > seconds * 1000 - LIVE_MS for name, at_ms in found}
