"""A TCP proxy that injects faults before the Redis server or the platform. It runs in a thread.

It parses the Redis protocol, so that a cut can be placed before, within or after a reply.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from tests.acceptance.faults.harness.resp import Values, point_of
from tests.support.ports import free_port

T = TypeVar("T")
_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: close() sends a reset."""


class Cut(StrEnum):
    """Where a connection is cut."""

    BEFORE = "before"
    """The request is not delivered."""
    WITHIN = "within"
    """Half of the reply is delivered."""
    AFTER = "after"
    """The request is executed, but its reply is not delivered."""


@dataclass(eq=False)
class Aim:
    """A fault for certain requests: a cut, or an error instead of the server's answer."""

    point: str
    how: Cut | str
    left: int = 1
    hits: int = 0

    def takes(self, point: str) -> bool:
        """Returns whether the fault applies to this request."""
        if point != self.point or self.left <= 0:
            return False
        self.left -= 1
        self.hits += 1
        return True


class Proxy:
    """Listens on a loopback port and forwards to an address: the path of a unix socket, or host and port.

    Attributes:
        strikes: number of requests that were cut or answered with an error, by kind.
        counts: number of faults of whole connections, by kind.
    """

    def __init__(self, target: str | tuple[str, int], *, resp: bool) -> None:
        self._target = target
        self._resp = resp
        self._links: set[_Link] = set()
        self.aims: list[Aim] = []
        self.strikes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.port = self._do(self._start)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def aim(self, point: str, how: Cut | str, times: int = 1) -> Aim:
        """Injects a fault into the next matching requests. `how` is a cut, or an error text such as `BUSY ...`."""
        aim = Aim(point, how, times)
        self.aims.append(aim)
        return aim

    def retarget(self, target: str | tuple[str, int]) -> None:
        """Forwards new connections to another address."""
        self._target = target

    def freeze(self) -> None:
        """Accepts connections but forwards nothing."""
        self.counts["frozen"] += 1
        self._do(self._set_flowing, False)

    def thaw(self) -> None:
        """Forwards again, beginning with what was sent meanwhile."""
        self._do(self._set_flowing, True)

    def slow(self, delay_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Delays every chunk, and limits the bytes a second; 0 ends it."""
        self.counts["slow network"] += bool(delay_s or bytes_per_s)
        self.delay_s, self.bytes_per_s = delay_s, bytes_per_s

    def refuse(self) -> None:
        """Cuts all connections and refuses new ones."""
        self.counts["refused"] += 1
        self._do(self._stop_listening)
        self._do(self._cut_all, False)

    def accept(self) -> None:
        """Accepts connections again."""
        self._do(self._listen)

    def cut(self, *, reset: bool = False) -> None:
        """Cuts all connections once."""
        self.counts["reset" if reset else "cut"] += len(self._links)
        self._do(self._cut_all, reset)

    def close(self) -> None:
        """Ends the thread and every connection."""
        self._do(self._stop_listening)
        self._do(self._cut_all, False)
        self._do(self._wait_for_links)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Callable[..., Awaitable[T]], *args: object) -> T:
        async def call() -> T:
            return await work(*args)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(20)

    async def _start(self) -> int:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.port = free_port()  # which nobody else is given while it refuses connections
        await self._listen()
        return self.port

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)

    async def _stop_listening(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None

    async def _set_flowing(self, flowing: bool) -> None:
        if flowing:
            self.flowing.set()
        else:
            self.flowing.clear()

    async def _cut_all(self, reset: bool) -> None:
        for link in list(self._links):
            link.cut(reset=reset)

    async def _wait_for_links(self) -> None:
        self.flowing.set()
        await asyncio.gather(*(link.ended.wait() for link in self._links))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await self.flowing.wait()
            with contextlib.suppress(OSError):
                await link.run(self._target, resp=self._resp)
        finally:
            self._links.discard(link)
            link.cut()
            link.ended.set()


class _Link:
    """One connection from a client to the upstream."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = (reader, writer)
        self._writers = [writer]
        self._pending: deque[Aim | bytes | None] = deque()
        self._in_transaction = False
        self._raw = False
        self.ended = asyncio.Event()

    async def run(self, target: str | tuple[str, int], *, resp: bool) -> None:
        self._raw = not resp
        open_ = asyncio.open_unix_connection(target) if isinstance(target, str) else asyncio.open_connection(*target)
        server_reader, server_writer = await open_
        self._writers.append(server_writer)
        if self._client[1].is_closing():
            return
        up = asyncio.ensure_future(self._up(self._client[0], server_writer))
        down = asyncio.ensure_future(self._down(server_reader, self._client[1]))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.cut()
            for task in (up, down):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task

    def cut(self, *, reset: bool = False) -> None:
        """Closes both sides."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            if reset and sock is not None and not writer.is_closing():
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport = writer.transport
            transport.abort() if reset else transport.close()

    async def _pass(self, size: int) -> None:
        """Waits as long as a frozen or slow network would."""
        await self._proxy.flowing.wait()
        wait_s = self._proxy.delay_s + (size / self._proxy.bytes_per_s if self._proxy.bytes_per_s else 0)
        if wait_s:
            await asyncio.sleep(wait_s)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = Values()
        while data := await reader.read(_CHUNK):
            await self._pass(len(data))
            if self._raw:
                writer.write(data)
            elif not all(self._send(request, writer) for request in requests.feed(data)):
                return
            await writer.drain()

    def _send(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        """Forwards a request, or injects its fault; returns whether the connection is still open."""
        point = point_of(request)
        within, self._in_transaction = self._in_transaction, point == "MULTI" or (
            self._in_transaction and point not in {"EXEC", "DISCARD"}
        )  # fmt: skip
        aim = None if within and point != "EXEC" else next((a for a in self._proxy.aims if a.takes(point)), None)
        if aim:
            self._proxy.strikes[_kind_of(aim.how)] += 1
        if aim and aim.how == Cut.BEFORE:
            self.cut()
            return False
        if aim and not isinstance(aim.how, Cut):
            self._answer(f"-{aim.how}\r\n".encode(), writer if within else None)
            return True
        self._pending.append(aim)
        writer.write(request)
        return True

    def _answer(self, error: bytes, discarding: asyncio.StreamWriter | None) -> None:
        """Answers a request with an error, in order. A transaction is discarded, and the reply to that is replaced."""
        if discarding:
            discarding.write(b"*1\r\n$7\r\nDISCARD\r\n")
            self._pending.append(Aim("EXEC", error.decode()))
        elif self._pending:
            self._pending.append(error)
        else:
            self._client[1].write(error)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replies = Values()
        while data := await reader.read(_CHUNK):
            await self._pass(len(data))
            if self._raw:
                writer.write(data)
                await writer.drain()
                continue
            for reply in replies.feed(data):
                aim = self._pending.popleft() if self._pending else None
                if isinstance(aim, Aim) and isinstance(aim.how, Cut):
                    if aim.how is Cut.WITHIN:
                        writer.write(reply[: max(1, len(reply) // 2)])
                    return
                writer.write(aim.how.encode() if isinstance(aim, Aim) else reply)
                while self._pending and isinstance(self._pending[0], bytes):
                    writer.write(self._pending.popleft())
            await writer.drain()


def _kind_of(how: Cut | str) -> str:
    """Returns the name of a strike for tables."""
    return f"cut {how} a reply" if isinstance(how, Cut) else f"answered {how.partition(' ')[0]}"


@contextlib.contextmanager
def proxied(target: str | tuple[str, int], *, resp: bool = True) -> Iterator[Proxy]:
    """Runs a proxy for a block."""
    proxy = Proxy(target, resp=resp)
    try:
        yield proxy
    finally:
        proxy.close()
