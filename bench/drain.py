"""The engine beside its peers: a drain at latency against the ideal, and at none against the bare script.

Every round goes through all contenders in turn, so that a busy minute of the machine hits each alike, and gives each a
process and a server of its own, new and empty. The engine is one real worker, which stands ready and idle when the
job is handed in whole; the bare script's process starts with its references in memory. So neither finds anything warm,
neither's start counts, and the engine's includes what it takes to notice the job and to open 16 connections.

An engine's drain runs from the platform's receipt of the first call to the last entry in the results stream; a bare
script's from its first call to its last write. The efficiency is the ideal time, calls / calls in flight * latency,
over that. 1,000 calls of 50 ms in 16 lanes cannot pass 0.992: the last lap has 8 calls. A ratio is that of two drains
that follow each other, and the median is that of the ratios.
"""

from statistics import median

from bench import engine, servers
from bench.context import Context
from bench.measure import Measured, Task
from bench.peers import bare, sockets
from bench.references import references
from bench.table import Row

BEST, OF_SOCKETS, OF_BARE = 0.95, 0.99, 1.5
QUICK_LAPS = 2  # at no latency a drain is over within a second, and a busy moment spoils all of it


async def drain(context: Context, platform: servers.Platform, latency_ms: float) -> Measured:
    """Drain once with one worker of the engine."""
    context.probe()
    await platform.reset()
    async with (
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(
            server,
            platform.url,
            max_concurrent_calls=context.concurrency,
            max_references_per_call=context.size,
        ) as worker,
    ):
        cpu_before_s = worker.cpu_seconds
        job = await engine.submit(book, references(context.references))
        await engine.finish(book, job)
        stats = await platform.stats()
        if stats["references"] != context.references:
            raise RuntimeError(f"the platform was given {stats['references']} references for {context.references}")
        seconds = await engine.last_result_at(book) - stats["first_request"]
        cpu_s = worker.cpu_seconds - cpu_before_s
    task = Task(platform.url, None, context.references, context.size, latency_ms / 1000, context.concurrency)
    measured = task.measured(-(-context.references // context.size), seconds, cpu_s)
    context.tell("engine", latency_ms, measured)
    return measured


async def run(context: Context) -> list[Row]:
    """Measure the engine and its peers, in as many rounds as the context asks for."""
    slow: dict[str, list[float]] = {"sockets, no queue": [], "bare script": [], "engine": []}
    quick: dict[str, list[float]] = {name: [] for name in (*slow, "bare script, packed by hiredis")}
    async with servers.platform(latency_ms=context.latency_ms) as distant, servers.platform() as near:
        for _ in range(context.repeats):
            for name, measured in (
                ("sockets, no queue", await sockets(context, distant, context.latency_ms)),
                ("bare script", await bare(context, distant, context.latency_ms)),
                ("engine", await drain(context, distant, context.latency_ms)),
            ):
                slow[name].append(measured.efficiency or 0.0)
            for _ in range(QUICK_LAPS):
                for name, measured in (
                    ("sockets, no queue", await sockets(context, near, 0.0)),
                    ("bare script", await bare(context, near, 0.0)),
                    ("engine", await drain(context, near, 0.0)),
                    ("bare script, packed by hiredis", await bare(context, near, 0.0, pack="hiredis")),
                ):
                    quick[name].append(measured.references_per_second)
    return _efficiencies(context, slow) + _rates(quick)


def _efficiencies(context: Context, samples: dict[str, list[float]]) -> list[Row]:
    *peers, (_, ours) = samples.items()
    target = min(BEST, OF_SOCKETS * median(samples["sockets, no queue"]))
    rows = [Row(f"efficiency at {context.latency_ms:g} ms: {name}", "", tuple(values)) for name, values in peers]
    return [*rows, Row("drain efficiency", "", tuple(ours), target)]


def _rates(samples: dict[str, list[float]]) -> list[Row]:
    rows = [Row(f"zero latency: {name}", "references/s", tuple(values)) for name, values in samples.items()]
    for name, target in (("bare script", OF_BARE), ("bare script, packed by hiredis", None)):
        ratios = tuple(ours / theirs for ours, theirs in zip(samples["engine"], samples[name], strict=True))
        rows.append(Row(f"drain rate / {name}", "", ratios, target))
    return rows
