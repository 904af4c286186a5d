"""A connection of the HTTP API: closed where nothing comes of it, whoever that may be, and where there are too many."""

import asyncio
import socket
import struct
from typing import Any, ClassVar, Final
from uuid import uuid4

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cancellist.api.options import LEAST, Limits
from cancellist.api.problem_kinds import KINDS
from cancellist.api.problems import ProblemError
from cancellist.api.serving.places import SURPLUS, Places
from cancellist.api.serving.safe_headers import SAFE_HEADERS

_INFO: Final = struct.Struct("=120xQ16xI")
"""Of Linux's `tcp_info`: `tcpi_bytes_acked` and `tcpi_notsent_bytes`."""
HEAD_S: Final = 10.0
"""Seconds within which the whole head of a request must have come, and before that the handshake of TLS."""
LONGEST_HEAD: Final = 64 * 1024
"""Bytes of it."""


class Requests(h11.Connection):
    """h11's reader, which by itself takes a request that says in two ways how long its body is.

    A proxy in front of us may go by the other way, and then takes for a body what we take for the next request, which
    may be somebody else's (RFC 9112, 6.1 and 6.3). It also holds a head to a length only where it comes in pieces.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, LONGEST_HEAD)

    def next_event(self) -> Any:
        """The next part of a request.

        Raises:
            h11.RemoteProtocolError: it is no HTTP, or its head is too long, or the length of its body is unclear.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            unclear = b"content-length" in names or event.http_version < b"1.1"
            if b"transfer-encoding" in names and unclear:
                raise h11.RemoteProtocolError("the length of the body is said in two ways")
            if len(event.target) + sum(len(name) + len(value) for name, value in event.headers) > LONGEST_HEAD:
                raise h11.RemoteProtocolError("the head is too long")
        return event


class Connection(H11Protocol):
    """uvicorn's connection, which by itself waits for a head, and for an answer to be taken, for ever.

    A connection beyond the places there are is served one request, which learns of it by `surplus` in its state. Who is
    found to make a request is told by `serves` there: a connection gives way while it waits for a request, and while
    it serves nobody who is known.
    uvicorn's own `limit_concurrency` answers no problem, refuses health checks too, and counts those that wait.

    Attributes:
        stalled_s: seconds within which some of an answer must be taken, where it waits to be.
        places: of all connections of the process.
    """

    stalled_s: ClassVar[float] = 60.0
    places: ClassVar[Places]
    _closing: asyncio.TimerHandle | None = None
    _looking: asyncio.TimerHandle | None = None
    _taken: int | None = None
    _known: bool = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.conn = Requests()

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for the first request, on a place if there is one: perhaps that which its handshake had."""
        super().connection_made(transport)
        self._watch()
        self._look_later()
        self.places.works(self)
        self._take_place()
        if len(self.connections) > self.places.most + SURPLUS:  # with those that gave way, and are still being closed
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Takes what has come, and goes on waiting where that is no whole head."""
        if self._waits:
            self._take_place()
        super().data_received(data)
        self._watch()
        self._tell_places()

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        super().on_response_complete()
        self._tell_places()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self.places.leave(self)
        self._stop()
        if self._looking:
            self._looking.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP as any other problem, where no answer has begun, and closes."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        request_id = uuid4().hex
        kind = KINDS["malformed_http"]
        answer = ProblemError(kind.code, msg).response(request_id)
        own = [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
        headers = [*answer.raw_headers, *SAFE_HEADERS.items(), *own]
        for event in (
            h11.Response(status_code=kind.status, headers=headers),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _take_place(self) -> None:
        self.app_state = {**self.app_state, "surplus": not self.places.take(self), "serves": self._serves}
        self._tell_places()

    def _serves(self, *, known: bool) -> None:
        """Notes whether the request under way is of somebody known."""
        self._known = known
        self.places.works(self)
        if not known:
            self.places.yields(self, self._give_way)

    def _tell_places(self) -> None:
        if self._waits:
            self.places.yields(self, self._give_way)
        elif self._known:
            self.places.works(self)

    def _give_way(self) -> None:
        """Closes at once, but lets who is known have the rest of an answer, however slowly they take it."""
        lingers = self.transport.get_write_buffer_size() or self.scheme == "https"  # TLS waits for the other side
        if lingers and not self._known:
            self.transport.abort()
        else:
            self.transport.close()

    @property
    def _waits(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        if not self._waits:
            self._stop()
        elif self._closing is None:
            self._closing = self.loop.call_later(HEAD_S, self._close)

    def _stop(self) -> None:
        if self._closing:
            self._closing.cancel()
        self._closing = None

    def _close(self) -> None:
        self._closing = None
        if self._waits and not self.transport.is_closing():
            self.transport.close()

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(self.stalled_s, self._look)

    def _look(self) -> None:
        """Drops the connection where its client has taken next to nothing of what waits for it since the last look."""
        before, self._taken = self._taken, self._waiting()
        if before is not None and self._taken is not None and self._taken - before < LEAST:
            self.transport.abort()
        else:
            self._look_later()

    def _waiting(self) -> int | None:
        """How many bytes the client has taken so far, while more wait for it; None where none do."""
        took = _taken(self.transport.get_extra_info("socket"))
        if took is None:
            return None
        taken, in_kernel = took
        return taken if in_kernel or self.transport.get_write_buffer_size() else None


def _taken(connection: Any) -> tuple[int, bool] | None:
    """How many bytes a peer has acknowledged, and whether more wait for it; None where the system does not say.

    What the kernel holds can be megabytes, so that a buffer of ours stands still for long before a slow client.
    """
    try:
        said = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        taken, unsent = _INFO.unpack(said)
    except (AttributeError, OSError, struct.error):
        return None
    return taken, bool(unsent)


def connections_within(limits: Limits) -> type[Connection]:
    """The connections of a process with these limits."""
    own = {"stalled_s": limits.silence_s, "places": Places(limits.max_connections)}
    return type("LimitedConnection", (Connection,), own)
