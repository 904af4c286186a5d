"""The stop of all accounts with real workers: no call starts within half a second of it, on any worker."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cancellist.jobs.ledger import account_status, records, stop_all
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import JobRequest, JobState
from tests.support import processes
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, agrees, ended, platform, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance
NORTH = JobRequest(account="north")
SLOW_MS = 900
"""So long a call takes: claims that are staged when all is stopped would start too late, if they were not released."""
ON_ITS_WAY_S = 0.05
"""A call that was allowed before has arrived at the platform by then."""


@pytest.fixture
def stage(tmp_path: Path):
    with running("valkey", tmp_path) as server, platform(tmp_path, latency_ms=SLOW_MS, consignments=20_000) as world:
        settings = {"max_concurrent_calls": "16", "max_references_per_call": "10", "lease_seconds": str(LEASE_S),
                    "accounts__north__max_concurrent_calls": "16"}  # fmt: skip
        with Stage(server, world, tmp_path, settings) as made:
            yield made


async def command(stage: Stage, *words: str) -> tuple[int, dict[str, object]]:
    """The exit status of a command, and its document, or that of its error."""
    done = await asyncio.to_thread(
        processes.run, [sys.executable, "-m", "cancellist", *words, "--json"], cwd=stage.folder,
        env=stage.environment(), timeout=30,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or done.stderr)


async def going(ledger: Ledger, jobs: Sequence[str], count: int) -> None:
    """Waits until each of these jobs has so many results."""
    for job in jobs:
        await until(lambda job=job: records.get(ledger, job), lambda r: r.settled >= count, 60)


async def quiet(stage: Stage, ledger: Ledger, since_s: float) -> None:
    """Checks that no call began later than half a second after this moment, and that the workers live."""
    await until(
        lambda: account_status.statuses(ledger, {}), lambda all_: not any(s.gate.calls_in_flight for s in all_), 5
    )
    await asyncio.sleep(max(0.0, since_s + 1.5 - time.time()))
    late = [call for call in stage.platform.calls() if call["started_at"] > since_s + stop_all.QUIET_S + ON_ITS_WAY_S]
    assert not late, (since_s, late[:3])
    assert all(worker.process.poll() is None for worker in stage.workers)


@pytest.mark.timed
@pytest.mark.takes(20)
async def test_a_command_and_a_file_stop_all_accounts_on_all_workers(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "stop"
    stage.worker()
    stage.worker(stop_file=str(file))
    names = stage.platform.references(6_000)
    halves = {JobRequest(): names[:3_000], NORTH: names[3_000:]}
    async with stage.ledger() as ledger:
        jobs = [await submit(ledger, references, order) for order, references in halves.items()]
        await going(ledger, jobs, 200)
        status, stopped = await command(stage, "stop", "--reason", "the wrong list")
        answered_s = time.time()
        assert (status, stopped["state"], stopped["why"]) == (0, "stopped", "the wrong list")
        stop = await stop_all.standing(ledger)
        assert stop is not None
        await quiet(stage, ledger, stop.since_ms / 1000)
        assert not [call for call in stage.platform.calls() if call["started_at"] > answered_s]
        assert {one.state for one in [await records.get(ledger, job) for job in jobs]} == {JobState.RUNNING}

        most = max([(await records.get(ledger, job)).settled for job in jobs])
        assert (await command(stage, "resume", "--all"))[0] == 0
        await going(ledger, jobs, most + 200)
        file.touch()
        touched_s = time.time()
        await until(lambda: stop_all.standing(ledger), lambda stop: stop is not None, 1)
        await quiet(stage, ledger, touched_s)
        status, refused = await command(stage, "resume", "--all")
        assert (status, refused["error"]["code"]) == (1, "stop_file")
        file.unlink()
        await quiet(stage, ledger, touched_s)
        stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 20})
        assert (await command(stage, "resume", "--all"))[0] == 0
        for job, references in zip(jobs, halves.values(), strict=True):
            await ended(ledger, job, 60)
            await agrees(stage, ledger, job, references)


async def test_a_burst_ends_where_all_is_stopped(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    async with stage.ledger() as ledger:
        job = await submit(ledger, stage.platform.references(100))
        burst = stage.worker(command=("cancellist", "worker", "--burst"), stop_file=str(tmp_path / "stop"))
        assert await asyncio.to_thread(burst.process.wait, 30) == 0, burst.log.read_text()
        record = await records.get(ledger, job)
        assert (record.settled, record.in_flight, stage.platform.calls()) == (0, 0, [])
        assert (await stop_all.standing(ledger)).by == "STOP_FILE"
