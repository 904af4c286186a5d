"""Makes receipts for requests, which may take minutes for a job of millions: each once, however many ask."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from cancellist.jobs.ledger import receipts
from cancellist.jobs.ledger.core import Ledger

if TYPE_CHECKING:
    from cancellist.jobs.ledger.receipt_keys import Signer

log = structlog.get_logger()

_AT_ONCE: Final = 2


@dataclass(slots=True)
class Making:
    """A receipt under way: how many results were read, of how many."""

    read: int = 0
    total: int = 0


class ReceiptMaker:
    """The receipts that this process makes."""

    def __init__(self, ledger: Ledger, signer: "Signer | None") -> None:
        self._ledger = ledger
        self._signer = signer
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._under_way: dict[str, tuple[asyncio.Task[bytes], Making]] = {}

    async def get(self, job: str, within_s: float) -> bytes | Making:
        """The receipt of a job; how far it is, where it is not made within so many seconds: it goes on being made.

        Raises:
            CancellistError: as `receipts.make`.
        """
        if line := await receipts.kept(self._ledger, job):
            return line
        task, making = self._under_way.get(job) or self._begin(job)
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(task)
        except TimeoutError:
            return making

    async def close(self) -> None:
        """Stops what is under way; nothing of it is left."""
        tasks = [task for task, _ in self._under_way.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, job: str) -> tuple[asyncio.Task[bytes], Making]:
        making = Making()
        task = asyncio.create_task(self._make(job, making), name=f"receipt of {job}")
        task.add_done_callback(lambda done: self._end(job, done))
        self._under_way[job] = task, making
        return task, making

    def _end(self, job: str, done: "asyncio.Task[bytes]") -> None:
        del self._under_way[job]
        with contextlib.suppress(asyncio.CancelledError):
            done.exception()  # who asked is told; where nobody is left, the next one tries again

    async def _make(self, job: str, making: Making) -> bytes:
        def progress(read: int, total: int) -> None:
            making.read, making.total = read, total

        async with self._room:
            line, made = await receipts.make(self._ledger, job, self._signer, progress)
        if made:
            log.info("receipt", job=job, number=made.number, digest=made.digest, signed_by=made.signed_by)
        return line
