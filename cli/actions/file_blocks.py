"""Reads files in threads: opening or reading a pipe may block, and must not block the event loop."""

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
    """A file to read: a path, or `-` for standard input.

    Attributes:
        name: what messages call it.
        size: its size in bytes; None if it is not a plain file.

    Raises:
        InputError: the file does not exist, or is a folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = "standard input" if path == STDIN else shown(path)
        self.size: int | None = None
        try:
            about = self._about()
        except FileNotFoundError:
            raise InputError(f"there is no file '{self.name}': give a file's name, or - for standard input") from None
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        if stat.S_ISREG(about.st_mode):
            self.size = about.st_size

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yields the content in blocks of at most `BLOCK_BYTES`.

        Raises:
            InputError: the file cannot be read.
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
    """Runs a call that may block for ever in a daemon thread. If this is cancelled, the thread is abandoned."""
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
