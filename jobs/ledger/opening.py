"""Opens the ledger: on the given server or an embedded one, checked, and marked with the format."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

from redis.asyncio import Redis

from cancellist.jobs.ledger.checks.acl import commands
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect, later, redacted
from cancellist.jobs.ledger.server.embedded import EmbeddedServer
from cancellist.jobs.ledger.server.fitness import ServerFacts, check, check_commands

BLOCK_S = 10.0
"""The longest wait of a blocking command."""


class Opened:
    """An open ledger with its connections and, if it is ours, its server.

    Attributes:
        blocking: a client for commands that wait; it connects at the first of them.
    """

    def __init__(
        self, ledger: Ledger, blocking: Redis, facts: ServerFacts, shown: str, own: EmbeddedServer | None
    ) -> None:
        self.ledger = ledger
        self.blocking = blocking
        self.facts = facts
        self.shown = shown
        self._own = own

    async def revive(self) -> None:
        """Starts our own server again if somebody has ended it; does nothing where the server is not ours."""
        if self._own:
            await asyncio.to_thread(self._own.ensure_running)

    async def close(self) -> None:
        """Closes the connections, and our own server unless another process uses it."""
        await self.ledger.redis.aclose()
        await self.blocking.aclose()
        if self._own:
            await asyncio.to_thread(self._own.close)


async def open_ledger(
    *,
    url: str | None,
    data_dir: Path,
    fsync: Literal["always", "everysec"],
    namespace: str,
    on_wait: Callable[[str], None] | None = None,
) -> Opened:
    """Opens the ledger at `url`, or in an embedded server in `data_dir`.

    Raises:
        LedgerError: the server cannot be used; the text says what to do.
        SettingsError: the URL is malformed.
    """
    if url is not None:
        return await _connect(url, namespace, None, on_wait)
    own = EmbeddedServer(data_dir, fsync=fsync, on_wait=on_wait)
    try:
        return await _connect(await asyncio.to_thread(own.start), namespace, own, on_wait)
    except BaseException:
        await asyncio.to_thread(own.close)
        raise


async def _connect(
    url: str, namespace: str, own: EmbeddedServer | None, on_wait: Callable[[str], None] | None
) -> Opened:
    redis: Redis = await connect(url, on_wait=on_wait)
    try:
        facts = await check(redis, redacted(url))
        await check_commands(redis, commands(), redacted(url))
        ledger = Ledger(redis, namespace)
        await ledger.open()
    except BaseException:
        await redis.aclose()
        raise
    return Opened(ledger, later(url, block_s=BLOCK_S), facts, redacted(url), own)


@contextlib.asynccontextmanager
async def opened_ledger(
    *,
    url: str | None,
    data_dir: Path,
    fsync: Literal["always", "everysec"],
    namespace: str,
    on_wait: Callable[[str], None] | None = None,
) -> AsyncIterator[Opened]:
    """Opens the ledger for a `with` block; see `open_ledger`."""
    opened = await open_ledger(url=url, data_dir=data_dir, fsync=fsync, namespace=namespace, on_wait=on_wait)
    try:
        yield opened
    finally:
        await opened.close()
