"""Submitting: the references a second of one producer, and a check that each is in the job once.

The whole way of `cancellist enqueue`: a file on disk, one reference a line, is read by blocks, checked, freed of
duplicates, packed and written to a server that has every command on disk before it answers, then sealed. Every sample
has a process and a server of its own; the process's start is not counted.

Duplicates: a tenth of the file's lines, anywhere in it, repeat an earlier one. What the server then holds is compared
with the file, reference by reference and in order. The memory is what removing them alone takes, in a process that does
nothing else: in memory, and where it has gone to disk.
"""

import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path

from bench import engine, servers
from bench.context import Context
from bench.parsing import deduplicate
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.pieces import unpack_piece
from cancellist.jobs.ledger.submitting.deduplication import IN_MEMORY

WANTED_PER_SECOND = 500_000
DUPLICATES = 10  # one line in so many
PAGE = 1000
BOUND_MIB = 256  # 182 MiB for the references that are kept in memory, 64 for the cache of those on disk


async def produce(server: servers.Valkey, file: Path) -> dict[str, str | float]:
    """Hand in a file by a producer's process and return its figures."""
    output = await servers.output_of(
        "bench.producer",
        *(sys.executable, "-m", "bench.producer", str(file)),
        cwd=file.parent,
        env=engine.environment(redis_url=server.url),
    )
    answer: dict[str, str | float] = json.loads(output)
    return answer


def with_duplicates(count: int) -> list[str]:
    """Return `count` references, one in ten of which was there before."""
    chance = random.Random(1)
    repeated = set(chance.sample(range(1, count), count // DUPLICATES))
    fresh = iter(references(count - len(repeated)))
    lines: list[str] = []
    for at in range(count):
        lines.append(lines[chance.randrange(at)] if at in repeated else next(fresh))
    return lines


async def stored(book: Ledger, job: str) -> list[str]:
    """Return the references of an unclaimed job, in order."""
    found: list[str] = []
    at = 0
    while chunks := await book.redis.lrange(f"{book.keys.job(job)}:calls", at, at + PAGE - 1):
        found += [reference for chunk in chunks for reference in unpack_piece(chunk).references]
        at += PAGE
    return found


async def rates(context: Context, folder: Path) -> list[Row]:
    """Measure how fast a file without duplicates is handed in, and the producer's memory."""
    file = folder / "references.txt"
    file.write_text("".join(f"{reference}\n" for reference in references(context.queued)))
    rates, peaks = [], []
    for _ in range(context.repeats):
        context.probe()
        async with servers.valkey() as server:
            said = await produce(server, file)
        if said["total"] != context.queued:
            raise RuntimeError(f"{said['total']} references of {context.queued} were handed in")
        rates.append(context.queued / float(said["seconds"]))
        peaks.append(float(said["peak_mib"]))
        context.say(f"  {rates[-1]:,.0f} references/s, {peaks[-1]:.0f} MiB")
    return [
        Row(f"submit {context.queued:,} from a file", "references/s", tuple(rates), WANTED_PER_SECOND),
        Row("submit: the producer's peak memory", "MiB", tuple(peaks)),
    ]


async def exactness(context: Context, folder: Path) -> Row:
    """Count the differences between the job on the server and the file without its duplicates."""
    lines = with_duplicates(context.queued)
    file = folder / "duplicates.txt"
    file.write_text("".join(f"{reference}\n" for reference in lines))
    wanted = list(dict.fromkeys(lines))
    async with servers.valkey() as server, engine.ledger(server) as book:
        said = await produce(server, file)
        found = await stored(book, str(said["job"]))
    wrong = sum(ours != theirs for ours, theirs in zip_longest(found, wanted))
    wrong += abs(int(said["total"]) - len(wanted)) + abs(int(said["duplicates"]) - (len(lines) - len(wanted)))
    return Row(f"deduplicate {len(lines):,}, 10 % duplicates: wrong", "references", (wrong,), 0, at_most=True)


async def memory(context: Context) -> list[Row]:
    """Measure the memory of removing duplicates, while they fit into memory and beyond."""
    rows = []
    loop = asyncio.get_running_loop()
    for count, target in ((context.queued, None), (context.queued + IN_MEMORY, BOUND_MIB)):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            rate, held = await loop.run_in_executor(process, partial(deduplicate, count, IN_MEMORY, ordered=True))
        context.say(f"  {count:,} freed of duplicates at {rate:,.0f}/s in {held / 2**20:.0f} MiB")
        rows.append(Row(f"deduplicate {count:,}: memory", "MiB", (held / 2**20,), target, at_most=True))
    return rows


async def run(context: Context) -> list[Row]:
    """Measure the producer."""
    with tempfile.TemporaryDirectory(prefix="cancellist-bench-") as name:
        folder = Path(name)
        rows = await rates(context, folder)
        rows.append(await exactness(context, folder))
    return rows + await memory(context)
