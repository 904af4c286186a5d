"""A request whose body is sent piece by piece, as a slow or dying client does."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from tests.support.api import EVERY, WITHIN_S, Api


class Upload:
    """One request under way."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Its connection, for `select`."""
        return self._connection.fileno()

    def send(self, piece: bytes) -> None:
        """Sends a piece of the body."""
        self._connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def end(self) -> None:
        """Ends the body."""
        self._connection.sendall(b"0\r\n\r\n")

    def cut(self) -> None:
        """Goes away in the middle of it."""
        self._connection.close()

    def answer(self) -> httpx.Response:
        """What is answered."""
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += self._block(raw)
        head, _, body = raw.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        while len(body) < int(headers["content-length"]):
            body += self._block(raw)
        return httpx.Response(int(line.split(" ")[1]), headers=headers, content=body)

    def _block(self, before: bytes) -> bytes:
        block = self._connection.recv(65536)
        assert block, before
        return block


@contextlib.contextmanager
def upload(api: Api, *, kind: str = "text/plain", query: str = "", **headers: str) -> Iterator[Upload]:
    """Begins to hand in a job; header names with underscores for hyphens."""
    parts = urlsplit(api.url)
    given = {"Host": parts.netloc, "Authorization": f"Bearer {EVERY}", "Content-Type": kind}
    given |= {"Transfer-Encoding": "chunked"} | {name.replace("_", "-"): value for name, value in headers.items()}
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S) as connection:
        lines = [f"POST /v1/jobs{query} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield Upload(connection)
