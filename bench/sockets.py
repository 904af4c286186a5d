"""The limit of the platform: loops of hand-written sockets, without a queue, parsing or stored results.

    python bench/sockets.py --url http://127.0.0.1:8000 --latency-ms 50 --concurrency 16

Every request is built before the clock starts; an answer is read as far as its length and thrown away, and the next
request is written from the callback that saw its last byte. Nothing that does more can be faster on this machine.
Prints one line of JSON: see `bench/measure.py`.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import orjson
import uvloop

from bench.measure import Measured, Task, task_of, task_parser
from bench.references import lists

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


class Loop(asyncio.Protocol):
    """One connection, one call at a time, until no request is left."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._transport: asyncio.Transport
        self._head = b""
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the first request waits for `next`."""
        self._transport = transport  # type: ignore[assignment]

    def next(self) -> None:
        """Write the next request, or finish."""
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count down to the answer's last byte."""
        if self._missing:
            self._missing -= len(data)
        else:
            data = self._head + data
            end_of_head = data.find(b"\r\n\r\n")
            if end_of_head < 0:
                self._head = data
                return
            self._head = b""
            length = CONTENT_LENGTH.search(data, 0, end_of_head)
            if length is None or not data.startswith(b"HTTP/1.1 200 "):
                self._done.set_exception(RuntimeError(f"unexpected answer: {data[:end_of_head]!r}"))
                self._transport.close()
                return
            self._missing = end_of_head + 4 + int(length[1]) - len(data)
        if not self._missing:
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail where the platform closed before the last answer."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the platform closed the connection"))


async def drain(task: Task) -> Measured:
    """Make every call of the task and return the figures."""
    loop = asyncio.get_running_loop()
    address = urlsplit(task.url)
    head = (
        f"PUT /consignments/cancellist HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: %d\r\n\r\n"
    ).encode()
    bodies = [orjson.dumps(chunk) for chunk in lists(task.references, task.size)]
    requests = iter([head % len(body) + body for body in bodies])
    done = [loop.create_future() for _ in range(task.concurrency)]
    connections: list[Loop] = []
    for future in done:
        _, connection = await loop.create_connection(partial(Loop, requests, future), address.hostname, address.port)
        connections.append(connection)
    started = time.monotonic()
    for connection in connections:
        connection.next()
    await asyncio.gather(*done)
    return task.measured(len(bodies), time.monotonic() - started, time.process_time())


def main() -> None:
    task = task_of(task_parser("The platform's own best, by hand-written sockets.").parse_args())
    print(uvloop.run(drain(task)).as_json())


if __name__ == "__main__":
    main()
