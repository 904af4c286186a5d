"""Writes snapshots: one file for each job, to which only this worker appends. What is kept is on the disk."""

import contextlib
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cancellist.jobs.safety.snapshot import Entry, Header, authenticated, encoded, file_name, framed, job_of

if TYPE_CHECKING:  # slow to import
    from cancellist.worker.snapshots.cipher import Cipher

DIR_SETTING: Final = "CANCELLIST_SNAPSHOT_DIR"
_MOST_FILES: Final = 1000
"""Files that the store remembers. A job that is forgotten begins another file."""
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class NotKeptError(Exception):
    """Records could not be kept; `str()` says why, without a path."""


@dataclass(slots=True)
class _File:
    """A file of this worker: its first line, and what is surely on the disk."""

    path: Path
    line: bytes
    size: int
    entries: int = 0


class SnapshotStore:
    """The snapshots of one worker. Threads may use it at the same time."""

    def __init__(self, folder: Path, cipher: "Cipher", worker: str) -> None:
        self._folder = folder
        self._cipher = cipher
        self._worker = worker
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def worker(self) -> str:
        """Who writes."""
        return self._worker

    def check(self) -> None:
        """Looks whether records can be kept at all, so that none is read in vain.

        Raises:
            NotKeptError: they cannot.
        """
        try:
            free = os.statvfs(self._folder)
        except OSError as error:
            raise NotKeptError(_why(error)) from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise NotKeptError(f"{DIR_SETTING}: it may not be written")
        if free.f_blocks and not free.f_bavail:
            raise NotKeptError(f"{DIR_SETTING}: the disk is full")

    def keep(self, job: str, entries: Sequence[Entry]) -> None:
        """Writes entries of a job, and waits until they are on the disk.

        Raises:
            NotKeptError: none of them is kept.
        """
        with self._lock:
            try:
                self._append(self._file(job), entries)
            except OSError as error:
                raise NotKeptError(_why(error)) from error
            while len(self._files) > _MOST_FILES:
                self._files.popitem(last=False)

    def _file(self, job: str) -> _File:
        known = self._files.get(job)
        if known and known.path.exists():  # it is removed once its time has passed
            self._files.move_to_end(job)
            return known
        path = self._folder / file_name(job, self._worker, secrets.token_hex(4))
        line = Header(job, self._worker, self._cipher.id).line()
        handle = os.open(path, _NEW, 0o600)
        try:
            _write(handle, line)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self._sync_folder()
        self._files[job] = found = _File(path, line, len(line))
        return found

    def _append(self, file: _File, entries: Sequence[Entry]) -> None:
        sealed = [
            framed(self._cipher.seal(encoded(entry), authenticated(file.line, file.entries + at)))
            for at, entry in enumerate(entries)
        ]
        text = b"".join(sealed)
        handle = os.open(file.path, _APPEND)
        try:
            _check_size(handle, file.size)
            _write(handle, text)
        except OSError:  # what was written of it is cut off, and the next entries go into a new file
            self._files = OrderedDict((job, one) for job, one in self._files.items() if one is not file)
            with contextlib.suppress(OSError):
                os.ftruncate(handle, file.size)
            raise
        finally:
            os.close(handle)
        file.size += len(text)
        file.entries += len(entries)

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def trim(folder: Path, before_s: float) -> int:
    """Removes the files of snapshots that nobody has written to since then (Unix seconds); returns how many.

    Raises:
        OSError: the folder cannot be read, or a file cannot be removed.
    """
    removed = 0
    with os.scandir(folder) as found:
        for one in found:
            if job_of(one.name) and one.is_file(follow_symlinks=False) and one.stat().st_mtime < before_s:
                with contextlib.suppress(FileNotFoundError):  # another worker has removed it
                    Path(one.path).unlink()
                    removed += 1
    return removed


def _check_size(handle: int, size: int) -> None:
    if os.fstat(handle).st_size != size:
        raise OSError("another program has written into the file")


def _write(handle: int, text: bytes) -> None:
    """Writes the whole text, and waits until it is on the disk."""
    left = memoryview(text)
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def _why(error: OSError) -> str:
    return f"{DIR_SETTING}: {error.strerror or error.args[0] if error.args else type(error).__name__}"
