"""Connections to the platform: only bytes that come after a request was written are its answer.

A server or proxy may send one answer too many. On a kept connection it would be taken for the answer to the next
request. So a connection is checked in the same step in which a request is written, without an await between. If a byte
came since its last answer, or is unread, the connection is discarded and the request is sent on a new one. A surplus
answer that comes later can be recognised only by the references that it names. So a call whose success names none asks
for a connection of its own (`Call.alone`).

This uses private parts of aiohttp: `ResponseHandler`, `ClientRequest.send`, and `_factory`, `_get` and `_release` of
its connectors. tests/integration/platform/test_client_surplus.py pins them.
"""

import asyncio
import select
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader
from yarl import URL

LONGEST_HEAD = 1024 * 1024
"""The most bytes of an answer's headers, including those of its interim answers."""
_SETTLING = 100
"""The most turns of the loop in which arrived TLS records are read before a request is written."""
_FINAL = 200
_UNFIT = "the connection was closed, or spoke, before it was asked"
_PROBE = b"HTTP/1.1 299 between\r\nContent-Length: 0\r\n\r\n"


class UnfitError(aiohttp.ClientError):
    """The connection closed, or carried bytes, before the request was written. Nothing was sent."""


class WithheldError(aiohttp.ClientError):
    """Connecting took so long that the request may no longer be sent. Nothing was sent."""


class HeadTooLongError(aiohttp.ClientError):
    """The headers of an answer are longer than `LONGEST_HEAD`."""


MaySend = Callable[[], Awaitable[bool]]
"""Whether a request may still be sent; asked once its connection is open."""


@dataclass
class Call:
    """One call as its connection sees it.

    Attributes:
        may_send: asked before the first byte is sent.
        alone: whether its connection carries no other request, before or after.
        written: whether a byte of it may have left.
        doubtful: whether more than one answer came, so that it is not clear which is the right one.
    """

    may_send: MaySend
    alone: bool = False
    written: bool = False
    doubtful: bool = False


current: ContextVar[Call] = ContextVar("call")
"""The present call of this task."""


class Line(ResponseHandler):
    """One connection, which knows whether a request is open on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._call: Call | None = None
        self._heading = False
        self._head = 0
        self._poll: Callable[[], bool] | None = None

    async def ask(self, call: Call) -> None:
        """Begins a call: bytes from now on are its answer. The request must be written in the same step on return.

        The connection must be open, and have no unread byte. TLS records are read first, since they may hold no data,
        such as session tickets.

        Raises:
            UnfitError: the request must not be written here.
        """
        turns = _SETTLING if self._is_tls() else 0
        while self.is_connected() and not self.should_close:
            if not self._has_unread():
                self._call, self._head = call, 0
                self._heading = call.written = True
                return
            if not turns:
                break
            turns -= 1
            await asyncio.sleep(0)
        raise UnfitError(_UNFIT)

    def rest(self) -> bool:
        """Ends a call; returns whether the connection may be used again."""
        call, self._call = self._call, None
        if call is None:
            return not self.should_close
        call.doubtful = bool(self._buffer)
        if self.should_close:
            return False
        call.doubtful = not _is_between_answers(self._parser)
        return not (call.alone or call.doubtful)

    def data_received(self, data: bytes) -> None:
        """Passes on bytes of an answer; closes the connection on bytes without a request."""
        if data and self._call is None:
            self.set_exception(UnfitError("the connection spoke before it was asked"))
            if self.transport is not None:
                self.transport.abort()
            return
        if self._heading:
            self._head += len(data)
        super().data_received(data)
        if self._heading and self._head > LONGEST_HEAD:
            self.set_exception(HeadTooLongError(f"its headers are longer than {LONGEST_HEAD} bytes"))
            if self.transport is not None:
                self.transport.abort()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Takes the head of an answer; an interim answer (1xx) does not end the wait."""
        if data[0].code >= _FINAL:
            self._heading = False
        super().feed_data(data, size)

    def _is_tls(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None

    def _has_unread(self) -> bool:
        """Whether the system holds unread bytes or an end of the connection."""
        if self._poll is None:
            connection = self.transport.get_extra_info("socket") if self.transport is not None else None
            if connection is None:
                return False
            self._poll = _poll_of(connection.fileno())
        return self._poll()


def _poll_of(number: int) -> Callable[[], bool]:
    """Makes a function that tells whether there is something to read, without reading it."""
    if not hasattr(select, "poll"):
        return lambda: bool(select.select([number], [], [], 0)[0])
    look = select.poll()
    look.register(number, select.POLLIN)
    return lambda: bool(look.poll(0))


def _is_between_answers(parser: Any) -> bool:
    """Whether a parser has read an answer to its end and nothing beyond, so that it would read another one.

    The parser cannot be asked, so it is given a test answer. It cannot be used afterwards; each request gets a new one.
    """
    try:
        messages, upgraded, rest = parser.feed_data(_PROBE)
    except Exception:  # noqa: BLE001 - whatever it is, it was not between answers
        return False
    return [message.reason for message, _ in messages] == ["between"] and not upgraded and not rest


class _Writer(StreamWriter):
    def write_whole(self, body: bytes) -> None:
        """Writes the head from the buffer and the body in one step."""
        self._headers_buf = (self._headers_buf or b"") + body
        self.set_eof()


class Request(aiohttp.ClientRequest):
    """Checks the connection in the same step in which it writes the head and the body.

    aiohttp would write a body one turn of the loop later. Our bodies are not compressed, chunked or streamed, and there
    is no proxy.
    """

    def __init__(self, method: str, url: URL, *, data: bytes | None = None, **rest: Any) -> None:
        super().__init__(method, url, **rest)
        self._bytes = data or b""
        if self._bytes:
            self.headers["Content-Length"] = str(len(self._bytes))

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Writes head and body, without waiting until they have left, since an answer may come before."""
        line = conn.protocol
        if not isinstance(line, Line):
            raise UnfitError(_UNFIT)
        writer = _Writer(line, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)  # into its buffer
        await line.ask(current.get())
        writer.write_whole(self._bytes)
        line.start_timeout()
        return self.response_class(
            self.method, self.original_url, writer=None, continue100=None, timer=self._timer,
            request_info=self.request_info, traces=self._traces, loop=self.loop, session=self.session,
            stream_writer=writer,
        )  # fmt: skip


class Connector(aiohttp.TCPConnector):
    """Gives connections, and asks again whether the request may be sent, since connecting may take seconds."""

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=30)
        self._factory = cast("partial[ResponseHandler]", partial(Line, loop=self._loop))

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """A connection for a request that may still be sent.

        Raises:
            WithheldError: the request may no longer be sent.
        """
        connection, may = await super().connect(req, traces, timeout), False
        try:
            may = await current.get().may_send()
        finally:
            if not may:
                connection.release()
        if not may:
            raise WithheldError
        return connection

    async def _get(self, key: Any, traces: list[Any]) -> Connection | None:
        return None if current.get().alone else await super()._get(key, traces)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        keeps = isinstance(protocol, Line) and not should_close and protocol.rest()
        if not keeps:
            protocol.abort()  # a close over TLS would wait for the other side
        super()._release(key, protocol, should_close=not keeps)
