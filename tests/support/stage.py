"""A stage for acceptance tests: a real server, sandbox and workers, each a process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cancellist.jobs.ledger import records, results
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRecord, JobRequest, Outcome, Result
from cancellist.sandbox.world.consignments import OPEN, initial_state, parse_mix
from cancellist.sandbox.world.references import reference
from tests.support import ROOT, processes
from tests.support.ledgers import opened_ledger
from tests.support.servers import Server
from tests.support.waiting import until

SEED = 7
LEASE_S = 3
MIX = "Allocated=88,ReadyToShip=5,Manifested=4,Cancelled=3"


@dataclass
class Platform:
    """The sandbox as a process."""

    url: str
    process: subprocess.Popen[str]
    consignments: int
    seed: int = SEED

    def references(self, count: int, *, unknown: int = 0) -> list[str]:
        """Returns references of the sandbox, and some that are unknown to it."""
        return [reference(self.seed, n) for n in range(count)] + [
            reference(self.seed, self.consignments + n) for n in range(unknown)
        ]

    def open_references(self, count: int) -> list[str]:
        """Returns references that can be cancelled."""
        mix = parse_mix(MIX)
        found = [reference(SEED, n) for n in range(self.consignments) if initial_state(SEED, n, mix) in OPEN][:count]
        assert len(found) == count
        return found

    def get(self, path: str) -> Any:
        """Returns a control document of the sandbox."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.loads(answer.read())

    def calls(self) -> list[dict[str, Any]]:
        """Returns every call that the sandbox has received, oldest first."""
        with urllib.request.urlopen(self.url + "/sandbox/calls", timeout=30) as answer:
            return [json.loads(line) for line in answer.read().decode().splitlines()]

    def send(self, method: str, path: str, body: object) -> Any:
        """Sends a control request."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def record(self, references: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns the sandbox's record of these references."""
        rows: list[dict[str, Any]] = []
        for at in range(0, len(references), 5000):
            rows += self.send("POST", "/sandbox/record", list(references[at : at + 5000]))
        return dict(zip(references, rows, strict=True))


@dataclass
class Worker:
    """A worker process."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, signum: int = signal.SIGTERM, timeout: float = 40) -> int:
        """Ends the worker and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(timeout)


