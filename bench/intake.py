"""The intake stream: many small jobs at once, one job at a time for an idle worker, and an idle worker's commands.

All against a platform without latency and one worker at its default settings.

A burst is one pipeline of XADDs; what counts is how few calls the platform sees. A latency runs from the writing of the
XADD to the arrival of the result at a reader that waits for it by XREAD; the gaps between are long enough for the
worker to have nothing left, and of random length, so that no period of the worker's hides behind that of the samples.
Idle commands are those of all clients but the benchmark's own, as MONITOR shows them; what scripts call is not sent.
"""

import asyncio
import contextlib
import random
import time

from redis.asyncio import Redis

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger.core import Ledger

JOBS, CALLS = 5_000, 75
SAMPLES, P50_MS, P99_MS = 200, 60, 150
GAP_S = (0.05, 0.2)
IDLE_S, COMMANDS_PER_SECOND = 10.0, 10
SETTLING_S = 1.5
WAIT_S = 30.0
RESULT_WAIT_MS = 3_000
BURSTS = 3


async def burst(context: Context) -> int:
    """Add many jobs of one reference at once and return the calls that they took."""
    context.probe()
    async with (
        servers.platform() as platform,
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(server, platform.url),
    ):
        pipeline = book.redis.pipeline(transaction=False)
        for reference in references(JOBS):
            pipeline.xadd(book.keys.intake, {"references": reference})
        started = time.monotonic()
        await pipeline.execute()
        while await book.redis.xlen(book.keys.results) < JOBS:
            if time.monotonic() - started > WAIT_S:
                raise RuntimeError(f"{await book.redis.xlen(book.keys.results)} of {JOBS} jobs are done")
            await asyncio.sleep(engine.POLL_S)
        seconds = await engine.last_result_at(book) - started
        stats = await platform.stats()
        if stats["references"] != JOBS:
            raise RuntimeError(f"the platform was given {stats['references']} references for {JOBS}")
    context.say(f"  {JOBS:,} jobs at once: {stats['calls']} calls, {seconds:.2f} s")
    return int(stats["calls"])


async def latencies_ms(book: Ledger) -> list[float]:
    """Return the time from XADD to result of one job after another."""
    samples, last = [], "0-0"
    for reference in references(SAMPLES, first=JOBS):
        await asyncio.sleep(random.uniform(*GAP_S))
        result = asyncio.create_task(_result_after(book, last))
        await asyncio.sleep(0)
        started = time.perf_counter()
        await book.redis.xadd(book.keys.intake, {"references": reference})
        last, found = await result
        samples.append((time.perf_counter() - started) * 1000)
        if found != reference:
            raise RuntimeError(f"the result of {found} came in place of that of {reference}")
    return samples


async def _result_after(book: Ledger, last: str) -> tuple[str, str]:
    reply = await book.redis.xread({book.keys.results: last}, count=1, block=RESULT_WAIT_MS)
    if not reply:
        raise RuntimeError(f"no result within {RESULT_WAIT_MS} ms")
    ((entry, fields),) = reply[0][1]
    return entry.decode(), fields[b"reference"].decode()


async def idle_commands(server: servers.Valkey) -> list[str]:
    """Return the names of the commands that the server gets while there is nothing to do."""
    await asyncio.sleep(SETTLING_S)
    commands: list[str] = []
    watcher = Redis.from_url(server.url)
    try:
        async with watcher.monitor() as monitor:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    while True:
                        sent = await monitor.next_command()
                        commands += [sent["command"].split(" ", 1)[0]] if sent["client_type"] != "lua" else []
    finally:
        await watcher.aclose()
    return commands


def percentile(samples: list[float], share: float) -> float:
    """Return the quantile of the samples: the least one that at least this share of them do not exceed."""
    return sorted(samples)[max(0, -(-len(samples) * round(share * 100) // 100) - 1)]


async def run(context: Context) -> list[Row]:
    """Measure the intake stream."""
    calls = [await burst(context) for _ in range(min(BURSTS, context.repeats))]
    context.probe()
    async with (
        servers.platform() as platform,
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(server, platform.url),
    ):
        samples = await latencies_ms(book)
        p99 = percentile(samples, 0.99)
        context.say(f"  XADD to result: worst {max(samples):.1f} ms of {len(samples)}")
        commands = await idle_commands(server)
    context.say("  idle: " + ", ".join(f"{commands.count(name)} {name}" for name in sorted(set(commands))))
    return [
        Row(f"{JOBS:,} jobs of one reference at once", "calls", tuple(calls), CALLS, at_most=True),
        Row("XADD to result, idle worker: p50", "ms", tuple(samples), P50_MS, at_most=True),
        Row("XADD to result, idle worker: p99", "ms", (p99,), P99_MS, at_most=True),
        Row("commands of an idle worker", "a second", (len(commands) / IDLE_S,), COMMANDS_PER_SECOND, at_most=True),
    ]
