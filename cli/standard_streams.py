"""The standard streams, whatever a shell has made of them: closed, full, slow, or a pipe whose reader has gone.

- One that is closed is `/dev/null` from the first instant on, so that no file or connection ever takes its number.
- Standard output tells an error of its own where it cannot be written, and another where its reader has left.
- Standard error never raises: what cannot be told must not stop what is done.
- A write that waits for its reader ends with the first signal.
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
"""Bytes that a pipe takes as a whole, without waiting, once it takes any."""
_LOOK_EVERY_S: Final = 0.1
_STANDARD_ERROR_WAITS_S: Final = 2.0
"""For so long who reads standard error may keep us waiting; then what is said is lost."""


class ReaderGoneError(Exception):
    """Whoever read standard output has left, as `head` does; there is nothing more to do."""


class Interruption:
    """Whether a signal has asked for the end: what waits for a reader looks here."""

    def __init__(self) -> None:
        self.asked = False


INTERRUPTION: Final = Interruption()


class StandardOutput(io.FileIO):
    """Standard output: its errors are told apart from all others."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes some of it.

        Raises:
            ReaderGoneError: nobody reads it any more.
            OutputError: it cannot be written.
            KeyboardInterrupt: a signal came while its reader kept us waiting.
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
            if written is not None:  # None: it does not block, and takes nothing now
                return written

    def _awaits_reader(self) -> bool:
        """Waits until something can be written; answers whether it is of the kind that may have to wait again."""
        if stat.S_ISREG(os.fstat(self.fileno()).st_mode):
            return False
        while not has_room(self.fileno(), _LOOK_EVERY_S):
            if INTERRUPTION.asked:
                raise KeyboardInterrupt
        return True


class StandardError(io.FileIO):
    """Standard error: what it does not take is lost, and nothing else is."""

    _patience_s = _STANDARD_ERROR_WAITS_S

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes some of it, or loses all of it."""
        whole = memoryview(data)
        try:
            if stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                return super().write(whole)
            if not has_room(self.fileno(), self._patience_s):
                self._patience_s = 0.0  # it has been waited for
                return whole.nbytes
            written = super().write(whole[:AT_ONCE])
        except OSError:
            return whole.nbytes
        return whole.nbytes if written is None else written


def has_room(descriptor: int, within_s: float) -> bool:
    """Whether something can be written within this time; an error that waits counts, since writing tells it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(within_s * 1000))


def mend() -> None:
    """Makes the standard streams fit to be used; the first thing that a command does."""
    _fill(STDIN, os.O_WRONLY)  # who reads it is told that it is closed, not that it is empty
    _fill(STDOUT, os.O_RDWR)
    _fill(STDERR, os.O_RDWR)
    sys.stdout = _text(StandardOutput(STDOUT, "wb", closefd=False), sys.stdout)
    sys.stderr = _text(StandardError(STDERR, "wb", closefd=False), sys.stderr, line_buffering=True)


def abandon(descriptor: int = STDOUT) -> None:
    """Writes to nowhere from now on, also what is still buffered: it must not be an error at the exit."""
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
        errors="backslashreplace",  # a terminal may know few characters
        line_buffering=line_buffering or raw.isatty(),
    )
