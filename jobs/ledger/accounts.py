"""Reads accounts: which exist, which are served, and whether their calls may start."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson

from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import hosts, stop_all
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.stop_all import AllStopped
from cancellist.jobs.safety.environment import Environment

LIVE_MS = 4000
"""A worker that has not swept for this long does not count as live (also in lua/shared/jobs.lua)."""
_USUAL_STALE_MS = 60_000
_GATE = (
    "gate", "paused", "hold_until", "hold_why", "list_size", "list_search", "size", "limit", "limit_at", "limit_stale",
    "interval", "spread", "breaker", "breaker_why", "breaker_since", "breaker_next", "breaker_opened", "hosts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """An open circuit breaker. The account's only calls are probes.

    `denied` says that the platform refuses the key or the address, which only a person can fix. `why` says what to do.
    """

    denied: bool
    why: str
    since_ms: int
    next_probe_ms: int


@dataclass(frozen=True, slots=True)
class AccountGate:
    """The account's gate: whether its calls may start, and within which limits.

    Attributes:
        version: rises whenever workers must release what is staged.
        paused: whether a person paused the account.
        hold_until_ms: until when the platform asked us to wait; 0 where it does not.
        hold_why: the platform's request in words.
        breaker: None where it is closed.
        breaker_opened: how often the breaker has opened.
        limit: calls in flight that flow control allows, over all workers; None where it is unknown or outdated.
        interval_us: microseconds between calls, as learnt from the platform; 0 where no rate is known.
        list_size: the batch size that flow control or a 413 has set; None where neither has.
        calls_in_flight: over all workers.
        workers: live workers.
        list_refused: the smallest batch that was refused for its length (413), where that set `list_size`; else None.
        stopped: the stop of all accounts; None where there is none.
        platforms: where its workers call; empty where none has run yet.
        strange_host: the host among them that nobody has confirmed, so that no call goes there.
        keeps_no_records: whether none of its workers can keep records, so that jobs which want some wait.
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
    stopped: AllStopped | None = None
    platforms: tuple[Environment, ...] = ()
    strange_host: str | None = None
    keeps_no_records: bool = False

    @property
    def shut(self) -> bool:
        """Whether a person keeps its calls from starting, or has to confirm its host first."""
        return self.paused or self.stopped is not None or self.strange_host is not None

    @property
    def calls_per_second(self) -> float | None:
        """The rate learnt from the platform; None where no rate is known."""
        return round(1e6 / self.interval_us, 2) if self.interval_us else None


async def gate(ledger: Ledger, account: str) -> AccountGate:
    """The account's gate now."""
    with translated():
        now_ms = await ledger.now_ms()
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.hmget(ledger.keys.state(account), list(_GATE))
        pipe.zcount(ledger.keys.slots(account), now_ms, "+inf")
        pipe.zcount(ledger.keys.workers, now_ms - LIVE_MS, "+inf")
        pipe.hmget(ledger.keys.totals, list(stop_all.FIELDS))
        values, calls, workers, stopped = await pipe.execute()
    h = dict(zip(_GATE, values, strict=True))
    held_until = int(h["hold_until"] or 0)
    known = now_ms - int(h["limit_at"] or 0) < int(h["limit_stale"] or _USUAL_STALE_MS)
    platforms = hosts.read(h["hosts"])
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
        interval_us=0 if h["spread"] else int(h["interval"] or 0),  # spacing of slow calls is no rate limit
        list_size=list_size,
        calls_in_flight=int(calls),
        workers=int(workers),
        list_refused=refused if list_size in bounds else None,
        stopped=stop_all.read(stopped),
        platforms=platforms,
        strange_host=await hosts.first_strange(ledger, platforms),
        keeps_no_records=hosts.all_bare(h["hosts"]),
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
    """The gate's version. A staged claim may start while the version stays the same."""
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
    """Accounts that a worker served within the last hour, and whether one serves them now."""
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.time()
        pipe.zrange(ledger.keys.served, 0, -1, withscores=True)
        (seconds, _), found = await pipe.execute()
    return {text(name): at_ms > seconds * 1000 - LIVE_MS for name, at_ms in found}
