"""A client over a server in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cancellist_client._async.client import AsyncClient
from cancellist_client._async.transport import AsyncTransport
from cancellist_client._memory.server import FakeServer
from cancellist_client.models import Handed, Outcome, Result, ResultsPage
from cancellist_client.options import Options
from cancellist_client.sources import Source
from cancellist_client.waiting import Deadline, async_sleep

_LOOK_S: Final = 0.01


class AsyncFakeTransport(AsyncTransport):
    """Does all that any way in can."""

    shown = "a fake"

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def submit(self, source: Source, options: Options) -> Handed:
        """Takes a job in."""
        document = self._server.submit(source, options)
        return Handed(document["job"], None, document)

    async def job(self, job: str, *, within: float | None = None) -> Mapping[str, Any]:  # noqa: ARG002 - it is at hand
        """A job's document."""
        return self._server.document(job)

    async def jobs(self, filters: Mapping[str, str]) -> Mapping[str, Any]:
        """All jobs."""
        return self._server.jobs(filters)

    async def act(self, job: str, action: str) -> Mapping[str, Any]:
        """Pauses, resumes or aborts a job."""
        return self._server.act(job, action)

    async def retry(self, job: str, outcomes: Sequence[str], options: Options) -> Mapping[str, Any]:
        """Hands in some of a job's references as a new one."""
        return self._server.retry(job, outcomes, options)

    async def update(self, job: str, changes: Mapping[str, str | None]) -> Mapping[str, Any]:
        """Changes a job."""
        return self._server.update(job, changes)

    async def results(self, job: str, outcomes: Sequence[str], cursor: str | None, limit: int) -> ResultsPage:
        """A page of a job's results."""
        return self._server.results(job, outcomes, cursor, limit)

    async def mentions(self, reference: str, cursor: str | None) -> Mapping[str, Any]:  # noqa: ARG002 - it is one page
        """The jobs that named a reference."""
        return self._server.mentions(reference)

    async def join(self, group: str, *, from_start: bool) -> None:
        """Makes a consumer group."""
        self._server.stream.join(group, from_start=from_start)

    async def read(self, group: str, consumer: str, *, count: int, block: float) -> list[Result]:
        """New results."""
        deadline = Deadline(block)
        while not (found := self._server.stream.read(group, consumer, count)) and deadline.left() > 0:
            await async_sleep(_LOOK_S)
        return found

    async def pending(self, group: str, consumer: str, *, after: str, count: int) -> list[Result]:
        """What this consumer was given before."""
        return self._server.stream.pending(group, consumer, after, count)

    async def take_over(self, group: str, consumer: str, *, idle: float, count: int) -> list[Result]:
        """What others have held for too long."""
        return self._server.stream.take_over(group, consumer, idle, count)

    async def keep(self, group: str, consumer: str, entries: Sequence[str]) -> set[str]:
        """Those that are still this consumer's own."""
        return self._server.stream.keep(group, consumer, entries)

    async def acknowledge(self, group: str, entries: Sequence[str]) -> None:
        """Forgets them."""
        self._server.stream.acknowledge(group, entries)

    async def leave(self, group: str, consumer: str) -> None:
        """A fake does not know its consumers by name."""


class FakeAsyncClient(AsyncClient):
    """A client for tests of programs that use one: nothing leaves the process.

    Jobs end as soon as they may: at once, or when their start has come. Their limits halt them after any result.

    Args:
        server: the server in memory, to share one between clients; made of the other arguments where none is given.
        outcomes: the outcome of a reference, as a table or a function; others get `default`.
        default: what becomes of the others.
    """

    def __init__(
        self,
        server: FakeServer | None = None,
        *,
        outcomes: Mapping[str, str] | Callable[[str], str | None] | None = None,
        default: str = Outcome.CANCELLED,
    ) -> None:
        self.server = FakeServer(outcomes=outcomes, default=default) if server is None else server
        super().__init__("http://fake", transport=AsyncFakeTransport(self.server))
