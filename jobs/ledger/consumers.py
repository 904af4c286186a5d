"""Consumer groups of the results stream: how far each has read, and which keeps results from being trimmed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from cancellist.jobs.ledger import audit
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated

LONG_MS: Final = 86_400_000
"""A group that has held results up for so long is told of as one that perhaps nobody reads any more."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One reader of a group; `idle_ms` is how long ago it last asked for anything."""

    name: str
    pending: int
    idle_ms: int


@dataclass(frozen=True, slots=True)
class ConsumerGroupStatus:
    """A consumer group.

    Attributes:
        name: as it is shown.
        raw: as the server has it.
        lag: results that were not delivered to it; None where the server does not know.
        pending: results that were delivered and not acknowledged.
        oldest_pending_ms: when the oldest of those was written.
        last_delivered: the entry that was delivered last.
        unread_ms: when the first result was written that it has not acknowledged; None where it has all.
        held_up_ms: for how long a result is kept for this group that would have been trimmed; 0 where none is.
    """

    name: str
    raw: bytes
    lag: int | None
    pending: int
    oldest_pending_ms: int | None
    last_delivered: str
    unread_ms: int | None
    held_up_ms: int
    consumers: tuple[Consumer, ...]
    now_ms: int

    @property
    def holds_up(self) -> bool:
        """Whether results are kept for it."""
        return self.held_up_ms > 0


async def groups(ledger: Ledger, results_keep_s: float) -> list[ConsumerGroupStatus]:
    """The groups there are, by name.

    Args:
        ledger: the ledger.
        results_keep_s: for how long results are kept where no group has need of them.
    """
    key, now_ms = ledger.keys.results, await ledger.now_ms()
    with translated():
        try:
            found = await ledger.redis.xinfo_groups(key)
        except ResponseError as error:
            if "no such key" in str(error):
                return []
            raise
        first_open = await ledger.redis.zrange(ledger.keys.open, 0, 0, withscores=True)
    trimmed_to_ms = now_ms - round(results_keep_s * 1000)
    if first_open:
        trimmed_to_ms = min(trimmed_to_ms, int(first_open[0][1]))
    return [await _group(ledger, info, now_ms, trimmed_to_ms) for info in sorted(found, key=lambda one: one["name"])]


async def _group(ledger: Ledger, info: dict[str, Any], now_ms: int, trimmed_to_ms: int) -> ConsumerGroupStatus:
    name, last = info["name"], info["last-delivered-id"]
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.xinfo_consumers(ledger.keys.results, name)
        pipe.xpending(ledger.keys.results, name)
        pipe.xrange(ledger.keys.results, b"(" + last, "+", count=1)
        consumers, pending, following = await pipe.execute()
    oldest_ms = _ms(pending["min"]) if pending["pending"] else None
    unread_ms = _ms(following[0][0]) if following else None
    first_ms = min(filter(None, (oldest_ms, unread_ms)), default=None)
    return ConsumerGroupStatus(
        name=name.decode(errors="backslashreplace"),
        raw=name,
        lag=0 if not following else info.get("lag"),
        pending=int(info["pending"]),
        oldest_pending_ms=oldest_ms,
        last_delivered=last.decode(),
        unread_ms=first_ms,
        held_up_ms=max(0, trimmed_to_ms - first_ms) if first_ms is not None else 0,
        consumers=_consumers(consumers),
        now_ms=now_ms,
    )


def _consumers(rows: Sequence[dict[str, Any]]) -> tuple[Consumer, ...]:
    found = [
        Consumer(row["name"].decode(errors="backslashreplace"), int(row["pending"]), int(row["idle"])) for row in rows
    ]
    return tuple(sorted(found, key=lambda one: one.name))


async def remove(ledger: Ledger, group: str) -> bool:
    """Removes a group by its name; returns whether there was one. What it had not read may then be trimmed."""
    with translated():
        try:
            known = await ledger.redis.xinfo_groups(ledger.keys.results)
        except ResponseError as error:
            if "no such key" in str(error):
                return False
            raise
        for info in known:
            if info["name"].decode(errors="backslashreplace") == group:
                async with audit.recorded(ledger, "consumers remove", about=group):
                    return bool(await ledger.redis.xgroup_destroy(ledger.keys.results, info["name"]))
    return False


def _ms(entry: bytes) -> int:
    return int(entry.partition(b"-")[0])
