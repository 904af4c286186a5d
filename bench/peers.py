"""What the engine is held against, on the same machine in the same run.

Hand-written sockets with no queue at all say what the platform itself allows; the bare script says what can be had
without a queue. The rounds go through all of them in turn, so that a busy minute of the machine hits each alike. Each
bare drain has a server of its own, empty and with the embedded server's settings.
"""

from bench import servers
from bench.context import Context
from bench.measure import Measured
from bench.table import Row

SOCKETS_EFFICIENCY = "sockets, no queue, at latency: efficiency"
BARE_EFFICIENCY = "bare script, at latency: efficiency"
SOCKETS_RATE = "sockets, no queue, zero latency"
BARE_RATE = "bare script, zero latency"
BARE_PACKED_RATE = "bare script with hiredis packing, zero latency"


async def sockets(context: Context, platform: servers.Platform, latency_ms: float) -> Measured:
    """Drain once with hand-written sockets."""
    return await context.contend("sockets", url=platform.url, latency_ms=latency_ms)


async def bare(context: Context, platform: servers.Platform, latency_ms: float, pack: str = "redis-py") -> Measured:
    """Drain once with the bare script, on a fresh server."""
    async with servers.valkey() as server:
        return await context.contend(
            "bare", "--pack", pack, "--redis-url", server.url, url=platform.url, latency_ms=latency_ms
        )


async def run(context: Context) -> list[Row]:
    """Measure the peers, in as many rounds as the context asks for."""
    samples: dict[str, list[float]] = {
        name: [] for name in (SOCKETS_EFFICIENCY, BARE_EFFICIENCY, SOCKETS_RATE, BARE_RATE, BARE_PACKED_RATE)
    }
    async with servers.platform(latency_ms=context.latency_ms) as slow, servers.platform() as quick:
        for _ in range(context.repeats):
            for name, measured in (
                (SOCKETS_EFFICIENCY, await sockets(context, slow, context.latency_ms)),
                (BARE_EFFICIENCY, await bare(context, slow, context.latency_ms)),
            ):
                samples[name].append(measured.efficiency or 0.0)
            for name, measured in (
                (SOCKETS_RATE, await sockets(context, quick, 0.0)),
                (BARE_RATE, await bare(context, quick, 0.0)),
                (BARE_PACKED_RATE, await bare(context, quick, 0.0, pack="hiredis")),
            ):
                samples[name].append(measured.references_per_second)
    return [
        Row(name, "" if name in {SOCKETS_EFFICIENCY, BARE_EFFICIENCY} else "references/s", tuple(values))
        for name, values in samples.items()
    ]
