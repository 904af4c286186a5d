"""The engine as it is deployed: a worker process of its own, and the ledger that a producer holds.

async with servers.valkey() as server, ledger(server) as book, worker(server, platform.url):
    await finish(book, await submit(book, references(100_000)))
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil

from bench import servers
from cancellist.jobs.ledger import drains, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.opening import opened_ledger
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, Outcome

BATCH = 10_000
KEEP_S = 3600.0
PER_CALL = 100
POLL_S = 0.02
READY_TIMEOUT_S = 20.0
JOB_TIMEOUT_S = 120.0


class Worker:
    """A running worker process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far, including its start."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def peak_mib(self) -> float:
        """The most memory that was ever resident, where the system says so (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024


def environment(**settings: str | int) -> dict[str, str]:
    """Return the environment of a process that has these settings, and all others at their defaults."""
    names = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}
    names |= {f"CANCELLIST_{name.upper()}": str(value) for name, value in settings.items()}
    return names | {"PYTHONPATH": str(servers.ROOT)}


@contextlib.asynccontextmanager
async def ledger(server: servers.Valkey) -> AsyncIterator[Ledger]:
    """Open the ledger on a server, as every command does."""
    async with opened_ledger(
        url=server.url, data_dir=server.directory, fsync="always", namespace="cancellist"
    ) as opened:
        yield opened.ledger


@contextlib.asynccontextmanager
async def worker(server: servers.Valkey, platform_url: str, **settings: str | int) -> AsyncIterator[Worker]:
    """Run a worker as users do, with `settings` (`max_concurrent_calls=16`) and all others at their defaults.

    It is ready when this yields: seen by the sweep, reading the intake stream, listening for wakes.
    """
    log = server.directory / "worker.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", "cancellist.worker.main.WorkerSettings"),
            cwd=server.directory,  # where no `.env` lies
            env=environment(redis_url=server.url, api_url=platform_url, **settings),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await _wait_until_ready(server, process, log)
        yield Worker(process.pid)
    finally:
        await servers.end(process)


async def submit(book: Ledger, references: Sequence[str], order: JobRequest | None = None) -> str:
    """Hand in references as one job, as `enqueue` does once it has read them; return the job's id."""
    chosen = order or JobRequest()
    submission = Submission(book, chosen)
    for at in range(0, len(references), BATCH):
        await submission.add(references[at : at + BATCH])
    sealed = await submission.seal(duplicates=0, idempotency_keep_s=KEEP_S, per_call=PER_CALL)
    if sealed is None:
        raise AssertionError("only a job of the intake stream can have been taken")
    await drains.schedule(book, chosen.account, sealed.drains)
    return sealed.job


async def finish(book: Ledger, job: str) -> None:
    """Wait until a job has ended, and check that all its references were cancelled."""
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while not (record := await records.get(book, job)).state.ended:
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {JOB_TIMEOUT_S:g} s job {job} has not ended: {record}")
        await asyncio.sleep(POLL_S)
    if record.outcomes != {Outcome.CANCELLED: record.total}:
        raise RuntimeError(f"{record.total} references came to {dict(record.outcomes)}")


async def last_result_at(book: Ledger) -> float:
    """Return the monotonic time of the last result, in seconds.

    An entry's id is the wall clock of this machine in whole milliseconds: it is taken as the end of that millisecond.
    """
    offset_s = time.time() - time.monotonic()
    ((entry, _),) = await book.redis.xrevrange(book.keys.results, count=1)
    return (int(entry.split(b"-")[0]) + 1) / 1000 - offset_s


async def _wait_until_ready(server: servers.Valkey, process: asyncio.subprocess.Process, log: Path) -> None:
    namespace, client = "cancellist", server.client
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        listening = dict(await client.pubsub_numsub(f"{namespace}:wake"))
        reading = await client.exists(f"{namespace}:intake")
        if await client.zcard(f"{namespace}:workers") and reading and any(listening.values()):
            return
        if process.returncode is not None or time.monotonic() > deadline:
            said = await asyncio.to_thread(log.read_text)
            raise RuntimeError(f"the worker did not start:\n{said}")
        await asyncio.sleep(POLL_S)
