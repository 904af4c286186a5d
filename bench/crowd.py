"""How others are served beside rude and many clients: their requests a second, over what they are alone.

One client asks for a job and hands in a short list, one request after the other, over a connection that is kept.
Beside it come in turn: one that sends one byte a second of a body; one that never reads what it asks for; 200 streams
of the events of a job that changes all the while; and all of these together. Each share is of a measure taken alone
just before. The job changes then too, so that the streams are all that is added. Listeners read in this process: what
they cost it and the system counts against the share.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from urllib.parse import urlsplit

import httpx

from bench import engine, servers
from bench.api import TOKEN, Api, serving
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.jobs.ledger import control
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import JobRequest

STREAMS = 200
REQUESTS = 400
CHANGE_EVERY_S = 0.25
SHARE = 0.9
SHARE_BESIDE_STREAMS = 0.8  # their readers take a part of the processors
BUFFER = 4096
AUTHORIZED = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"

Beside = Callable[[Api, str], AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def connected(api: Api, request: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a request was sent."""
    parts = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=BUFFER)
    try:
        writer.write(request.encode())
        yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def going_on(work: AsyncIterator[None]) -> AsyncIterator[None]:
    """Does something while the block runs."""

    async def do() -> None:
        async for _ in work:
            pass

    task = asyncio.create_task(do())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def trickling(api: Api, _: str) -> AsyncIterator[None]:
    """A client that sends one byte of a body each second."""
    head = f"POST /v1/jobs HTTP/1.1\r\n{AUTHORIZED}Content-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n"

    async def work(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        while True:
            writer.write(b"E")
            await asyncio.sleep(1)
            yield

    async with connected(api, head) as (_reader, writer), going_on(work(writer)):
        yield


@contextlib.asynccontextmanager
async def silent(api: Api, _: str) -> AsyncIterator[None]:
    """A client that asks for more than a socket holds, and never reads."""
    parts = urlsplit(api.url)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        one.setblocking(False)
        await asyncio.get_running_loop().sock_connect(one, (parts.hostname, parts.port))
        one.send(f"GET /openapi.json HTTP/1.1\r\n{AUTHORIZED}\r\n".encode() * 100)
        yield


@contextlib.asynccontextmanager
async def listening(api: Api, job: str) -> AsyncIterator[None]:
    """So many clients that follow the events of a job, and read them."""
    asked = f"GET /v1/jobs/{job}/events HTTP/1.1\r\n{AUTHORIZED}\r\n"
    begun, changes = [asyncio.Event() for _ in range(STREAMS)], 0

    async def work(reader: asyncio.StreamReader, snapshot: asyncio.Event) -> AsyncIterator[None]:
        nonlocal changes
        while block := await reader.read(65_536):
            changes += block.count(b"event: change")
            if b"event: " in block:
                snapshot.set()
            yield

    async with AsyncExitStack() as stack:
        for one in begun:
            reader, _writer = await stack.enter_async_context(connected(api, asked))
            await stack.enter_async_context(going_on(work(reader, one)))
        async with asyncio.timeout(60):
            for one in begun:
                await one.wait()
        yield
        if changes < STREAMS:
            raise RuntimeError(f"{STREAMS} streams were told {changes} changes")


@contextlib.asynccontextmanager
async def everything(api: Api, job: str) -> AsyncIterator[None]:
    """All of them."""
    async with trickling(api, job), silent(api, job), listening(api, job):
        yield


BESIDE: dict[str, tuple[Beside, float]] = {
    "one that sends a byte a second": (trickling, SHARE),
    "one that never reads": (silent, SHARE),
    f"{STREAMS} event streams": (listening, SHARE_BESIDE_STREAMS),
    "all of these": (everything, SHARE_BESIDE_STREAMS),
}


async def changing(book: Ledger, job: str) -> AsyncIterator[None]:
    """Pause and resume a job again and again."""
    while True:
        await control.pause_job(book, job)
        await asyncio.sleep(CHANGE_EVERY_S)
        await control.resume_job(book, job, engine.PER_CALL)
        await asyncio.sleep(CHANGE_EVERY_S)
        yield


async def asked(client: httpx.AsyncClient, job: str) -> tuple[float, float]:
    """Ask again and again; return the requests a second, and within how many milliseconds 99 of 100 were."""
    took_s = []
    for number in range(REQUESTS):
        began_s = time.perf_counter()
        if number % 10:
            answer = await client.get(f"/v1/jobs/{job}")
        else:
            answer = await client.post("/v1/jobs", json=["EC-000-05D-1NS"], params={"start_at": "+9h"})
        answer.raise_for_status()
        took_s.append(time.perf_counter() - began_s)
    return REQUESTS / sum(took_s), sorted(took_s)[-REQUESTS // 100] * 1000


async def run(context: Context) -> list[Row]:
    """Measure each beside and alone in turn, in as many rounds as the context asks for."""
    shares: dict[str, list[float]] = {name: [] for name in BESIDE}
    slowest: dict[str, list[float]] = {"alone": []} | {name: [] for name in BESIDE}
    async with (
        servers.valkey() as server,
        engine.ledger(server) as book,
        serving(server) as api,
        api.client() as client,
    ):
        job = await engine.submit(book, references(1000), JobRequest())
        async with going_on(changing(book, job)):
            await asked(client, job)
            for _ in range(context.repeats):
                for name, (beside, _target) in BESIDE.items():
                    context.probe()
                    alone, alone_ms = await asked(client, job)
                    async with beside(api, job):
                        rate, ms = await asked(client, job)
                    shares[name].append(rate / alone)
                    slowest[name].append(ms)
                    slowest["alone"].append(alone_ms)
                    context.say(f"  beside {name}: {rate:,.0f} requests/s, alone {alone:,.0f}")
    return [
        *(
            Row(f"requests beside {name} / alone", "", tuple(shares[name]), target)
            for name, (_beside, target) in BESIDE.items()
        ),
        *(Row(f"request, 99 of 100 within: {name}", "ms", tuple(found)) for name, found in slowest.items()),
    ]
