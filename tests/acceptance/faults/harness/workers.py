"""Workers that are kept in number through all that happens to them, and what is noted on the way."""

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
    """The workers of a rig.

    Attributes:
        ledger: past the proxy.
        away_s: how long the longest absences last.
        takeovers: seconds from the death of a worker that held claims until nothing was in its name, where nothing else
            was wrong.
        alone: whether one trouble is on at a time.
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
        """Starts another in its place."""
        self.rig.extra = dict(extra or {})
        self.workers[self.workers.index(worker)] = self.rig.worker()
        self.rig.extra = {}

    def leaves(self, worker: Worker) -> None:
        """Notes one that was told to end, which it must do well."""
        self._leaving.append(worker)

    def took_over(self, seconds: float) -> None:
        """Notes how long a dead worker's claims were on the books."""
        if self.alone:
            self.takeovers.append(seconds)

    async def claims_of(self, worker: Worker) -> list[str]:
        """Claims in the name of a worker."""
        claims = await steadily(lambda: self.ledger.redis.zrange(CLAIMS, 0, -1))
        return [c.decode() for c in claims if f"-{worker.process.pid}-" in c.decode()]

    def check(self) -> None:
        """Sees that none has died of what is around it; one that could not start is started again."""
        for worker in list(self.workers):
            if worker.process.poll() is not None:
                assert not started(worker), f"a worker died: {worker.log.read_text()[-2000:]}"
                assert worker.process.returncode in {1, 2}
                self.replace(worker)

    async def end(self) -> None:
        """Ends all, and sees that all end well."""
        for worker in self.workers:
            worker.process.terminate()
            self.leaves(worker)
        for worker in self._leaving:
            status = await asyncio.to_thread(worker.process.wait, 60)
            assert status == 0 or not started(worker), f"a worker ended with {status}: {worker.log.read_text()[-2000:]}"


def started(worker: Worker) -> bool:
    """Whether it has come so far as to say that it has started."""
    return any(line["event"] == "worker started" for line in log_lines(worker))


async def steadily(ask: Callable[[], Awaitable[T]], within_s: float = 60) -> T:
    """Asks until there is an answer."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await ask()
            except (LedgerError, RedisError, OSError):
                await asyncio.sleep(0.1)
