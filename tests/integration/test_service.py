"""What stands beside a worker's drains goes on whatever happens around it."""

import asyncio
from types import SimpleNamespace

from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.worker.outage_log import OutageLog
from cancellist.worker.service import Service


async def test_a_background_task_outlives_a_server_that_cannot_be_brought_back_at_once() -> None:
    turns: list[int] = []
    done = asyncio.Event()

    async def work() -> None:
        turns.append(1)
        if len(turns) < 3:
            raise LedgerUnavailableError("the server is away")
        done.set()
        await asyncio.Event().wait()

    async def revive() -> None:
        raise LedgerUnavailableError("its folder is gone")

    task = asyncio.create_task(
        Service._keep(SimpleNamespace(_opened=SimpleNamespace(revive=revive), outage=OutageLog()), "work", work)
    )
    await asyncio.wait_for(done.wait(), 10)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
