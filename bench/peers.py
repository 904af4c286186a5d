"""The peers that the engine is compared with, on the same machine in the same run.

Hand-written sockets with no queue at all say what the platform itself allows; the bare script says what can be had
without a queue. Each bare drain has a server of its own, empty and with the embedded server's settings.
"""

from bench import servers
from bench.context import Context
from bench.measure import Measured


async def sockets(context: Context, platform: servers.Platform, latency_ms: float) -> Measured:
    """Drain once with hand-written sockets."""
    return await context.contend("sockets", url=platform.url, latency_ms=latency_ms)


async def bare(context: Context, platform: servers.Platform, latency_ms: float, pack: str = "redis-py") -> Measured:
    """Drain once with the bare script, on a fresh server."""
    async with servers.valkey() as server:
        return await context.contend(
            "bare", "--pack", pack, "--redis-url", server.url, url=platform.url, latency_ms=latency_ms
        )
