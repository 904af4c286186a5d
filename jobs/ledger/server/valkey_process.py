"""One Valkey process: its files, its state and its end (valkey_launch.py has its start).

A lock shows whether it is alive, not a process id: the process inherits an exclusive lock on `server.lock`, and the
kernel releases it when the process is gone. A reused id or a zombie process cannot mislead.
"""

import fcntl
import hashlib
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

# sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included
MAX_SOCKET_PATH_BYTES: Final = 100
MAX_LOG_BYTES: Final = 1_000_000
LAST_WORDS: Final = 3

ANSWER_S: Final = 2.0
STOP_S: Final = 15.0
KILL_S: Final = 5.0
POLL_S: Final = 0.01


# 4711:M 23 Nov 2026 13:57:57.547 # what matters
_LOG_PREFIX: Final = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ ([-.*#]) ")


class ServerFiles:
    """The files in the data folder besides the append-only file.

    Attributes:
        start_lock: held exclusively by the process that starts or stops the server.
        users_lock: shared by all users of the server.
        server_lock: held by the server's process.
        pid: written by the server.
        log: written by the server; moved to `valkey.log.1` when it is too long.
        socket: where the server listens, or a link to it if the folder's path is too long for a socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.start_lock: Final = folder / "start.lock"
        self.users_lock: Final = folder / "users.lock"
        self.server_lock: Final = folder / "server.lock"
        self.pid: Final = folder / "valkey.pid"
        self.log: Final = folder / "valkey.log"
        self.socket: Final = folder / "valkey.sock"


@dataclass(frozen=True, slots=True)
class Ready:
    """The server takes commands."""


@dataclass(frozen=True, slots=True)
class Loading:
    """The server reads its append-only file."""

    percent: float


@dataclass(frozen=True, slots=True)
class Silent:
    """The server does not answer."""


State = Ready | Loading | Silent


def socket_of(files: ServerFiles) -> Path:
    """The socket on which the server listens, or would listen if it were started now."""
    if _fits(files.socket):
        return files.socket
    with suppress(OSError):
        return files.socket.readlink()  # the process that started it may have another TMPDIR
    name = hashlib.sha256(os.fsencode(files.folder)).hexdigest()[:16]
    below = Path(f"cancellist-{os.getuid()}-{name}", files.socket.name)
    preferred = tempfile.gettempdir() / below
    return preferred if _fits(preferred) else "/tmp" / below  # noqa: S108 - the folder in it is checked to be ours


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES


def is_alive(files: ServerFiles) -> bool:
    """Whether a server's process runs on this folder."""
    try:
        fd = os.open(files.server_lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def pid_of(files: ServerFiles) -> int | None:
    """The process id of the live server; None without one."""
    if not is_alive(files):
        return None
    try:
        return int(files.pid.read_text())
    except (OSError, ValueError):
        return None


def state_of(socket: Path) -> State:
    """Asks the server for its state."""
    try:
        with closing(_client(socket)) as client:
            info: Any = client.info()
    except (RedisError, OSError):
        return Silent()
    if info.get("loading"):
        return Loading(percent=float(info.get("loading_loaded_perc", 0)))
    return Ready()


def harden(socket: Path) -> bool:
    """Sets the fsync of a running server to `always`; returns False where it did not answer."""
    with suppress(RedisError, OSError), closing(_client(socket)) as client:
        return bool(client.config_set("appendfsync", "always"))
    return False


def stop(files: ServerFiles) -> None:
    """Ends the server, and waits until it is gone. The caller holds `start.lock` and is the last user."""
    if not is_alive(files):
        return
    socket = socket_of(files)

    def ask() -> None:  # more than once: it may have been started a moment ago
        with suppress(RedisError, OSError), closing(_client(socket)) as client:
            client.shutdown(nosave=True)  # it writes the append-only file out before it goes

    pid = pid_of(files) if not _gone_within(files, STOP_S, ask) else None
    if pid is not None:
        # It hangs. Everything that it acknowledged is in its file, or in the kernel's cache with everysec.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _gone_within(files, KILL_S, lambda: None)
    if is_alive(files):
        return
    for file in (socket, files.socket, files.pid):
        file.unlink(missing_ok=True)
    if socket.parent != files.folder:
        with suppress(OSError):
            socket.parent.rmdir()


def _gone_within(files: ServerFiles, limit_s: float, push: Callable[[], None]) -> bool:
    deadline = time.monotonic() + limit_s
    while is_alive(files):
        if time.monotonic() >= deadline:
            return False
        push()
        time.sleep(POLL_S)
    return True


def rotate_log(files: ServerFiles) -> None:
    """Moves a long log away. The server opens the log again for every line."""
    with suppress(FileNotFoundError):
        if files.log.stat().st_size > MAX_LOG_BYTES:
            files.log.replace(files.log.with_suffix(".log.1"))


def last_words(files: ServerFiles, begin: int) -> str:
    """The last log lines of the server since `begin`; only warnings, if there are any."""
    try:
        with files.log.open("rb") as log:
            log.seek(begin)
            lines = log.read(MAX_LOG_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return "it left no log"
    marked = [(line, _LOG_PREFIX.match(line)) for line in lines if line.strip()]
    warnings = [line[found.end() :] for line, found in marked if found and found[1] == "#" and "overcommit" not in line]
    words = warnings or [line[found.end() :] if found else line for line, found in marked]
    return " | ".join(words[-LAST_WORDS:]) or "it left no log"


def _client(socket: Path) -> Redis:
    return Redis(unix_socket_path=str(socket), socket_timeout=ANSWER_S, lib_name=None, lib_version=None)
