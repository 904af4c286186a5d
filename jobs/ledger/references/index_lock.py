"""Who may work on the index of references: one process at a time brings it up to date, and one thread in it."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from cancellist.jobs.errors import IndexBehindError, ReferenceIndexError

_LOOK_EVERY_S: Final = 0.02
_SAY_AFTER_S: Final = 1.0
_PRIVATE: Final = 0o600
T = TypeVar("T")


@asynccontextmanager
async def locked(
    path: Path, on_wait: Callable[[str], None] | None = None, until_s: float | None = None
) -> AsyncIterator[None]:
    """Holds the lock of a file for a block. The system frees it where its process dies.

    Raises:
        IndexBehindError: another process has it, and `until_s` of the loop's clock has come.
    """
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
            check(until_s)
            await asyncio.sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S
            if on_wait and waited_s - _LOOK_EVERY_S < _SAY_AFTER_S <= waited_s:
                on_wait("waiting for another process that brings the index of references up to date")
        yield
    finally:
        os.close(lock)


def check(until_s: float | None) -> None:
    """Gives up where it is later than this by the loop's clock; never for None.

    Raises:
        IndexBehindError: it is.
    """
    if until_s is not None and asyncio.get_running_loop().time() >= until_s:
        raise behind()


def behind() -> IndexBehindError:
    """The file is still being brought up to date."""
    return IndexBehindError("the index of references is still being brought up to date")


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def in_thread(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """Runs work on the file in a thread, and waits for its end even where this is cancelled.

    Else the file would be closed, or another process be let in, while the thread still writes.
    """
    task = asyncio.create_task(asyncio.to_thread(work, *args, **options))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody waits for it any more
        raise
