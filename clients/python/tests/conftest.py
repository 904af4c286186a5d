"""A server that answers what a test tells it to, and notes what was asked: bodies of any length, chunked too."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What is answered; without a status the connection is cut, after so many bytes of the body were read."""

    status: int | None = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    blocks: tuple[bytes, ...] = ()
    read: int | None = None


class Scripted:
    """The server."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[Answer] = []
        self.otherwise: Callable[[Asked], Answer] = lambda _: Answer(500)
        self.ended = threading.Event()
        handler = type("Handler", (_Handler,), {"scripted": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def next(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.answers.pop(0) if self.answers else self.otherwise(asked)

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        assert not self._thread.is_alive()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripted: Scripted
    timeout = 10

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        most = self.scripted.answers[0].read if self.scripted.answers else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer = self.scripted.next(Asked(self.command, parts.path, query, headers, self._body(most)))
        if answer.status is None:
            self.close_connection = True
            return
        raw = b"" if answer.document is None else json.dumps(answer.document).encode()
        self.send_response(answer.status)
        named = {name.lower() for name in answer.headers}
        if "content-type" not in named:
            kind = "application/problem+json" if answer.status >= 400 else "application/json"
            self.send_header("Content-Type", kind)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.blocks:
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return
        self.send_header("Connection", "close")
        self.end_headers()
        for block in answer.blocks:
            self.wfile.write(block)
            self.wfile.flush()
        self.close_connection = True
        if answer.read == 0:  # it stays silent
            self.scripted.ended.wait(10)

    def _body(self, most: int | None) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if most is not None and len(body) >= most:
                return body
        self.rfile.readline()
        return body

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - http.server asks for these names

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    with contextlib.closing(server):
        yield server


@pytest.fixture
def answer() -> type[Answer]:
    return Answer
