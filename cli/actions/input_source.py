"""Where files are read from, without holding up the event loop: neither to open a pipe nor to read it waits for it."""

import asyncio
import errno
import os
import stat
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Final, TypeVar

from cancellist.cli.terminal import say
from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown

T = TypeVar("T")

STDIN: Final = "-"
BLOCK_BYTES: Final = 256 * 1024


class Source:
    """A file that is to be read: a path, or `-` for standard input.

    Attributes:
        name: what it is called where something is said of it.
        size: bytes, where it can be known.

    Raises:
        InputError: there is no such file, or it is a folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = "standard input" if path == STDIN else shown(path)
        self.size: int | None = None
        try:
            about = self._about()
        except FileNotFoundError:
            raise InputError(
                f"there is no file '{self.name}'; a file's name is wanted, or - for standard input"
            ) from None
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        if stat.S_ISREG(about.st_mode):
            self.size = about.st_size

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Reads it, in threads which do not keep the process from ending while they wait for a pipe.

        Raises:
            InputError: it cannot be read.
        """
        try:
            own = self._path != STDIN
            descriptor = await _aside(lambda: os.open(self._path, os.O_RDONLY)) if own else sys.stdin.fileno()
            try:
                if os.isatty(descriptor):
                    say("reading references from the terminal, one a line; end with Ctrl-D")
                while block := await _aside(lambda: os.read(descriptor, BLOCK_BYTES)):
                    yield block
            finally:
                if own:
                    os.close(descriptor)
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error

    def _about(self) -> os.stat_result:
        if self._path == STDIN and sys.stdin is None:  # as `<&-` leaves it
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        about = os.fstat(sys.stdin.fileno()) if self._path == STDIN else os.stat(self._path)  # noqa: PTH116 - of `-` too
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return about

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(f"{self.name} cannot be read: {getattr(error, 'strerror', None) or error}")


async def _aside(work: Callable[[], T]) -> T:
    """Does what may wait for ever in a thread of its own, which nobody waits for once this is cancelled."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def hand_over(answer: Callable[[], None]) -> None:
        if not future.done():
            answer()

    def run() -> None:
        try:
            found = work()
        except (OSError, ValueError) as error:
            failed = error
            answer: Callable[[], None] = lambda: future.set_exception(failed)  # noqa: E731 - one of two
        else:
            answer = lambda: future.set_result(found)  # noqa: E731 - as above
        if not loop.is_closed():
            loop.call_soon_threadsafe(hand_over, answer)

    threading.Thread(target=run, daemon=True).start()
    return await future
