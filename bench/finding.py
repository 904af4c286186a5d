"""How fast the index of references is built, how large it is, and how soon a reference is found in it.

The speed is also told as a share of what SQLite alone takes for the same rows, in the same run: a bare `executemany`
into one table without an index. The rest is the reading of the results stream.
"""

import random
import sqlite3
import tempfile
import time
from pathlib import Path

from bench import servers
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references.reference_index import BATCH, ReferenceIndex
from cancellist.jobs.ledger.server.connection import connect

LEAST_A_SECOND = 100_000
LEAST_SHARE = 0.1
MOST_BYTES = 120
MOST_MS = 50
KEEP_S = 1e8
AT_ONCE = 5_000
ASKED = 50


async def run(context: Context) -> list[Row]:
    """Build the index of `queued` results, several times; ask it for references at random."""
    named = references(context.queued)
    rates, shares, sizes, finds, memory = [], [], [], [], []
    async with servers.valkey() as server:
        redis = await connect(server.url)
        ledger = Ledger(redis)
        await ledger.open()
        await fill(ledger, named)
        for _ in range(context.repeats):
            context.probe()
            with tempfile.TemporaryDirectory() as folder:
                before = (await redis.info("memory"))["used_memory_dataset"]
                index = ReferenceIndex(ledger, Path(folder), jobs_keep_s=KEEP_S)
                began_s = time.perf_counter()
                while await index.step():
                    pass
                rates.append(len(named) / (time.perf_counter() - began_s))
                memory.append(float((await redis.info("memory"))["used_memory_dataset"] - before))
                finds.append(await asked(index, named))
                await index.close()
                sizes.append(size_of(Path(folder)) / len(named))
                shares.append(rates[-1] / bare(Path(folder) / "bare.sqlite", named))
        await redis.aclose()
    return [
        Row("index of references, built", "rows/s", tuple(rates), LEAST_A_SECOND),
        Row("index of references, of a bare executemany", "share", tuple(shares), LEAST_SHARE),
        Row("index of references, size", "bytes/row", tuple(sizes), MOST_BYTES, at_most=True),
        Row("index of references, look-up", "ms", tuple(finds), MOST_MS, at_most=True),
        Row("index of references, memory of the server", "bytes", tuple(memory)),
    ]


def size_of(folder: Path) -> int:
    """Return the bytes of all files of a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


async def fill(ledger: Ledger, named: list[str]) -> None:
    """Write a result for each reference."""
    for start in range(0, len(named), AT_ONCE):
        pipe = ledger.redis.pipeline(transaction=False)
        for at, reference in enumerate(named[start : start + AT_ONCE], start):
            pipe.xadd(ledger.keys.results, fields_of(at, reference))
        await pipe.execute()


def fields_of(at: int, reference: str) -> dict[str, str]:
    """The fields of a result."""
    return {
        "job": f"35hnsmq{at // 20_000:05d}", "reference": reference, "outcome": "cancelled", "status": "200",
        "attempts": "1",
    }  # fmt: skip


async def asked(index: ReferenceIndex, named: list[str]) -> float:
    """Return the milliseconds that one question takes, in the middle of many."""
    took_ms = []
    for reference in random.sample(named, ASKED):
        began_s = time.perf_counter()
        answer = await index.find(reference, before=None, limit=10)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        if len(answer.mentions) != 1:
            raise RuntimeError(f"{reference} was not found")
    return sorted(took_ms)[ASKED // 2]


def bare(path: Path, named: list[str]) -> float:
    """Return the rows a second that SQLite alone takes, committed as the index commits them."""
    with sqlite3.connect(path, isolation_level=None) as plain:
        plain.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        plain.execute("CREATE TABLE one (entry INTEGER PRIMARY KEY, a, b, c, d, e, f, g)")
        rows = [(at, name.encode(), b"35hnsmq00000", 0, 200, 1, None, None) for at, name in enumerate(named)]
        began_s = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            plain.execute("BEGIN")
            plain.executemany("INSERT INTO one VALUES (?,?,?,?,?,?,?,?)", rows[start : start + BATCH])
            plain.execute("COMMIT")
        took_s = time.perf_counter() - began_s
    plain.close()
    return len(named) / took_s
