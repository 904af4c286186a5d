"""Reading: how many references a second the command takes from a table, and its memory.

`cancellist enqueue FILE --json` as a user runs it, a process of its own, its start counted: the file is CSV with seven
columns, quoted as programs export it, and everything goes to a server that has every command on disk before it answers.
Beside it the same with `--dry-run`, which reads and checks and hands nothing in.
"""

import asyncio
import csv
import gzip
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row

WANTED_PER_SECOND = 300_000


def write(path: Path, count: int) -> None:
    """Write an export of so many orders."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("Order", "Customer", "Consignment Reference", "Warehouse", "Created", "Weight", "Service"))
        for number, reference in enumerate(references(count)):
            customer = "O'Brien, Siobhán" if number % 5 == 0 else "Müller GmbH"
            table.writerow((number, customer, reference, "Leeds", "2026-11-28T10:00:00+00:00", "1.25", "Parcel 48"))


async def command(file: Path, *options: str, url: str) -> float:
    """Hand the file in and return how long that took."""
    started = time.perf_counter()
    output = await servers.output_of(
        "enqueue",
        *(sys.executable, "-m", "cancellist", "enqueue", str(file), "--json", *options),
        cwd=file.parent,
        env=engine.environment(redis_url=url),
    )
    spent = time.perf_counter() - started
    document = json.loads(output)
    if document["invalid"] or document["duplicates"] or document["blank"]:
        raise RuntimeError(f"the file was not read as it is: {document}")
    return document["total"] / spent


async def run(context: Context) -> list[Row]:
    """Measure the command."""
    count = context.queued
    taken: dict[str, list[float]] = {"enqueue": [], "enqueue, gzip": [], "enqueue --dry-run": []}
    with tempfile.TemporaryDirectory(prefix="cancellist-bench-") as name:
        file, packed = Path(name) / "export.csv", Path(name) / "export.csv.gz"
        await asyncio.to_thread(write, file, count)
        packed.write_bytes(gzip.compress(file.read_bytes(), 6))
        for _ in range(context.repeats):
            context.probe()
            for kind, path in (("enqueue", file), ("enqueue, gzip", packed)):
                async with servers.valkey() as server:
                    taken[kind].append(await command(path, url=server.url))
            taken["enqueue --dry-run"].append(await command(file, "--dry-run", url="redis://127.0.0.1:1"))
            context.say("  " + ", ".join(f"{kind} {rates[-1]:,.0f}/s" for kind, rates in taken.items()))
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return [
        *(
            Row(f"{kind}: {count:,} from CSV", "references/s", tuple(rates), WANTED_PER_SECOND)
            for kind, rates in taken.items()
        ),
        Row("enqueue: peak memory of any command so far", "MiB", (peak_mib,)),
    ]