@dataclass
class Stage:
    """The server, the sandbox and the workers of a test."""

    server: Server
    platform: Platform
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)

    def worker(
        self,
        *,
        command: Sequence[str] = ("arq", "cancellist.worker.main.WorkerSettings"),
        source: Path = ROOT,
        **settings: object,
    ) -> Worker:
        """Starts a worker, from the sources in `source`."""
        environment = self.environment(**settings)
        environment["PYTHONPATH"] = environment["PYTHONPATH"].replace(str(ROOT), str(source))
        log = self.folder / f"worker{len(self.workers)}.log"
        with log.open("wb") as out:
            process = processes.Popen(
                [sys.executable, "-m", *command], cwd=source, env=environment, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    def environment(self, **settings: object) -> dict[str, str]:
        """The environment of the project's processes on this stage."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("CANCELLIST_")}
        named = {f"CANCELLIST_{k.upper()}": str(v) for k, v in {**self.settings, **settings}.items()}
        return {
            **own,
            "PYTHONPATH": str(ROOT),
            "CANCELLIST_REDIS_URL": self.server.url,
            "CANCELLIST_API_URL": self.platform.url,
            **named,
        }

    def ledger(self) -> contextlib.AbstractAsyncContextManager[Ledger]:
        """Opens the ledger for the test."""
        return opened_ledger(self.server.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
                worker.process.wait(10)


@contextlib.contextmanager
def platform(folder: Path, *, consignments: int = 60_000, seed: int = SEED, **options: object) -> Iterator[Platform]:
    """Runs the sandbox as a process for a block."""
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    with (folder / "sandbox.log").open("wb") as log:
        process = processes.Popen(
            [sys.executable, "-m", "cancellist.sandbox", "--json", "--port", "0", "--seed", str(seed), "--mix", MIX,
             "--consignments", str(consignments), *flags],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        )  # fmt: skip
    try:
        assert process.stdout
        yield Platform(json.loads(process.stdout.readline())["url"], process, consignments, seed)
    finally:
        processes.end(process)
        if process.stdout:
            process.stdout.close()


async def submit(ledger: Ledger, references: Sequence[str], order: JobRequest | None = None) -> str:
    """Submits a job as a producer does."""
    submission = Submission(ledger, order or JobRequest())
    for at in range(0, len(references), 10_000):
        await submission.add(references[at : at + 10_000])
    sealed = await submission.seal(duplicates=0, idempotency_keep_s=3600, per_call=100)
    assert sealed
    await schedule(ledger, (order or JobRequest()).account, sealed.drains)
    return sealed.job


async def ended(ledger: Ledger, job: str, within_s: float) -> JobRecord:
    """Waits until the job has ended."""
    record = await until(lambda: records.get(ledger, job), lambda r: r.state.ended, within_s, every_s=0.05)
    assert record.pending == record.in_flight == 0
    assert record.settled == record.total
    return record


async def settled(ledger: Ledger, job: str, count: int, within_s: float = 30) -> JobRecord:
    """Waits until this many references have a result."""
    return await until(lambda: records.get(ledger, job), lambda r: r.settled >= count, within_s)


async def all_results(ledger: Ledger, job: str) -> list[Result]:
    """Returns every result of a job."""
    return [result async for _, page in results.of_job(ledger, job) for result in page]


TRUTH = {
    "Manifested": {Outcome.MANIFESTED},
    "Cancelled": {Outcome.ALREADY_CANCELLED},
    "Allocated": {Outcome.CANCELLED},
    "ReadyToShip": {Outcome.CANCELLED},
    "Unallocated": {Outcome.CANCELLED},  # deallocated by us, and not cancelled: then it failed
    None: {Outcome.NOT_FOUND},
}


async def agrees(
    stage: Stage,
    ledger: Ledger,
    job: str,
    references: Sequence[str],
    *,
    maybe: bool = False,
    twice: bool = False,
    also: frozenset[Outcome] = frozenset(),
) -> Counter[Outcome]:
    """Checks that every reference has exactly one result, and that it agrees with the record.

    Args:
        stage: the stage.
        ledger: its ledger.
        job: the job.
        references: the submitted references.
        maybe: whether a call may have acted unnoticed, for example of a killed worker. Then a consignment found
            cancelled has the result `cancelled`.
        twice: whether another job has the same references, so that its call may have cancelled them.
        also: further outcomes of references that were never cancelled, such as `aborted`.
    """
    found = await all_results(ledger, job)
    assert Counter(r.reference for r in found) == Counter(references)
    record = stage.platform.record(references)
    wrong = wrong_results(found, record, maybe=maybe, twice=twice, also=also)
    assert not wrong, (len(wrong), wrong[:3])
    return Counter(r.outcome for r in found)


def wrong_results(
    found: Sequence[Result],
    record: Mapping[str, dict[str, Any]],
    *,
    maybe: bool = False,
    twice: bool = False,
    also: frozenset[Outcome] = frozenset(),
) -> list[tuple[Result, dict[str, Any]]]:
    """Returns the results that disagree with the platform's record, each with its record; see `agrees`."""
    wrong = []
    for result in found:
        row = record[result.reference]
        by_us = row["cancelled_by_call"] is not None
        allowed = {Outcome.CANCELLED} if by_us else set(TRUTH[row["state"]])
        if by_us and twice:
            allowed.add(Outcome.ALREADY_CANCELLED)
        if maybe and row["state"] == "Cancelled":
            allowed.add(Outcome.CANCELLED)
        if not by_us and row["state"] not in {"Cancelled", "Manifested", None}:
            allowed = set(also)
        elif not by_us:
            allowed |= also
        if row["state"] == "Cancelled":
            allowed.discard(Outcome.FAILED)
        if twice and (result.status is None or result.state in {"Allocated", "ReadyToShip"}):
            allowed |= (
                also  # no call of this job took effect, or its state was read as open before the other job's call
            )
        if result.outcome not in allowed:
            wrong.append((result, row))
    return wrong


def log_lines(worker: Worker) -> list[dict[str, Any]]:
    """Returns the log lines of a worker."""
    lines = []
    for line in worker.log.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def wait_for(condition: Callable[[], bool], within_s: float, every_s: float = 0.02) -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(every_s)
