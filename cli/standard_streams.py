"""The standard streams, made safe: a shell may have closed them, or a reader may be slow or gone.

- A closed stream becomes `/dev/null` at once, so that no file or connection gets its number.
- Standard output raises `OutputError` if it cannot be written, and `ReaderGoneError` if its reader has gone.
- Standard error never raises: a message that cannot be written must not stop the work.
- The first signal ends a write that waits for its reader.
"""

import io
import os
import select
import stat
import sys
from typing import TYPE_CHECKING, Final, TextIO

from cancellist.jobs.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDIN, STDOUT, STDERR = 0, 1, 2
AT_ONCE: Final = select.PIPE_BUF
"""Bytes that a pipe takes at once, without blocking, if it has room for any."""
_LOOK_EVERY_S: Final = 0.1
_STANDARD_ERROR_WAITS_S: Final = 2.0
"""How long a write waits for the reader of standard error. After that the message is dropped."""


class ReaderGoneError(Exception):
    """The reader of standard output has closed the pipe, as `head` does. The command ends quietly."""


class Interruption:
    """Whether a signal has asked the command to end. Writes that wait for a reader check it."""

    def __init__(self) -> None:
        self.asked = False


INTERRUPTION: Final = Interruption()


class StandardOutput(io.FileIO):
    """Standard output, whose errors have types of their own."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes part of the data and returns the number of bytes written.

        Raises:
            ReaderGoneError: the reader has closed the pipe.
            OutputError: it cannot be written.
            KeyboardInterrupt: a signal came while the write waited for the reader.
        """
        whole = memoryview(data)
        while True:
            part = whole[:AT_ONCE] if self._awaits_reader() else whole
            try:
                written = super().write(part)
            except BrokenPipeError:
                raise ReaderGoneError from None
            except OSError as error:
                raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error
            if written is not None:  # None: a non-blocking descriptor has no room now
                return written

    def _awaits_reader(self) -> bool:
        """Waits until there is room; returns whether the stream can block again (it is not a plain file)."""
        if stat.S_ISREG(os.fstat(self.fileno()).st_mode):
            return False
        while not has_room(self.fileno(), _LOOK_EVERY_S):
            if INTERRUPTION.asked:
                raise KeyboardInterrupt
        return True


class StandardError(io.FileIO):
    """Standard error. Messages that it does not take are dropped without an error."""

    _patience_s = _STANDARD_ERROR_WAITS_S

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes part of the data, or drops it all."""
        whole = memoryview(data)
        try:
            if stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                return super().write(whole)
            if not has_room(self.fileno(), self._patience_s):
                self._patience_s = 0.0  # wait only once
                return whole.nbytes
            written = super().write(whole[:AT_ONCE])
        except OSError:
            return whole.nbytes
        return whole.nbytes if written is None else written


def has_room(descriptor: int, within_s: float) -> bool:
    """Returns whether the descriptor takes data within this time. A pending error counts: the write reports it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(within_s * 1000))


def check_reader() -> None:
    """Looks whether anybody still reads standard output. Whoever waits for something to write would else wait on.

    Raises:
        ReaderGoneError: it is a pipe, and nobody does.
    """
    poll = select.poll()
    poll.register(STDOUT, 0)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        raise ReaderGoneError


def mend() -> None:
    """Replaces the standard streams by safe ones. A command does this first."""
    _fill(STDIN, os.O_WRONLY)  # write-only: reading it is an error, as of a closed stream, not an empty input
    _fill(STDOUT, os.O_RDWR)
    _fill(STDERR, os.O_RDWR)
    sys.stdout = _text(StandardOutput(STDOUT, "wb", closefd=False), sys.stdout)
    sys.stderr = _text(StandardError(STDERR, "wb", closefd=False), sys.stderr, line_buffering=True)


def abandon(descriptor: int = STDOUT) -> None:
    """Redirects a descriptor to `/dev/null`, so that flushing its buffer at exit cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _fill(descriptor: int, flags: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, flags)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _text(raw: io.FileIO, before: TextIO | None, *, line_buffering: bool = False) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",  # a terminal's encoding may lack characters
        line_buffering=line_buffering or raw.isatty(),
    )
