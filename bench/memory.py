"""Memory: the server's cost of a reference before and after it is settled, and a worker's cost of a backlog.

The server's is the growth of its `used_memory` over what it holds when the ledger has just been opened, and all of it:
the job's record, the index of its results, what is remembered of settled claims. References are settled through the
ledger alone, as a worker would, 100 a claim, all `cancelled`.

A worker's is the most that was ever resident. Both workers run equally long, against a platform without latency, which
is when a worker has most in hand; the one with the longer backlog drains all the while.
"""

import asyncio
import itertools
import sys

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger import claims, records
from cancellist.jobs.ledger.claims import Ask, Claim, Settlement, Share, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import DEFAULT_ACCOUNT, Outcome
from cancellist.jobs.responses.steps import WriteResult

QUEUED_BYTES, SETTLED_BYTES, WORKER_MIB = 32, 70, 20
FEW = 1_000
DRAINING_S = 4.0
ROUNDS = 3
DRAINS = 8
CALM_S = 1.0

CANCELLED = WriteResult(Outcome.CANCELLED, attempts=1, status=200)
TERMS = Terms(limit=DRAINS, linger_ms=0)


async def settle_all(book: Ledger, step: WriteResult = CANCELLED) -> None:
    """Claim and settle, until nothing is left; all with this result."""
    numbers = itertools.count()

    def ask(drain: str) -> Ask:
        return Ask(f"{drain}.{next(numbers)}", drain, "any", 0, TERMS)

    async def settle(drain: str) -> None:
        claim = await claims.claim(book, DEFAULT_ACCOUNT, ask(drain))
        while isinstance(claim, Claim):
            parts = [[Share(step, None, len(part.piece.references))] for part in claim.parts]
            settlement = Settlement(claim.id, parts, give=(claim.id,))
            ours, following = await claims.settle(book, DEFAULT_ACCOUNT, settlement, ask(drain), TERMS)
            if not ours or following is None:
                raise RuntimeError(f"claim {claim.id} was lost")
            claim = following

    await asyncio.gather(*(settle(f"drain{number}") for number in range(DRAINS)))


async def server_bytes(context: Context) -> tuple[float, float]:
    """Return the server's bytes for one queued and one settled reference."""
    async with servers.valkey() as server, engine.ledger(server) as book:
        before = await calm(server)
        job = await engine.submit(book, references(context.queued))
        queued = await calm(server)
        await settle_all(book)
        record = await records.get(book, job)
        if record.outcomes != {Outcome.CANCELLED: context.queued}:
            raise RuntimeError(f"{context.queued} references came to {dict(record.outcomes)}")
        settled = await calm(server)
    return (queued - before) / context.queued, (settled - before) / context.queued


async def calm(server: servers.Valkey) -> int:
    """Return the memory in use once the server has freed its last clients' buffers."""
    await asyncio.sleep(CALM_S)
    return await server.used_memory()


async def worker_peak_mib(backlog: int) -> float:
    """Return the peak memory of a worker that drained a backlog."""
    async with servers.platform() as platform, servers.valkey() as server, engine.ledger(server) as book:
        await engine.submit(book, references(backlog))
        async with engine.worker(server, platform.url, max_concurrent_calls=16) as worker:
            await asyncio.sleep(DRAINING_S)
            if not await book.redis.xlen(book.keys.results):
                raise RuntimeError("the worker has drained nothing")
            return worker.peak_mib


async def server_rows(context: Context) -> list[Row]:
    """Measure the server's memory. It does not depend on the machine's load, so once is enough."""
    queued, settled = await server_bytes(context)
    context.say(f"  server: {queued:.1f} bytes queued, {settled:.1f} settled")
    return [
        Row(f"server memory, {context.queued:,} queued", "bytes each", (queued,), QUEUED_BYTES, at_most=True),
        Row("server memory, settled as cancelled", "bytes each", (settled,), SETTLED_BYTES, at_most=True),
    ]


async def worker_rows(context: Context) -> list[Row]:
    """Measure a worker's memory with few and with many references queued, in turn."""
    peaks, growths = [], []
    for _ in range(min(ROUNDS, context.repeats)):
        context.probe()
        few, many = await worker_peak_mib(FEW), await worker_peak_mib(context.queued)
        peaks.append(many)
        growths.append(many - few)
        context.say(f"  worker: {few:.1f} MiB with {FEW:,} queued, {many:.1f} MiB with {context.queued:,}")
    return [
        Row(f"worker's peak memory with {context.queued:,} queued", "MiB", tuple(peaks)),
        Row(f"worker's peak memory above that with {FEW:,} queued", "MiB", tuple(growths), WORKER_MIB, at_most=True),
    ]


async def run(context: Context) -> list[Row]:
    """Measure the server's memory and a worker's."""
    rows = await server_rows(context)
    if sys.platform == "linux":
        return rows + await worker_rows(context)
    context.say("  a process's peak memory is read from Linux's /proc only: the worker's is left out")
    return rows
