"""A lock over processes: one at a time brings the index of references up to date."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cancellist.jobs.errors import ReferenceIndexError

_LOOK_EVERY_S: Final = 0.02
_SAY_AFTER_S: Final = 1.0
_PRIVATE: Final = 0o600


@asynccontextmanager
async def locked(path: Path, on_wait: Callable[[str], None] | None = None) -> AsyncIterator[None]:
    """Holds the lock of a file for a block. The system frees it where its process dies."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        raise ReferenceIndexError(
            f"the index of references {path} cannot be locked: {error.strerror}",
            hint="see that its disk has room and may be written",
        ) from error
    try:
        waited_s = 0.0
        while not _taken(lock):
            await asyncio.sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S
            if on_wait and waited_s - _LOOK_EVERY_S < _SAY_AFTER_S <= waited_s:
                on_wait("waiting for another process that brings the index of references up to date")
        yield
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
