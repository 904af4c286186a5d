"""A TCP proxy on loopback before an HTTP server: it cuts connections after so many bytes, or holds answers back."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: close() sends a reset."""


def _never() -> None:
    return None


@dataclass
class CuttingProxy:
    """Forwards each connection in two threads; as a context manager it listens while the block runs.

    Attributes:
        target: the address of the server; another one serves new connections.
        cut_after: called for each connection: after how many bytes of the server it is cut; None never cuts it.
        holds: answers to requests that hold these bytes are not handed on.
        asked: what clients sent, as it came.
        cuts: how many connections were cut.
        told: set when bytes of an answer were handed on.
    """

    target: str
    cut_after: Callable[[], int | None] = _never
    holds: bytes | None = None
    asked: list[bytes] = field(default_factory=list)
    cuts: int = 0
    told: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            parts = urlsplit(self.target)
            try:
                server = socket.create_connection((parts.hostname, parts.port), 10)
            except OSError:  # the server is away
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            held = threading.Event()
            self._start(self._ask, client, server, held)
            self._start(self._answer, client, server, held)

    def _ask(self, client: socket.socket, server: socket.socket, held: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(_CHUNK):
                self.asked.append(data)
                if self.holds is not None and self.holds in data:
                    held.set()
                server.sendall(data)
        self._end(server)

    def _answer(self, client: socket.socket, server: socket.socket, held: threading.Event) -> None:
        left = self.cut_after()
        with contextlib.suppress(OSError):
            while data := server.recv(_CHUNK):
                if held.is_set():
                    continue
                client.sendall(data if left is None else data[:left])
                self.told.set()
                left = None if left is None else left - len(data)
                if left is not None and left <= 0:
                    self.cuts += 1
                    if self.cuts % 2:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
        self._end(client)
        self._end(server)

    def _end(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
