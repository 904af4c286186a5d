"""Where a command writes its data: standard output, or the target of `--output`.

A plain file gets its name only once it is complete. It keeps the mode and owner of the file it replaces, and a link
stays a link. A pipe or device is opened as it is. `/dev/stdout` and `/dev/fd/N` are the descriptors that they name, so
that `>>` appends. No write blocks the event loop, so signals are always handled.
"""

import asyncio
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from cancellist.cli.standard_streams import AT_ONCE, STDOUT, ReaderGoneError, has_room
from cancellist.cli.terminal import say_now
from cancellist.jobs.errors import OutputError

STANDARD: Final = "-"
_DESCRIPTORS: Final = re.compile(rf"/dev/fd|/proc/(?:self|thread-self|{os.getpid()})(?:/task/[0-9]+)?/fd")
_NAMED: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MOST_LINKS: Final = 40
_LOOK_EVERY_S: Final = 0.05
_SAY_AFTER_S: Final = 1.0
_PRIVATE: Final = 0o600
_USUAL: Final = 0o666
_LONGEST_NAME: Final = 200


class Sink:
    """An open descriptor for writing.

    Attributes:
        name: what error messages call it.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._may_wait = not stat.S_ISREG(os.fstat(descriptor).st_mode)

    async def write(self, data: bytes) -> None:
        """Writes all the data. A slow reader does not block the event loop.

        Raises:
            ReaderGoneError: the reader has closed the pipe.
            OutputError: the data cannot be written.
        """
        rest = memoryview(data)
        while rest:
            if self._may_wait:
                await self._room()
            with told(self.name), suppress(BlockingIOError):
                rest = rest[os.write(self._descriptor, rest[:AT_ONCE] if self._may_wait else rest) :]

    async def _room(self) -> None:
        if has_room(self._descriptor, 0):
            return
        loop, room = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._descriptor, room.set)
        try:
            await room.wait()
        finally:
            loop.remove_writer(self._descriptor)


@contextmanager
def told(name: str) -> Iterator[None]:
    """Translates the errors of writes to `name`.

    Raises:
        ReaderGoneError: the reader has closed the pipe.
        OutputError: any other error.
    """
    try:
        yield
    except BlockingIOError:
        raise
    except BrokenPipeError:
        raise ReaderGoneError from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise OutputError(f"{name} cannot be written: {getattr(error, 'strerror', None) or error}") from error


@asynccontextmanager
async def opened(output: str | None) -> AsyncIterator[Sink]:
    """Opens the target: a name, or standard output for None and `-`.

    Raises:
        OutputError: the target cannot be written. A file that was there is unchanged.
    """
    if output is None or output == STANDARD:
        sys.stdout.flush()
        yield Sink(STDOUT, "standard output")
        return
    with told(output):
        number = _descriptor(output)
        kind = None if number is not None else _kind(output)
    if number is not None:
        sys.stdout.flush()
        async with _closed(output, number):
            yield Sink(number, output)
    elif kind is None or stat.S_ISREG(kind):
        with told(output):
            part = _Part(output)
        try:
            yield Sink(part.descriptor, output)
            with told(output):
                part.finish()
        finally:
            part.discard()
    else:
        with told(output):
            number = await _special(output, kind)
        async with _closed(output, number):
            yield Sink(number, output)


@asynccontextmanager
async def _closed(name: str, descriptor: int) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise
    with told(name):
        os.close(descriptor)


def _descriptor(output: str) -> int | None:
    """Returns a copy of the descriptor that a name such as `/dev/fd/3` stands for, also through links; else None."""
    path = Path(output).absolute()
    for _ in range(_MOST_LINKS):
        if (number := _NAMED.get(str(path))) is not None:
            return os.dup(number)
        folder = os.path.realpath(path.parent)
        if path.name.isdecimal() and path.name.isascii() and _DESCRIPTORS.fullmatch(folder):
            return os.dup(int(path.name))
        if not path.is_symlink():
            return None
        path = Path(os.path.normpath(Path(folder) / path.readlink()))
    return None


def _kind(output: str) -> int | None:
    """Returns the mode of the file; None if it does not exist."""
    try:
        return Path(output).stat().st_mode
    except FileNotFoundError:
        return None


async def _special(output: str, kind: int) -> int:
    """Opens a pipe or device, and waits until a named pipe has a reader."""
    waited_s = 0.0
    while True:
        try:
            return os.open(output, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(kind):
                raise
        if waited_s < _SAY_AFTER_S <= waited_s + _LOOK_EVERY_S:
            say_now(f"waiting for a reader of {output}")
        waited_s += _LOOK_EVERY_S
        await asyncio.sleep(_LOOK_EVERY_S)


class _Part:
    """A temporary file beside the target, which it replaces once it is complete."""

    def __init__(self, output: str) -> None:
        path = self._path = Path(os.path.realpath(output))
        self._before = path.stat() if path.exists() else None
        if self._before and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        shown = path.name if len(os.fsencode(path.name)) <= _LONGEST_NAME else ""
        self._part = path.with_name(f".{shown}.{secrets.token_hex(4)}.part")
        mode = _PRIVATE if self._before else _USUAL
        self.descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    def finish(self) -> None:
        """Flushes the file to disk and gives it the target's name."""
        if self._before:
            self._take_after(self._before)
        os.fsync(self.descriptor)
        self._part.replace(self._path)

    def discard(self) -> None:
        """Closes the file, and removes it if it did not replace the target."""
        os.close(self.descriptor)
        self._part.unlink(missing_ok=True)

    def _take_after(self, before: os.stat_result) -> None:
        for owner, group in ((before.st_uid, before.st_gid), (-1, before.st_gid)):
            try:
                os.fchown(self.descriptor, owner, group)
            except PermissionError:
                continue
            break
        os.fchmod(self.descriptor, stat.S_IMODE(before.st_mode))
