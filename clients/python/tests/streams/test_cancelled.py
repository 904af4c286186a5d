"""A coroutine that is cancelled loses nothing."""

import asyncio

import pytest

from cancellist_client import AsyncClient


async def consumed(client: AsyncClient, seen: list[str], wait: float | None) -> None:
    async for result in client.consume("billing", consumer="one", batch=5, wait=wait):
        seen.append(result.reference)
        await asyncio.sleep(0)


async def test_a_consumer_that_is_cancelled_anywhere_loses_nothing(server, writer) -> None:
    seen: list[str] = []
    async with AsyncClient(server.url) as client:
        for number in range(40):
            writer.write(10)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001 * (number % 10 + 1)):
                    await consumed(client, seen, None)
        await consumed(client, seen, 0.3)
    assert set(seen) == set(writer.written)
    assert len(seen) <= len(writer.written) + 40  # the one at which each was cancelled may come again
    assert server.command_line("XPENDING", "cancellist:results", "billing")["pending"] == 0
