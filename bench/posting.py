"""A long CSV posted to `cancellist serve`, its results streamed out, and its retry: speed, and memory above idle.

The speeds are shares of what the commands make of the same in the same run: `enqueue` of the same file, from its
opening to the seal, and `results` into a file, whose start counts. Each round has a server and a process of its own for
the post and for `enqueue`. The results are written by the ledger alone; what is streamed out is compared with the file,
reference by reference. The memory is the most that was resident, above what is once a short list was posted.
"""

import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from bench import engine, servers
from bench.api import Api, serving
from bench.context import Context
from bench.memory import settle_all
from bench.references import references
from bench.submit import produce
from bench.table import Row
from cancellist.jobs.model import Outcome
from cancellist.jobs.responses.steps import WriteResult

SHARE = 0.5
MOST_MIB = 40
ROUNDS = 2  # minutes each
BLOCK = 65_536
CSV = {"Content-Type": "text/csv"}
FAILED = WriteResult(Outcome.FAILED, attempts=8, status=500)


async def run(context: Context) -> list[Row]:
    """Measure in at most two rounds."""
    if sys.platform != "linux":
        context.say("  a process's peak memory is read from Linux's /proc only")
        return []
    posts, unordered, streams, memory = [], [], [], dict[str, list[float]]()
    with tempfile.TemporaryDirectory(prefix="cancellist-bench-") as name:
        folder, named = Path(name), references(context.queued)
        file = as_csv(folder / "references.csv", named)
        mixed = as_csv(folder / "mixed.csv", random.Random(1).sample(named, len(named)))
        for _ in range(min(ROUNDS, context.repeats)):
            context.probe()
            enqueued_s = await enqueued(file, context.queued)
            mixed_s = await enqueued(mixed, context.queued)
            async with servers.valkey() as server, serving(server) as api, api.client() as client:
                await client.post("/v1/jobs", json=named[:10])
                unordered.append(mixed_s / (await posted(api, client, mixed, memory))[1])
            async with servers.valkey() as server, serving(server) as api, api.client() as client:
                await client.post("/v1/jobs", json=named[:10])
                job, took_s = await posted(api, client, file, memory)
                posts.append(enqueued_s / took_s)
                async with engine.ledger(server) as book:
                    await settle_all(book, FAILED)
                took_s = await streamed(api, client, job, folder / "posted.csv", memory)
                check(of_column(folder / "posted.csv") == sorted(named), "the results differ from the file")
                streams.append(await by_command(server, job, folder / "command.csv") / took_s)
                check(of_column(folder / "command.csv") == sorted(named), "the command's results differ from the file")
                await retried(api, client, job, context.queued, memory)
            context.say(f"  posted at {posts[-1]:.2f} of `enqueue`, {unordered[-1]:.2f} where in no order")
            context.say(f"  streamed at {streams[-1]:.2f} of `results`")
    count = f"{context.queued:,}"
    return [
        Row(f"CSV of {count} posted / `enqueue` of it, speed", "", tuple(posts), SHARE),
        Row("the same in no order posted / `enqueue` of it, speed", "", tuple(unordered)),
        Row(f"{count} results streamed / `results` of them, speed", "", tuple(streams), SHARE),
        *(
            Row(f"`serve`, {what}: peak memory above idle", "MiB", tuple(taken), MOST_MIB, at_most=True)
            for what, taken in memory.items()
        ),
    ]


def as_csv(file: Path, named: list[str]) -> Path:
    """Write these references among other columns."""
    lines = (f"{number},{reference},a note\n" for number, reference in enumerate(named))
    file.write_text("number,reference,note\n" + "".join(lines))
    return file


async def enqueued(file: Path, count: int) -> float:
    """Hand in a file by a producer's process; return the seconds it took."""
    async with servers.valkey() as server:
        said = await produce(server, file)
    check(said["total"] == count, "`enqueue` has taken another number than the file has")
    return float(said["seconds"])


async def posted(api: Api, client: httpx.AsyncClient, file: Path, memory: dict[str, list[float]]) -> tuple[str, float]:
    """Post a file; return its job and the seconds it took."""
    idle, began_s = api.begin_peak(), time.perf_counter()
    answer = await client.post("/v1/jobs", content=blocks(file), headers=CSV)
    took_s = time.perf_counter() - began_s
    memory.setdefault("posting", []).append(api.peak_mib - idle)
    return str(answer.raise_for_status().json()["job"]), took_s


async def blocks(file: Path) -> AsyncIterator[bytes]:
    """The file's bytes."""
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            yield block


async def streamed(api: Api, client: httpx.AsyncClient, job: str, file: Path, memory: dict[str, list[float]]) -> float:
    """Stream all results of a job into a file; return the seconds it took."""
    idle, began_s = api.begin_peak(), time.perf_counter()
    with file.open("wb") as opened:
        async with client.stream("GET", f"/v1/jobs/{job}/results", headers={"Accept": "text/csv"}) as answer:
            answer.raise_for_status()
            async for block in answer.aiter_raw(BLOCK):
                opened.write(block)
    took_s = time.perf_counter() - began_s
    memory.setdefault("streaming results", []).append(api.peak_mib - idle)
    return took_s


async def by_command(server: servers.Valkey, job: str, file: Path) -> float:
    """Have the command write all results of a job into a file; return the seconds it took."""
    began_s = time.perf_counter()
    await servers.output_of(
        "cancellist results",
        *(sys.executable, "-m", "cancellist", "results", job, "--format", "csv", "--output", str(file)),
        cwd=file.parent,
        env=engine.environment(redis_url=server.url),
    )
    return time.perf_counter() - began_s


async def retried(api: Api, client: httpx.AsyncClient, job: str, count: int, memory: dict[str, list[float]]) -> None:
    """Retry all of a job."""
    idle = api.begin_peak()
    answer = await client.post(f"/v1/jobs/{job}/retry")
    memory.setdefault("retrying", []).append(api.peak_mib - idle)
    check(answer.raise_for_status().json()["total"] == count, "the retry has another number than its job")


def of_column(file: Path) -> list[str]:
    """The references of a file of results, in order."""
    head, *lines = file.read_text().splitlines()
    at = head.split(",").index("reference")
    return sorted(line.split(",")[at] for line in lines)


def check(holds: bool, otherwise: str) -> None:
    """Raise where something does not hold that must."""
    if not holds:
        raise RuntimeError(otherwise)
