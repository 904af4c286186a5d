"""A stream for log lines that never blocks and never fails.

A gone or slow log reader or a full disk must not stop the work. A thread writes the lines from a queue. Lines that find
the queue full, or cannot be written, are lost and counted. Once writing works again, a line says how many were lost.
"""

import contextlib
import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

MOST_LINES: Final = 10_000
MOST_CHARACTERS: Final = 4 << 20
_LEAVES_AFTER_S: Final = 1.0
_BATCH: Final = 64 << 10


class LogSink(io.TextIOBase):
    """A text stream that takes text at once, and loses it rather than block or fail.

    Args:
        fd: the file descriptor to write to; None to drop everything.
        lost: returns the line that says how many lines were lost.
    """

    def __init__(self, fd: int | None, lost: Callable[[int], str] | None = None) -> None:
        super().__init__()
        self._fd = fd
        self.lost: Callable[[int], str] = lost or "log lines were lost: {}".format
        self._begun = ""
        self._lines: deque[str] = deque()
        self._characters = 0
        self._missing = 0
        self._changed = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the text."""
        return "utf-8"

    def writable(self) -> bool:
        """Returns True."""
        return True

    def isatty(self) -> bool:
        """Returns whether the descriptor is a terminal."""
        return self._fd is not None and os.isatty(self._fd)

    def fileno(self) -> int:
        """Returns the descriptor.

        Raises:
            OSError: there is none.
        """
        if self._fd is None:
            raise io.UnsupportedOperation("fileno")
        return self._fd

    def write(self, text: str) -> int:
        """Takes text and queues its complete lines. It never blocks."""
        if self._fd is not None:
            with self._changed:
                whole, line_end, self._begun = (self._begun + text).rpartition("\n")
                if line_end:
                    self._queue(whole + line_end)
        return len(text)

    def drain(self) -> None:
        """Waits until all lines are written, for at most a second, since the reader may have stopped reading."""
        deadline = time.monotonic() + _LEAVES_AFTER_S
        with self._changed:
            if self._begun:
                self._queue(self._begun)
                self._begun = ""
            while (self._lines or self._busy) and self._thread:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return
                self._changed.wait(left_s)

    def close(self) -> None:
        """Does nothing: the last lines are logged after everything else is closed."""

    def _queue(self, lines: str) -> None:
        if len(self._lines) >= MOST_LINES or self._characters + len(lines) > MOST_CHARACTERS or not self._started():
            self._missing += 1
            return
        self._lines.append(lines)
        self._characters += len(lines)
        self._changed.notify_all()

    def _started(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread can be started: the lines are lost, and the work goes on
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        broken = False  # a line was cut in the middle
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
                lines = self._take()
                missing, self._missing, self._busy = self._missing, 0, True
            said = "".join(lines) if not missing else f"{self.lost(missing)}\n{''.join(lines)}"
            written = self._write(("\n" if broken else "") + said)
            with self._changed:
                if written:
                    broken = False
                else:
                    self._missing += missing + len(lines)
                    broken = broken or written is None
                self._busy = False
                self._changed.notify_all()

    def _take(self) -> list[str]:
        lines: list[str] = []
        size = 0
        while self._lines and size < _BATCH:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        self._characters -= size
        return lines

    def _write(self, text: str) -> bool | None:
        """Writes a text. Returns True if all was written, False if nothing was, None if a part was."""
        data = memoryview(text.encode(errors="backslashreplace"))
        begun = False
        while data:
            try:
                count = os.write(self._fd or 0, data)
            except BlockingIOError:  # another process may have made the descriptor non-blocking
                with contextlib.suppress(OSError, ValueError):
                    select.select([], [self._fd or 0], [], 1.0)
            except OSError:
                return None if begun else False
            else:
                begun = True
                data = data[count:]
        return True
