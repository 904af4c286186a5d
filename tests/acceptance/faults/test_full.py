"""Room runs out: the disk under the append-only file, or the server's memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from tests.acceptance.faults.harness.disk import Disk, mounted
from tests.acceptance.faults.harness.system import Rig, rig_on, statuses
from tests.support.servers import running
from tests.support.stage import agrees, all_results, ended, log_lines, platform, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance
COUNT = 12_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", 48) as disk:
        yield disk


@contextlib.asynccontextmanager
async def draining(kind: str, disk: Disk, folder: Path, fsync: str) -> AsyncIterator[tuple[Rig, Ledger, str]]:
    """A worker in the middle of a job, on a server whose disk has just become full; it has to end well."""
    with (
        running(kind, disk.folder, fsync=fsync) as server,
        platform(folder, latency_ms=20) as world,
        rig_on(server, world, folder) as rig,
    ):
        worker = rig.worker()
        async with rig.ledger() as ledger:
            job = await submit(ledger, rig.platform.references(COUNT))
            await settled(ledger, job, COUNT // 6)
            disk.fill()
            yield rig, ledger, job
            await ended(ledger, job, 30)
            await agrees(rig, ledger, job, rig.platform.references(COUNT))
        assert statuses([worker]) == [0]


async def test_a_server_that_ends_for_a_full_disk_loses_nothing_once_there_is_room(disk: Disk, tmp_path: Path) -> None:
    async with draining("redis", disk, tmp_path, "always") as (rig, ledger, job):
        await asyncio.to_thread(rig.server.process.wait, 10)
        disk.free()
        rig.server.restart()
        await ended(ledger, job, 30)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}


async def test_a_server_that_refuses_writes_for_a_full_disk_is_waited_for(disk: Disk, tmp_path: Path) -> None:
    async with draining("valkey", disk, tmp_path, "everysec") as (rig, ledger, _):
        await asyncio.sleep(3)  # time in which the worker could say it again and again, and a write of the disk fails
        with pytest.raises(LedgerError, match="give it disk space"):
            await submit(ledger, rig.platform.references(10))
        disk.free()
    assert len([line for line in log_lines(rig.workers[0]) if line["level"] != "info"]) <= 6


@pytest.mark.parametrize("when", ["before the worker starts", "while it drains"])
async def test_what_is_queued_on_a_full_server_is_drained(valkey_rig: Rig, when: str) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(8_000)
    async with rig.ledger() as ledger:
        worker = rig.worker() if when == "while it drains" else None
        job = await submit(ledger, references)
        if worker:
            await settled(ledger, job, 1_000)
        rig.server.command_line("CONFIG", "SET", "maxmemory", 1_000_000)
        worker = worker or rig.worker()
        await until(lambda: records.get(ledger, job), lambda record: record.state.ended, 20)
        await agrees(rig, ledger, job, references)
        with pytest.raises(LedgerError, match="let workers drain"):
            await submit(ledger, references[:10])
        rig.server.command_line("CONFIG", "SET", "maxmemory", 0)
    assert statuses([worker]) == [0]
