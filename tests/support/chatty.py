"""A platform that sends exactly the bytes a test gives it, when it is told to; plain or over TLS."""

import contextlib
import json
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

WITHIN_S = 10


@dataclass
class Asked:
    """A request and the number of its connection."""

    connection: int
    line: str
    body: bytes
    headers: dict[str, str]


class Chatty:
    """Answers each request with the bytes that `answer` returns, and records its connection."""

    def __init__(self, answer: Callable[[Asked], bytes], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Asked] = []
        self.wrong: list[Exception] = []
        self._answer = answer
        self._ended = False
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._gone: list[threading.Event] = []
        self._changed = threading.Condition()
        self._speaking = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for one in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(WITHIN_S)
            assert not thread.is_alive()
        for one in self._connections:
            one.close()
        assert not self.wrong

    def stands(self, number: int) -> None:
        """Waits until a connection is open."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._connections) > number, WITHIN_S)

    def say(self, number: int, what: bytes) -> None:
        """Sends bytes on an open connection."""
        with contextlib.suppress(OSError), self._speaking:
            self._connections[number].sendall(what)

    def end(self, number: int) -> None:
        """Closes a connection."""
        with contextlib.suppress(OSError):
            self._connections[number].shutdown(socket.SHUT_RDWR)

    def left(self, number: int) -> None:
        """Waits until the caller has closed a connection."""
        assert self._gone[number].wait(WITHIN_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            gone = threading.Event()
            thread = threading.Thread(target=self._serve, args=(connection, len(self._connections), gone))
            with self._changed:
                self._connections.append(connection)
                self._gone.append(gone)
                self._threads.append(thread)
                self._changed.notify_all()
            thread.start()

    def _serve(self, connection: socket.socket, number: int, gone: threading.Event) -> None:
        raw = b""
        try:
            while block := self._block(connection):
                raw += block
                while parsed := _request(raw, number):
                    asked, raw = parsed
                    self.requests.append(asked)
                    what = self._answer(asked)
                    with self._speaking:
                        connection.sendall(what)
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 - the test that made it is told
            if not self._ended:  # the TLS stream is broken from here on
                self.wrong.append(error)
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            gone.set()

    def _block(self, connection: socket.socket) -> bytes:
        """Reads the next bytes. Over TLS no thread may write while another reads."""
        if not (isinstance(connection, ssl.SSLSocket) and connection.pending()):
            select.select([connection], [], [])
        with self._speaking:
            return connection.recv(65536)


def _request(raw: bytes, number: int) -> tuple[Asked, bytes] | None:
    head, end, rest = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = dict(field.lower().split(": ", 1) for field in fields) if end else {}
    length = int(headers.get("content-length", 0))
    return (Asked(number, line, rest[:length], headers), rest[length:]) if end and len(rest) >= length else None


def reply(status: int, body: object = None, *headers: str) -> bytes:
    """Returns a correct HTTP answer; without a body if that is None."""
    raw = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Returns a certificate for this machine, and what a client needs to trust it."""
    shown, key = folder / "shown.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
               "-keyout", str(key), "-out", str(shown)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(shown, key)
    return server, ssl.create_default_context(cafile=str(shown))


@contextlib.contextmanager
def chatting(answer: Callable[[Asked], bytes], tls: ssl.SSLContext | None = None) -> Iterator[Chatty]:
    with Chatty(answer, tls) as server:
        yield server
