"""The ledger: a connection, its names and its operations."""

from typing import Any

from redis.asyncio import Redis

from jobs.errors import LedgerUnfitError
from jobs.ledger.connection import translated
from jobs.ledger.keys import DEFAULT_NAMESPACE, Keys
from jobs.ledger.scripts import Scripts

FORMAT = 1
"""Version of what is written; every record carries it.

Within a version records may only gain fields, which mean something by their absence: what an older worker has written
is read by a newer one, and what a newer one adds is passed over by an older one, so that both may run at once.
"""
READS = frozenset({FORMAT})
"""Versions that are read."""


class Ledger:
    """What every operation of this package is given."""

    def __init__(self, redis: Redis, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.redis: Any = redis  # redis-py's annotations are those of its blocking client
        self.keys = Keys(namespace)
        self.scripts = Scripts(redis)
        self.unqueued: set[str] = set()
        """Accounts with a drain that the server has no room to queue; who can drain them takes them out."""

    async def open(self) -> None:
        """Marks the namespace with the format's version, or checks the one it has.

        Raises:
            LedgerUnfitError: it holds a format that is not read.
        """
        with translated():
            found = await self.redis.get(self.keys.format)
            if found is None:  # asked first: a full server takes no write, and must be drained
                await self.redis.set(self.keys.format, FORMAT, nx=True)
                found = await self.redis.get(self.keys.format)
        text = _text(found)
        if text in map(str, READS):
            return
        newer = text.isdecimal() and int(text) > FORMAT
        raise LedgerUnfitError(
            f"namespace {self.keys.namespace!r} holds format {text}, this version reads {', '.join(map(str, READS))}: "
            + ("upgrade cancellist here" if newer else "run the version that wrote it")
            + ", or choose another CANCELLIST_NAMESPACE"
        )

    async def now_ms(self) -> int:
        """The server's clock, Unix milliseconds."""
        with translated():
            seconds, micros = await self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def run(self, name: str, account: str, *args: str | bytes | int) -> Any:
        """Runs a script for an account."""
        return await self.scripts.run(name, self.keys.of_account(account), self.keys.prefix, account, *args)


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
