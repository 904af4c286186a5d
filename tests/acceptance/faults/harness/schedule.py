"""Runs faults drawn from a seed while jobs are submitted, and checks every result at the end."""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import accounts, records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRecord, JobRequest, JobState
from tests.acceptance.faults.harness.faults import name_of
from tests.acceptance.faults.harness.mix import Step, decks, hand
from tests.acceptance.faults.harness.proxy import Proxy
from tests.acceptance.faults.harness.system import Rig, rigged
from tests.acceptance.faults.harness.workers import Crew, steadily
from tests.support.stage import all_results, wrong_results
from tests.support.waiting import until

JOB = 1_500
WORKERS = 3
ENDS_WITHIN_S = 90
MOST_JOBS = 4
PAUSE_S = 1.0
"""Longest pause between two faults."""


@dataclass
class Report:
    """The report of a schedule.

    Attributes:
        faults: the faults that were injected.
        strikes: number of requests that were cut or answered with an error, by kind.
        cuts: number of cut connections to server and platform, by kind.
        takeovers: seconds of each takeover after the kill of a worker with claims, without other faults.
    """

    seed: int
    kind: str
    faults: Counter[str] = field(default_factory=Counter)
    strikes: Counter[str] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    references: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    takeovers: list[float] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no result is lost, duplicated or wrong."""
        return not (self.lost or self.doubled or self.wrong)


@dataclass
class Handed:
    """The submitted jobs with their references."""

    rig: Rig
    jobs: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    over: bool = False

    async def on(self, ledger: Ledger) -> None:
        """Submits one job after another until the end. Each is repeated under its key until it is stored."""
        while not self.over:
            wanted = self.rig.platform.references(self.count + JOB)[self.count :]
            self.count += JOB
            order = JobRequest(idempotency_key=f"job-{self.count}")
            job = await steadily(lambda order=order, wanted=wanted: _hand_in(ledger, order, wanted))
            self.jobs[job] = wanted
            await steadily(lambda: self._room(ledger))

    async def _room(self, ledger: Ledger) -> None:
        """Waits until the queue is short, so that there is always work but never too much.

        Jobs that were not sealed, from submissions that failed half-way, do not count.
        """

        def few(jobs: list[JobRecord]) -> bool:
            return sum(job.state is not JobState.SEALING for job in jobs) < MOST_JOBS

        await until(lambda: records.unfinished(ledger), few, ENDS_WITHIN_S)


async def _hand_in(ledger: Ledger, order: JobRequest, references: list[str]) -> str:
    submission = Submission(ledger, order)
    await submission.add(references)
    sealed = await submission.seal(duplicates=0, idempotency_keep_s=3600, per_call=100)
    assert sealed
    await schedule(ledger, order.account, sealed.drains)
    return sealed.job


async def play(kind: str, folder: Path, seed: int, seconds: float, *, away_s: float = 5.0) -> Report:
    """Injects the faults of a seed, then further ones until the time is over. The time does not change their order."""
    report, dealt = Report(seed, kind), hand(seed)
    with rigged(kind, folder, latency_ms=30, consignments=10_000_000) as rig:
        rig.settings |= {"max_attempts": "100"}
        async with rig.ledger() as ledger, rig.producer() as producer:
            crew = Crew(rig, ledger, WORKERS, away_s)
            handed = Handed(rig)
            ends = time.monotonic() + seconds
            handing = asyncio.create_task(handed.on(producer))
            try:
                for turn, step in enumerate(itertools.chain(dealt, decks(seed))):
                    if turn >= len(dealt) and time.monotonic() > ends:
                        break
                    await _trouble(crew, step, turn, report)
                handed.over = True
                await handing
                await _all_ended(crew, list(handed.jobs))
            except BaseException:
                await _describe(crew)
                raise
            finally:
                handing.cancel()
            await _compare(rig, ledger, handed, report)
            await crew.end()
        report.takeovers, report.strikes = crew.takeovers, rig.proxy.strikes
        report.cuts = _cuts(rig.proxy, "server") + _cuts(rig.gateway, "platform")
    return report


async def _trouble(crew: Crew, step: Step, turn: int, report: Report) -> None:
    crew.alone = len(step) == 1
    names = [name_of(trouble) for trouble in step]
    report.faults.update(names)
    print(f"seed {report.seed}: {' and '.join(names)}", flush=True)
    chances = [random.Random(f"{report.seed}-{turn}-{name}") for name in names]
    await asyncio.gather(*(trouble(crew, rng) for trouble, rng in zip(step, chances, strict=True)))
    crew.rig.proxy.aims.clear()
    crew.check()
    await asyncio.sleep(chances[0].uniform(0, PAUSE_S))


def _cuts(proxy: Proxy, whose: str) -> Counter[str]:
    """Returns the number of cut connections, by kind."""
    return Counter({f"{whose}: {how}": proxy.counts[how] for how in ("cut", "reset")})


async def _describe(crew: Crew) -> None:
    """Prints the state of all jobs after a failure."""
    with contextlib.suppress(LedgerError, TimeoutError):
        print(await steadily(lambda: accounts.gate(crew.ledger, "default"), 5))
        for job in await steadily(lambda: records.unfinished(crew.ledger), 5):
            print(job)
        for key in ("state", "claims", "slots", "drains", "later"):
            name = f"cancellist:account:default:{key}"
            read = crew.ledger.redis.hgetall if key == "state" else crew.ledger.redis.zcard
            print(key, await read(name))
    for worker in crew.workers:
        print(worker.log.name, worker.process.poll(), worker.log.read_text(errors="replace")[-1500:])


async def _all_ended(crew: Crew, jobs: list[str]) -> None:
    ends = time.monotonic() + ENDS_WITHIN_S
    for job in jobs:
        while not (await steadily(lambda job=job: records.get(crew.ledger, job))).state.ended:
            assert time.monotonic() < ends, f"job {job} does not end: {await records.get(crew.ledger, job)}"
            crew.check()
            await asyncio.sleep(0.1)


async def _compare(rig: Rig, ledger: Ledger, handed: Handed, report: Report) -> None:
    for job, references in handed.jobs.items():
        found = await all_results(ledger, job)
        counted = Counter(result.reference for result in found)
        report.references += len(references)
        report.lost += sum(reference not in counted for reference in references)
        report.doubled += sum(counted.values()) - len(counted)
        record = rig.platform.record(references)
        report.wrong += [f"{result} {row}" for result, row in wrong_results(found, record, maybe=True)]
    more = [job for job in await records.newest(ledger, 100_000) if job.id not in handed.jobs]
    report.wrong += [f"a job that nobody knows of: {job}" for job in more if job.state is not JobState.SEALING]
