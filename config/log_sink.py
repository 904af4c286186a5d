"""Where log lines go: a stream to a file descriptor that neither fails nor waits.

A log reader may have gone, may have stopped to read, and a disk may be full: none of it may stop the work. Lines are
queued and written by a thread of their own; what finds the queue full, or cannot be written, is lost, and counted: as
soon as writing works again, a line says how many were lost.
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


class Sink(io.TextIOBase):
    """A text stream for standard error that takes what is written at once, and loses it rather than to wait or fail.

    Args:
        fd: where lines go; None where there is nowhere.
        lost: the line that says how many lines were lost.
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
        """How text is written."""
        return "utf-8"

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether somebody looks."""
        return self._fd is not None and os.isatty(self._fd)

    def fileno(self) -> int:
        """The descriptor that lines go to.

        Raises:
            OSError: there is none.
        """
        if self._fd is None:
            raise io.UnsupportedOperation("fileno")
        return self._fd

    def write(self, text: str) -> int:
        """Takes a text, and hands on what lines are whole; never waits for whoever reads them."""
        if self._fd is not None:
            with self._changed:
                whole, line_end, self._begun = (self._begun + text).rpartition("\n")
                if line_end:
                    self._queue(whole + line_end)
        return len(text)

    def drain(self) -> None:
        """Waits until all is written, but not for longer than a second: whoever reads may have stopped to."""
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
        """Stays open: what is said last is said when all else is closed."""

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
            except RuntimeError:  # there is no room for a thread: what is said is lost, and the work goes on
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
        """Writes a text; False where nothing of it was written, None where a part was."""
        data = memoryview(text.encode(errors="backslashreplace"))
        begun = False
        while data:
            try:
                count = os.write(self._fd or 0, data)
            except BlockingIOError:  # somebody else has made the descriptor so
                with contextlib.suppress(OSError, ValueError):
                    select.select([], [self._fd or 0], [], 1.0)
            except OSError:
                return None if begun else False
            else:
                begun = True
                data = data[count:]
        return True
