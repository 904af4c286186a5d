"""The local platform in the process of a test, and a client that sends every call once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from cancellist.sandbox.options import SandboxOptions
from cancellist.sandbox.server import Sandbox, running


@asynccontextmanager
async def platform(fault: str | None = None, **options: Any) -> AsyncIterator[tuple[Sandbox, aiohttp.ClientSession]]:
    """Runs the sandbox for a block, and opens a client to it. With `fault` every call gets that fault."""
    given = {"mix": "Allocated=1", "consignments": 1000, "faults": {fault: 1.0} if fault else {}} | options
    async with running(SandboxOptions(**given)) as server, aiohttp.ClientSession(server.url) as http:
        # aiohttp sends a PUT again by itself when a connection closes: here every call is to be seen.
        http._retry_connection = False
        yield server, http


async def until(condition: Callable[[], object]) -> None:
    """Waits until a condition of the server holds. It has no event that a test could wait for."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


def acted(server: Sandbox, first: int) -> int:
    """How many of the platform's first consignments are cancelled."""
    return sum(row["state"] == "Cancelled" for row in server.record(server.references(first)))
