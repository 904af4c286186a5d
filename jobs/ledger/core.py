"""The ledger: a connection, the names of its keys, and its scripts."""

from enum import StrEnum
from typing import Any, TypeVar

from redis.asyncio import Redis

from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.keys import DEFAULT_NAMESPACE, Keys
from cancellist.jobs.ledger.scripts.loader import Scripts
from cancellist.jobs.ledger.server.connection import translated

FORMAT = 1
"""The version of the stored format; every record carries it.

Within a version records may only gain fields, and the absence of such a field must have a meaning. So a newer worker
reads what an older one wrote, an older worker skips what a newer one adds, and both may run at once. Closed sets, such
as outcomes and states, gain no word. tests/contract/test_format.py checks this.
"""
READS = frozenset({FORMAT})
"""The versions that this code reads."""


class Ledger:
    """The first argument of every operation in this package."""

    def __init__(self, redis: Redis, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.redis: Any = redis  # redis-py's annotations are those of its blocking client
        self.keys = Keys(namespace)
        self.scripts = Scripts(redis)
        self.unqueued: set[str] = set()
        """Accounts with a drain that a full server could not queue. A worker that drains one removes it here."""

    async def open(self) -> None:
        """Writes the format's version into a new namespace, or checks the version of an old one.

        Raises:
            LedgerUnfitError: the namespace holds a format that this version does not read.
        """
        with translated():
            found = await self.redis.get(self.keys.format)
            if found is None:  # read first: a read-only user may not write, and a full server refuses writes
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
    """The formats that this version reads, in words."""
    return f"this version reads {', '.join(map(str, sorted(READS)))}"


def mend(written: str) -> str:
    """What to do where a namespace holds a format that this version does not read."""
    newer = written.isdecimal() and int(written) > FORMAT
    first = "upgrade cancellist here" if newer else "run the version that wrote it"
    return f"{first}, or choose another CANCELLIST_NAMESPACE"


_Word = TypeVar("_Word", bound=StrEnum)


def known(words: type[_Word], text: str) -> _Word:
    """Converts the text of a record into a word of a closed set.

    Raises:
        LedgerUnfitError: this version does not know the word.
    """
    try:
        return words(text)
    except ValueError:
        raise LedgerUnfitError(
            f"the ledger holds the {words.__name__} {text!r}, which this version does not know: upgrade cancellist here"
        ) from None


def _text(value: bytes | str | None) -> str:
    return plain(value.decode(errors="backslashreplace")) if isinstance(value, bytes) else str(value)
