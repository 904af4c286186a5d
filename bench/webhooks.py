"""The speed of a drain beside webhooks: with one that is told the ends of jobs and all results, over without any.

Each pair of drains follows one another on new servers, so that a busy minute of the machine hits both. The receiver
answers at once, from this process. What is left to tell when the last result is written is told afterwards; it must
all come, each result once.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger.webhooks import endpoints
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.endpoint import EndpointOrder, EventType

RATIO = 0.9
_KEY = b"a key of benchmarks, of nobody's"
_KEY_SETTING = "YSBrZXkgb2YgYmVuY2htYXJrcywgb2Ygbm9ib2R5J3M="
_TOLD_WITHIN_S = 120.0


class Receiver:
    """Takes deliveries and counts the results in them.

    Attributes:
        results: those that were told.
        told: set once the end of a job and as many results as are wanted were told.
    """

    def __init__(self, wanted: int) -> None:
        self.results = 0
        self.told = asyncio.Event()
        self._wanted = wanted
        self._ended = False
        self._ids: set[bytes] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one delivery."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            body = await reader.readexactly(int(fields[b"content-length"]))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            if fields[b"webhook-id"] not in self._ids:
                self._ids.add(fields[b"webhook-id"])
                self._note(json.loads(body))
        writer.close()

    def _note(self, event: dict[str, object]) -> None:
        data = event["data"]
        if event["type"] == EventType.JOB_ENDED:
            self._ended = True
        elif isinstance(data, dict):
            self.results += len(data["results"])
        if self._ended and self.results >= self._wanted:
            self.told.set()


@contextlib.asynccontextmanager
async def receiving(wanted: int) -> AsyncIterator[tuple[Receiver, str]]:
    """Run a receiver of so many results, and give its URL."""
    receiver = Receiver(wanted)
    async with await asyncio.start_server(receiver.take, "127.0.0.1", 0) as server:
        yield receiver, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def drain(context: Context, platform: servers.Platform, receiver: Receiver | None, url: str) -> float:
    """Drain once, and return the references a second; where a receiver is given, all must have been told to it."""
    context.probe()
    await platform.reset()
    settings: dict[str, str | int] = {
        "webhook_key": _KEY_SETTING, "webhook_allow": "127.0.0.0/8", "max_concurrent_calls": context.concurrency,
        "max_references_per_call": context.size,
    }  # fmt: skip
    async with (
        servers.valkey() as server,
        engine.ledger(server) as book,
        engine.worker(server, platform.url, **settings),
    ):
        if receiver:
            types = [EventType.JOB_ENDED, EventType.JOB_RESULTS]
            await endpoints.add(book, EndpointOrder.of(url, types, [], None, Allowed.of(["127.0.0.0/8"])), (_KEY,))
        job = await engine.submit(book, references(context.references))
        await engine.finish(book, job)
        stats = await platform.stats()
        seconds = await engine.last_result_at(book) - stats["first_request"]
        if receiver:
            async with asyncio.timeout(_TOLD_WITHIN_S):
                await receiver.told.wait()
            if receiver.results != context.references:
                raise RuntimeError(f"{receiver.results} results were told for {context.references}")
    return context.references / seconds


async def run(context: Context) -> list[Row]:
    """Measure pairs of drains, in as many rounds as the context asks for."""
    rows = []
    for latency_ms, target in ((context.latency_ms, RATIO), (0.0, None)):
        ratios = []
        async with servers.platform(latency_ms=latency_ms) as platform:
            for _ in range(context.repeats):
                alone = await drain(context, platform, None, "")
                async with receiving(context.references) as (receiver, url):
                    beside = await drain(context, platform, receiver, url)
                ratios.append(beside / alone)
        rows.append(Row(f"drain beside webhooks / alone, at {latency_ms:g} ms", "", tuple(ratios), target))
    return rows
