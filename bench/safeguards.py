"""What the safeguards of an account cost: a drain with all of them on, beside one with none.

The two follow each other in every round, each with a worker and a server of its own. The canary is the only one that
makes the platform wait: its call and its reads come before the rest, three times the latency in all, whatever the
size of the job. So the job is a long one here.
"""

from typing import Final

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row

LAPS: Final = 5
TARGET: Final = 0.98
ALL_ON: Final[dict[str, str | int]] = {
    "canary": 20, "canary_above": 1000, "max_refused": "5%", "max_unconfirmed": "5%",
    "guard_max_references": 100_000_000, "guard_max_per_day": 1_000_000_000, "guard_unusual": 1000,
}  # fmt: skip


async def drained(context: Context, platform: servers.Platform, settings: dict[str, str | int]) -> float:
    """Return the seconds of one drain, from the first call to the last result."""
    context.probe()
    await platform.reset()
    count = LAPS * context.references
    async with (
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(
            server,
            platform.url,
            max_concurrent_calls=context.concurrency,
            max_references_per_call=context.size,
            **settings,
        ),
    ):
        job = await engine.submit(book, references(count))
        await engine.finish(book, job)
        stats = await platform.stats()
        if stats["references"] != count:
            raise RuntimeError(f"the platform was given {stats['references']} references for {count}")
        if settings and stats["reads"] != settings["canary"]:
            raise RuntimeError(f"{stats['reads']} states were read back for a canary of {settings['canary']}")
        return await engine.last_result_at(book) - stats["first_request"]


async def run(context: Context) -> list[Row]:
    """Measure both, in as many rounds as the context asks for."""
    ratios = []
    async with servers.platform(latency_ms=context.latency_ms) as platform:
        for _ in range(context.repeats):
            without = await drained(context, platform, {})
            with_all = await drained(context, platform, ALL_ON)
            context.say(f"  {without:.2f} s without safeguards, {with_all:.2f} s with all")
            ratios.append(without / with_all)
    return [Row("drain rate with all safeguards / without", "", tuple(ratios), TARGET)]
