"""Shows to other processes on the same machine whether a worker is alive: whether its event loop runs.

Each worker has a file, and its event loop touches it once a second. The worker's process locks the file (flock: the
kernel releases the lock when the process is gone). So a file without a lock belongs to a dead worker, and a locked file
that was not touched for ten seconds belongs to a worker that hangs. The server and the platform play no part: a worker
that waits for them is alive.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.ledger.server.address import redacted

log = structlog.get_logger()

BEAT_S = 1.0
ALIVE_S = 10.0
_LOOK_AGAIN_S = 2 * BEAT_S
_FOLDER_MODE = 0o700
_OTHERS_WRITE = 0o022
_FILE = re.compile(r"[0-9a-f]{12}\.[0-9]+\.[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Pulse:
    """A worker's process that exists.

    Attributes:
        pid: its process id.
        alive: whether its event loop runs.
    """

    pid: int
    alive: bool


class Heartbeat:
    """The file of one worker process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = f"{_scope(settings)}.{os.getpid()}.{secrets.token_hex(4)}"
        self._path: Path | None = None
        self._fd: int | None = None
        self._told = False

    async def keep(self) -> None:
        """Touches the file once a second, until cancelled."""
        try:
            while True:
                self._beat()
                await asyncio.sleep(BEAT_S)
        finally:
            self._end()

    def _beat(self) -> None:
        try:
            if self._fd is None or os.fstat(self._fd).st_nlink == 0:  # somebody deleted the file
                self._begin()
            if self._fd is not None:
                os.utime(self._fd)
        except (OSError, SettingsError) as error:
            self._close()
            if not self._told:
                log.warning("`worker --check` cannot see this worker: set CANCELLIST_HEARTBEAT_DIR", error=str(error))
            self._told = True

    def _begin(self) -> None:
        self._close()
        folder = _folder(self._settings, make=True)
        _clean(folder)
        self._path = folder / self._name
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _end(self) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._close()

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def look(settings: Settings) -> list[Pulse]:
    """The worker processes on this machine that use the ledger of these settings.

    It looks again before it reports that none is alive: after a sleep, or a change of the clock, workers need a moment.

    Raises:
        SettingsError: the folder cannot be read, or other users may write to it.
    """
    folder = _folder(settings, make=False)
    touched: dict[Path, float] = {}
    deadline = time.monotonic() + _LOOK_AGAIN_S
    while True:
        found = list(_pulses(folder, _scope(settings), touched))
        if not found or any(pulse.alive for pulse in found) or time.monotonic() > deadline:
            return found
        time.sleep(BEAT_S / 10)


def told(found: list[Pulse]) -> str:
    """The workers that were found, in one line."""
    wedged = [str(pulse.pid) for pulse in found if not pulse.alive]
    lives = len(found) - len(wedged)
    line = f"{lives} {'worker lives' if lives == 1 else 'workers live'} here" if lives else "no worker lives here"
    return f"{line}; without a tick for {ALIVE_S:g} s: process {', '.join(wedged)}" if wedged else line


def _pulses(folder: Path, scope: str, touched: dict[Path, float]) -> Iterator[Pulse]:
    try:
        files = sorted(folder.glob(f"{scope}.*.*"))
        for path in files:
            at = _touched_at(path)
            if at is not None:
                moved = touched.setdefault(path, at) != at
                yield Pulse(_pid(path), moved or 0 <= time.time() - at <= ALIVE_S)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be read: {error.strerror}") from None


def _clean(folder: Path) -> None:
    """Removes the files of dead workers, of all servers."""
    for path in folder.iterdir():
        if _FILE.fullmatch(path.name):
            with contextlib.suppress(OSError):
                _touched_at(path)


def _touched_at(path: Path) -> float | None:
    """When its worker last touched a file; None where no process holds the file, which is then removed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.fstat(fd).st_mtime
    else:
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    finally:
        os.close(fd)


def _pid(path: Path) -> int:
    part = path.name.split(".")[1]
    return int(part) if part.isdecimal() else 0


def _scope(settings: Settings) -> str:
    """Identifies the workers of one namespace on one server."""
    server = (
        redacted(settings.redis_url.get_secret_value()) if settings.redis_url else str(settings.data_dir.absolute())
    )
    return hashlib.sha256(f"{server}\n{settings.namespace}".encode(errors="surrogateescape")).hexdigest()[:12]


def _folder(settings: Settings, *, make: bool) -> Path:
    """The folder of the files.

    Raises:
        SettingsError: other users may write to the default folder, or own it.
    """
    if settings.heartbeat_dir:
        if make:
            settings.heartbeat_dir.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        return settings.heartbeat_dir
    folder = Path(os.environ.get("TMPDIR") or "/tmp") / f"cancellist-{os.getuid()}"  # noqa: S108 - checked below
    if make:
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        return folder
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & _OTHERS_WRITE:
        raise SettingsError(f"{folder} is not a folder of this user alone: set CANCELLIST_HEARTBEAT_DIR to another")
    return folder
