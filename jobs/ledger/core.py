"""The ledger: a connection, its names and its operations."""

from enum import StrEnum
from typing import Any, TypeVar

from redis.asyncio import Redis

from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.keys import DEFAULT_NAMESPACE, Keys
from cancellist.jobs.ledger.scripts.loader import Scripts
from cancellist.jobs.ledger.server.connection import translated

FORMAT = 1
"""Version of what is written; every record carries it.

Within a version records may only gain fields, which mean something by their absence: what an older worker has written
is read by a newer one, and what a newer one adds is passed over by an older one, so that both may run at once. Closed
sets, such as outcomes and states, gain no word. tests/contract/test_format.py holds it.
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
            if found is None:  # asked first: who only reads may not write it, a full server takes no write
                await self.redis.set(self.keys.format, FORMAT, nx=True)
                found = await self.redis.get(self.keys.format)
        written = _text(found)
        if written in map(str, READS):
            return
        raise LedgerUnfitError(f"namespace {self.keys.namespace!r} holds format {written}, {reads()}: {mend(written)}")

    async def now_ms(self) -> int:
        """The server's clock, Unix milliseconds."""
        with translated():
            seconds, micros = await self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def run(self, name: str, account: str, *args: str | bytes | int) -> Any:
        """Runs a script for an account."""
        return await self.scripts.run(name, self.keys.of_account(account), self.keys.prefix, account, *args)


def reads() -> str:
    """What this version reads, in words."""
    return f"this version reads {', '.join(map(str, sorted(READS)))}"


def mend(written: str) -> str:
    """What to do where a namespace holds a format that is not read."""
    newer = written.isdecimal() and int(written) > FORMAT
    first = "upgrade cancellist here" if newer else "run the version that wrote it"
    return f"{first}, or choose another CANCELLIST_NAMESPACE"


_Word = TypeVar("_Word", bound=StrEnum)


def known(words: type[_Word], text: str) -> _Word:
    """A word of a closed set, as a record has it.

    Raises:
        LedgerUnfitError: it is none of this version's.
    """
    try:
        return words(text)
    except ValueError:
        raise LedgerUnfitError(
            f"the ledger holds the {words.__name__} {text!r}, which this version does not know: upgrade cancellist here"
        ) from None


def _text(value: bytes | str | None) -> str:
    return plain(value.decode(errors="backslashreplace")) if isinstance(value, bytes) else str(value)
