"""The bare script: a script without a queue, as fast as such a script can be.

    python bench/bare.py --url http://127.0.0.1:8000 --redis-url unix:///tmp/valkey.sock --latency-ms 50

aiohttp on uvloop makes the calls, orjson reads the answers, redis-py with hiredis writes the results: for each call
one pipeline of 100 XADDs, outside any transaction, written by a task of its own so that the call's slot is free
before it. What never changes is given to redis-py as bytes, which spares it the encoding (measured: 1.2 times the
references a second). Nothing is durable before its result, nothing is retried, a crash loses the list. The clock runs
from the first call to the last XADD written. Prints one line of JSON: see `bench/measure.py`.

`--pack hiredis` goes one step further than scripts do: redis-py's asyncio connections lay commands out in Python even
where hiredis is there, which is most of what this script does, and a subclass lets hiredis do it.
"""

import asyncio
import time
from collections.abc import Iterator

import aiohttp
import hiredis
import orjson
import redis.asyncio
import uvloop
from yarl import URL

from bench.measure import Measured, Task, task_of, task_parser
from bench.references import lists

RESULTS = b"bench:results"
BEFORE_REFERENCE = (b"XADD", RESULTS, b"*", b"job", b"0123456789ab", b"reference")
CANCELLED = (b"outcome", b"cancelled", b"status", b"200", b"attempts", b"1")
REJECTED = (b"outcome", b"rejected", b"status", b"200", b"attempts", b"1")
WRITERS = 4

Answer = list[dict[str, str | bool | None]]
Done = asyncio.Queue[Answer | None]  # None: no more comes


async def call(session: aiohttp.ClientSession, url: URL, chunk: list[str]) -> Answer:
    """Make one call and return its answer."""
    async with session.put(url, data=orjson.dumps(chunk), allow_redirects=False) as response:
        body = await response.read()
        response.raise_for_status()
    answer: Answer = orjson.loads(body)
    return answer


async def slot(session: aiohttp.ClientSession, url: URL, chunks: Iterator[list[str]], done: Done) -> None:
    """Make one call after another, leaving each answer to the writers."""
    for chunk in chunks:
        done.put_nowait(await call(session, url, chunk))


async def write(server: redis.asyncio.Redis, done: Done) -> None:
    """Write the results of one call after another, one pipeline each."""
    while (answer := await done.get()) is not None:
        pipeline = server.pipeline(transaction=False)
        for item in answer:
            pipeline.execute_command(*BEFORE_REFERENCE, item["Data"], *(CANCELLED if item["IsSuccess"] else REJECTED))
        await pipeline.execute()


class HiredisPackedConnection(redis.asyncio.UnixDomainSocketConnection):
    """A connection that packs its commands with hiredis."""

    def pack_command(self, *args: bytes | str | int) -> list[bytes]:
        """Return a command in the protocol's form."""
        return [hiredis.pack_command(args)]


def connect(url: str, pack: str) -> redis.asyncio.Redis:
    """Return a client of the server at `url`, which is on a unix socket where hiredis lays out the commands."""
    if pack == "hiredis":
        path = url.removeprefix("unix://")
        pool = redis.asyncio.ConnectionPool(connection_class=HiredisPackedConnection, path=path)
        return redis.asyncio.Redis.from_pool(pool)
    return redis.asyncio.Redis.from_url(url)


async def drain(task: Task, pack: str) -> Measured:
    """Cancel every reference of the task and return the figures."""
    url = URL(f"{task.url}/consignments/cancellist", encoded=True)
    chunks = lists(task.references, task.size)
    done: Done = asyncio.Queue()
    async with (
        connect(task.redis_url, pack) as server,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=task.concurrency),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json", "ocp-apim-subscription-key": "bench"},
            timeout=aiohttp.ClientTimeout(total=30),
        ) as session,
    ):
        await server.delete(RESULTS)
        started = time.monotonic()
        shared = iter(chunks)
        writers = [asyncio.create_task(write(server, done)) for _ in range(WRITERS)]
        await asyncio.gather(*(slot(session, url, shared, done) for _ in range(task.concurrency)))
        for _ in writers:
            done.put_nowait(None)
        await asyncio.gather(*writers)
        seconds = time.monotonic() - started
        written = await server.xlen(RESULTS)
    if written != task.references:
        raise RuntimeError(f"{written} results for {task.references} references")
    return task.measured(len(chunks), seconds, time.process_time())


def main() -> None:
    parser = task_parser("The bare script, with no queue.", redis=True)
    parser.add_argument("--pack", choices=["redis-py", "hiredis"], default="redis-py", help="who lays out commands")
    options = parser.parse_args()
    if options.pack == "hiredis" and not options.redis_url.startswith("unix://"):
        parser.error("--pack hiredis wants a server on a unix socket")
    print(uvloop.run(drain(task_of(options), options.pack)).as_json())


if __name__ == "__main__":
    main()
