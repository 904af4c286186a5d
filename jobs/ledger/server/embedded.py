"""The embedded server: one for each data folder, shared by all processes that use it.

The first user starts it, and the last one stops it. There are three locks (flock: the kernel releases the locks of a
process that is gone). `users.lock` is shared by the users. `server.lock` is held by the server's process. `start.lock`
is held while a user joins, and while the server is started or stopped. So a user that joins while another leaves finds
either a server that stays, or none and starts one. The lock is not held while the server loads its data.

If the last user is killed, the server stays; the next user finds it, uses it and stops it.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.jobs.ledger.server.valkey_launch import Fsync, launch
from cancellist.jobs.ledger.server.valkey_process import (
    Loading,
    Ready,
    ServerFiles,
    harden,
    is_alive,
    last_words,
    pid_of,
    rotate_log,
    socket_of,
    state_of,
    stop,
)

START_LOCK_S: Final = 60.0  # a stop holds the lock longest, at most for 20 s
SILENCE_S: Final = 30.0
POLL_S: Final = 0.01
LOADING_POLL_S: Final = 0.1
SAY_EVERY_S: Final = 1.0


class EmbeddedServer:
    """A user of the folder's server; safe to share between threads.

    Args:
        data_dir: the folder of the data; created for this user only if it does not exist.
        fsync: when a write reaches the disk. A running server is never made less safe.
        on_wait: called with the reason of a wait.

    Methods raise LedgerUnavailableError where the server cannot be used; its message says what to do.
    """

    def __init__(
        self, data_dir: Path, *, fsync: Fsync = "always", on_wait: Callable[[str], None] | None = None
    ) -> None:
        self._files = ServerFiles(_whole(data_dir))
        self._fsync: Fsync = fsync
        self._on_wait = on_wait
        self._mutex = threading.RLock()
        self._users: int | None = None  # the open users.lock, while we are a user

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"unix://{quote(str(socket_of(self._files)))}"

    @property
    def pid(self) -> int | None:
        """The process id of the live server, whoever started it; None without one."""
        return pid_of(self._files)

    def start(self) -> str:
        """Becomes a user of the server, and starts it if needed; returns its URL."""
        with self._mutex:
            joined_before = self._users is not None
            try:
                self.ensure_running()
            except BaseException:
                if not joined_before:
                    self.close()
                raise
            return self.url

    def ensure_running(self) -> None:
        """Starts the server again if it is gone; cheap if it is not."""
        with self._mutex, _told(self._files.folder):
            if self._users is not None and isinstance(state_of(socket_of(self._files)), Ready):
                return
            self._files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                with self._start_lock():
                    self._join()
                    begin = launch(self._files, self._fsync)
                if self._ready(begin):
                    return
                # The server of another user has gone meanwhile: start one.

    def close(self) -> None:
        """Stops being a user; the last user stops the server. It raises nothing if the server does not stop."""
        with self._mutex:
            if self._users is None:
                return
            try:
                with suppress(LedgerUnavailableError, OSError), self._start_lock():
                    # A failed upgrade may lose the shared lock. That does not matter, since we leave.
                    with suppress(BlockingIOError):
                        fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        stop(self._files)
                    rotate_log(self._files)
            finally:
                fcntl.flock(self._users, fcntl.LOCK_UN)  # also for a forked child that shares it
                os.close(self._users)
                self._users = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _join(self) -> None:
        """Becomes a user. It runs under `start.lock`, so no process holds `users.lock` exclusively."""
        if self._users is None:
            fd = os.open(self._files.users_lock, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(fd, fcntl.LOCK_SH)
            self._users = fd

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        fd = os.open(self._files.start_lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + START_LOCK_S
            told = time.monotonic()
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    pass
                if time.monotonic() >= deadline:
                    raise LedgerUnavailableError(
                        f"another process holds {self._files.start_lock} for over a minute: end it and try again"
                    )
                told = self._say("waiting for another command to start or stop the embedded server", told)
                time.sleep(POLL_S)
            yield
        finally:
            os.close(fd)

    def _ready(self, begin: int | None) -> bool:
        """Waits until the server takes commands; returns False where the server of another user has gone meanwhile.

        Args:
            begin: the start of our server's log; None where another user started the server.
        """
        silent_since = told = time.monotonic()
        while True:
            socket = socket_of(self._files)
            state = state_of(socket)
            # Another user may have started it with a less safe fsync.
            if isinstance(state, Ready) and (begin is not None or self._fsync != "always" or harden(socket)):
                return True
            if isinstance(state, Loading):
                silent_since = time.monotonic()
                told = self._say(f"the embedded server is loading its data: {state.percent:.0f} %", told)
            elif not is_alive(self._files):
                if begin is None:
                    return False
                raise self._died(begin)
            elif time.monotonic() - silent_since >= SILENCE_S:
                raise self._hangs()
            time.sleep(LOADING_POLL_S if isinstance(state, Loading) else POLL_S)

    def _died(self, begin: int) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the embedded server ended at its start: {last_words(self._files, begin)}; "
            f"see {self._files.log}, or set CANCELLIST_DATA_DIR to another folder"
        )

    def _hangs(self) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the embedded server (process {self.pid}) gives no answer on {socket_of(self._files)}: "
            "end that process and try again"
        )

    def _say(self, message: str, told: float) -> float:
        """Calls `on_wait`, at most once a second; returns the time of the last call."""
        now = time.monotonic()
        if self._on_wait is None or now - told < SAY_EVERY_S:
            return told
        self._on_wait(message)
        return now


def _whole(folder: Path) -> Path:
    try:
        return folder.expanduser().absolute()
    except RuntimeError:
        raise LedgerUnavailableError(
            "there is no home folder for the embedded server's data: set CANCELLIST_DATA_DIR to a folder, "
            "or CANCELLIST_REDIS_URL to a server of yours"
        ) from None


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerUnavailableError(
            f"the embedded server cannot use {folder} ({error.strerror or error}): "
            "set CANCELLIST_DATA_DIR to a folder that you may write, or CANCELLIST_REDIS_URL to a server of yours"
        ) from error
