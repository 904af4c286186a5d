"""Room runs out: the disk under the append-only file, or the server's memory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import LedgerError
from jobs.ledger import records
from tests.acceptance.faults.disk import Disk, mounted
from tests.acceptance.faults.rig import Rig, rig_on, statuses
from tests.acceptance.stage import agrees, all_results, ended, log_lines, platform, settled, submit
from tests.servers import running
from tests.waiting import until

pytestmark = pytest.mark.acceptance


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", 48) as disk:
        yield disk


async def test_a_server_that_ends_for_a_full_disk_loses_nothing_once_there_is_room(disk: Disk, tmp_path: Path) -> None:
    with (
        running("redis", disk.folder, fsync="always") as server,
        platform(tmp_path, latency_ms=20) as world,
        rig_on(server, world, tmp_path) as rig,
    ):
        references = rig.platform.references(12_000)
        worker = rig.worker()
        async with rig.ledger() as ledger:
            job = await submit(ledger, references)
            await settled(ledger, job, 2_000)
            disk.fill()
            await asyncio.to_thread(server.process.wait, 10)
            disk.free()
            server.restart()
            await ended(ledger, job, 30)
            await agrees(rig, ledger, job, references)
            assert {r.attempts for r in await all_results(ledger, job)} == {1}
        assert statuses([worker]) == [0]


async def test_a_server_that_refuses_writes_for_a_full_disk_is_waited_for(disk: Disk, tmp_path: Path) -> None:
    with (
        running("valkey", disk.folder, fsync="everysec") as server,
        platform(tmp_path, latency_ms=20) as world,
        rig_on(server, world, tmp_path) as rig,
    ):
        references = rig.platform.references(12_000)
        worker = rig.worker()
        async with rig.ledger() as ledger:
            job = await submit(ledger, references)
            await settled(ledger, job, 2_000)
            disk.fill()
            await asyncio.sleep(3)
            with pytest.raises(LedgerError, match="give it disk space"):
                await submit(ledger, references[:10])
            disk.free()
            await ended(ledger, job, 30)
            await agrees(rig, ledger, job, references)
        assert statuses([worker]) == [0]
        assert len([line for line in log_lines(worker) if line["level"] != "info"]) <= 6


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
