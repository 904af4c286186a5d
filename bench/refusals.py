"""Refusals without a clear text: each costs a read, and reads must not starve calls.

One real worker against a platform with latency. A job of nothing but refusals takes one list call for each hundred
references, and one read for each reference: its ideal time is that of all of them, one after the other, over the calls
that may be in flight. Beside it, a job that is simply cancelled is handed in at the same time. Reads take at most half
of the calls in flight while lists wait, so it should take no more than twice what it takes alone.
"""

import asyncio
import time

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger import records

REFUSALS, OPEN = 4_000, 20_000
EFFICIENCY, TWICE = 0.9, 2.3


def refused(count: int) -> list[str]:
    """Return references that the simulated platform refuses."""
    return [f"EC-ZZ{n // 46656 % 36:X}-{n // 1000 % 1000:03d}-{n % 1000:03d}" for n in range(count)]


async def drained(context: Context, platform: servers.Platform, *, beside: bool) -> tuple[float, float]:
    """Return the seconds of a job of refusals or, with `beside`, of a job without refusals beside it."""
    context.probe()
    await platform.reset()
    async with (
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(
            server, platform.url, max_concurrent_calls=context.concurrency, max_references_per_call=context.size
        ),
    ):
        jobs = [await engine.submit(book, refused(REFUSALS))]
        if beside:
            jobs.append(await engine.submit(book, references(OPEN)))
        begun = time.monotonic()
        while not (record := await records.get(book, jobs[-1])).state.ended:
            if time.monotonic() - begun > engine.JOB_TIMEOUT_S:
                raise RuntimeError(f"{record.pending} references are still waiting")
            await asyncio.sleep(engine.POLL_S)
        stats = await platform.stats()
        seconds = ((record.finished_at_ms or 0) - record.created_at_ms) / 1000
        return seconds, float(stats["reads"])


async def alone(context: Context, platform: servers.Platform) -> float:
    """Return the seconds of a job without refusals."""
    await platform.reset()
    async with (
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(
            server, platform.url, max_concurrent_calls=context.concurrency, max_references_per_call=context.size
        ),
    ):
        job = await engine.submit(book, references(OPEN))
        await engine.finish(book, job)
        record = await records.get(book, job)
        return ((record.finished_at_ms or 0) - record.created_at_ms) / 1000


async def run(context: Context) -> list[Row]:
    """Measure the cost of refusals, for their own job and for others."""
    calls = REFUSALS + -(-REFUSALS // context.size)
    ideal_s = calls / context.concurrency * context.latency_ms / 1000
    efficiencies, reads, ratios = [], [], []
    async with servers.platform(latency_ms=context.latency_ms) as platform:
        for _ in range(context.repeats):
            seconds, read = await drained(context, platform, beside=False)
            efficiencies.append(ideal_s / seconds)
            reads.append(read / REFUSALS)
            by_itself_s = await alone(context, platform)
            ratios.append((await drained(context, platform, beside=True))[0] / by_itself_s)
            context.say(f"  refusals: efficiency {efficiencies[-1]:.3f}; beside them {ratios[-1]:.2f} times as long")
    return [
        Row("refusals, each read: efficiency", "", tuple(efficiencies), EFFICIENCY),
        Row("reads for each refusal", "", tuple(reads), 1.0, at_most=True),
        Row("others' time beside refusals / alone", "", tuple(ratios), TWICE, at_most=True),
    ]
