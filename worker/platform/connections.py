"""Connections to the platform: what comes on one after a request was written is its answer, and nothing else is.

A server, or what stands before it, may send an answer too many. On a connection that is kept it would be taken for the
answer to whatever is asked next. So a connection is looked at in the same step in which a request is written on it,
with nothing awaited between: one that has carried a byte since its last answer, or has any unread, is discarded, and
the request is sent on a new one. A surplus that comes later is told from an answer by what it names, or not at all: so
a call whose success names nothing asks for a connection of its own (`Call.alone`).

This goes by inner parts of aiohttp: `ResponseHandler`, `ClientRequest.send`, and `_factory`, `_get` and `_release` of
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
"""Bytes of an answer's headers together, those of its interim answers among them."""
_SETTLING = 100
"""Turns of the loop at most in which what has come over TLS is read before a request is written."""
_FINAL = 200
_UNFIT = "the connection was closed, or spoke, before it was asked"
_PROBE = b"HTTP/1.1 299 between\r\nContent-Length: 0\r\n\r\n"


class UnfitError(aiohttp.ClientError):
    """The connection closed, or carried something, before the request was written: nothing of it was."""


class WithheldError(aiohttp.ClientError):
    """The connection took so long that the request may not be sent any more: nothing of it was."""


class HeadTooLongError(aiohttp.ClientError):
    """The headers of an answer have no end within what is read of them."""


MaySend = Callable[[], Awaitable[bool]]
"""Whether a request may still be sent; asked once its connection stands."""


@dataclass
class Call:
    """One call as its connection sees it.

    Attributes:
        may_send: asked before the first byte.
        alone: its connection carries no other request, before it or after.
        written: whether a byte of it may have left.
        doubtful: more came with its answer than its answer: which of them is it?
    """

    may_send: MaySend
    alone: bool = False
    written: bool = False
    doubtful: bool = False


current: ContextVar[Call] = ContextVar("call")
"""The call that is being made."""


class Line(ResponseHandler):
    """One connection, which knows whether it has been asked anything."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._call: Call | None = None
        self._heading = False
        self._head = 0
        self._poll: Callable[[], bool] | None = None

    async def ask(self, call: Call) -> None:
        """Takes what comes from now on for the answer to a call, whose request is written in the step that returns.

        It has to be open, and to hold no byte that nobody has read. What comes over TLS is read first: it may be no
        data, such as tickets for a session, which come unasked.

        Raises:
            UnfitError: it may not be written.
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
        """Takes nothing for an answer any more; whether it may be asked again."""
        call, self._call = self._call, None
        if call is None:
            return not self.should_close
        call.doubtful = bool(self._buffer)
        if self.should_close:
            return False
        call.doubtful = not _is_between_answers(self._parser)
        return not (call.alone or call.doubtful)

    def data_received(self, data: bytes) -> None:
        """Hands on what was asked for; who speaks unasked is not listened to any more."""
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
        """Takes the head of an answer; one that is only on its way (1xx) does not end the waiting for it."""
        if data[0].code >= _FINAL:
            self._heading = False
        super().feed_data(data, size)

    def _is_tls(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None

    def _has_unread(self) -> bool:
        """Whether the system holds bytes, or an end, that have not been read from it yet."""
        if self._poll is None:
            connection = self.transport.get_extra_info("socket") if self.transport is not None else None
            if connection is None:
                return False
            self._poll = _poll_of(connection.fileno())
        return self._poll()


def _poll_of(number: int) -> Callable[[], bool]:
    """Tells whether there is something to read, without reading it."""
    if not hasattr(select, "poll"):
        return lambda: bool(select.select([number], [], [], 0)[0])
    look = select.poll()
    look.register(number, select.POLLIN)
    return lambda: bool(look.poll(0))


def _is_between_answers(parser: Any) -> bool:
    """Whether a parser has read an answer to its end and nothing beyond: then the next one is read as it is.

    It does not tell by itself. It is used up by this, and each request is given a new one.
    """
    try:
        messages, upgraded, rest = parser.feed_data(_PROBE)
    except Exception:  # noqa: BLE001 - whatever it is, it was not between answers
        return False
    return [message.reason for message, _ in messages] == ["between"] and not upgraded and not rest


class _Writer(StreamWriter):
    def write_whole(self, body: bytes) -> None:
        """Writes a request whose head is in the buffer, in one step."""
        self._headers_buf = (self._headers_buf or b"") + body
        self.set_eof()


class Request(aiohttp.ClientRequest):
    """Looks at the connection in the step in which it is written, which is one also where there is a body.

    aiohttp would write a body a turn of the loop later. None of ours is packed, chunked or streamed, or has a proxy.
    """

    def __init__(self, method: str, url: URL, *, data: bytes | None = None, **rest: Any) -> None:
        super().__init__(method, url, **rest)
        self._bytes = data or b""
        if self._bytes:
            self.headers["Content-Length"] = str(len(self._bytes))

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Writes head and body, without waiting until they have left: an answer may come before."""
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
    """Hands out connections that fit, and asks once more whether a request may be sent: connecting may take seconds."""

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=30)
        self._factory = cast("partial[ResponseHandler]", partial(Line, loop=self._loop))

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """A connection for a request that may still be sent; a lease or a gate does not wait for it."""
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
            protocol.abort()  # to close it over TLS would wait until the other side has agreed
        super()._release(key, protocol, should_close=not keeps)
