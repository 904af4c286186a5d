"""Keeps a fixed number of workers running through all faults, and records takeovers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from redis.exceptions import RedisError

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger.core import Ledger
from tests.acceptance.faults.harness.system import Rig
from tests.support.stage import Worker, log_lines

T = TypeVar("T")
CLAIMS = "cancellist:account:default:claims"


class Crew:
    """The workers of a system.

    Attributes:
        ledger: the ledger, not through the proxy.
        away_s: duration of the longest absence of a worker.
        takeovers: seconds from the death of a worker with claims until none was in its name, without other faults.
        alone: whether only one fault is active at a time.
    """

    def __init__(self, rig: Rig, ledger: Ledger, size: int, away_s: float) -> None:
        self.rig = rig
        self.ledger = ledger
        self.away_s = away_s
        self.takeovers: list[float] = []
        self.alone = True
        self.workers = [rig.worker() for _ in range(size)]
        self._leaving: list[Worker] = []

    def replace(self, worker: Worker, extra: Mapping[str, str] | None = None) -> None:
        """Starts a worker in place of another."""
        self.rig.extra = dict(extra or {})
        self.workers[self.workers.index(worker)] = self.rig.worker()
        self.rig.extra = {}

    def leaves(self, worker: Worker) -> None:
        """Records a worker that was told to end. Its exit status must be 0."""
        self._leaving.append(worker)

    def took_over(self, seconds: float) -> None:
        """Records how long a dead worker's claims stayed in its name."""
        if self.alone:
            self.takeovers.append(seconds)

    async def claims_of(self, worker: Worker) -> list[str]:
        """Returns the claims in the name of a worker."""
        claims = await steadily(lambda: self.ledger.redis.zrange(CLAIMS, 0, -1))
        return [c.decode() for c in claims if f"-{worker.process.pid}-" in c.decode()]

    def check(self) -> None:
        """Checks that no worker has died of a fault. One that could not start is started again."""
        for worker in list(self.workers):
            if worker.process.poll() is not None:
                assert not started(worker), f"a worker died: {worker.log.read_text()[-2000:]}"
                assert worker.process.returncode in {1, 2}
                self.replace(worker)

    async def end(self) -> None:
        """Ends all workers and checks their exit statuses."""
        for worker in self.workers:
            worker.process.terminate()
            self.leaves(worker)
        for worker in self._leaving:
            status = await asyncio.to_thread(worker.process.wait, 60)
            assert status == 0 or not started(worker), f"a worker ended with {status}: {worker.log.read_text()[-2000:]}"


def started(worker: Worker) -> bool:
    """Returns whether the worker has logged its start."""
    return any(line["event"] == "worker started" for line in log_lines(worker))


async def steadily(ask: Callable[[], Awaitable[T]], within_s: float = 60) -> T:
    """Repeats a read until the server answers."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await ask()
            except (LedgerError, RedisError, OSError):
                await asyncio.sleep(0.1)
