"""Says where a process hangs that should have ended: what the system knows of it, its stacks, and the end of its log.

A copy of the warm process (`warm.py`) answers SIGUSR2 with the stacks of its threads and of its event loop's tasks, on
standard error. A process that starts from nothing does not: of it only the system's part and the log are shown.
"""

import asyncio
import contextlib
import faulthandler
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

ASK = signal.SIGUSR2
_TOLD = "these were all stacks"
_TELLS_WITHIN_S = 5.0
_SHOWN, _SHOWN_OF_PIPE = 3_000, 30_000
_STATUS = ("State", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")


class HangingError(subprocess.TimeoutExpired):
    """A process has not ended in time; the text says where it hangs."""

    def __init__(self, pid: int, late: subprocess.TimeoutExpired, read: Callable[[], bytes] = bytes) -> None:
        """Asks the process.

        Args:
            pid: the process.
            late: what was waited for.
            read: reads its standard error, where it is no file.
        """
        super().__init__(late.cmd, late.timeout, late.output, late.stderr)
        self._where = where(pid) + read().decode(errors="replace")[-_SHOWN_OF_PIPE:]

    def __str__(self) -> str:
        """What was waited for, and where it hangs."""
        return f"{super().__str__()}\n{self._where}"


def where(pid: int) -> str:
    """Where a process hangs: its state and signals, its stacks if it can tell them, and the end of its log."""
    log = _log_of(pid)
    status = _status(pid)
    size = log.stat().st_size if log else 0
    lines = [f"{name}: {text}" for name, text in status.items()]
    if not _answers(status):
        return "\n".join([*lines, "it cannot tell its stacks", _text(log)[-_SHOWN:]])
    os.kill(pid, ASK)
    ends = time.monotonic() + _TELLS_WITHIN_S
    while log and _TOLD not in _text(log, size) and time.monotonic() < ends:
        time.sleep(0.05)
    return "\n".join([*lines, _text(log)[-_SHOWN - len(_text(log, size)) :]])


def tell_when_asked() -> None:
    """Has this process, and its copies, write all stacks to standard error on SIGUSR2."""
    signal.signal(ASK, _tell_tasks)
    faulthandler.register(ASK, file=2, all_threads=True, chain=True)


def _tell_tasks(*_: object) -> None:
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        tasks = set()  # no event loop runs in this thread
    lines = [f"\n{task!r}\n" + "\n".join(f"  {line}" for line in _stack(task.get_coro())) for task in tasks]
    os.write(2, "\n".join([*lines, f"{len(tasks)} tasks; {_TOLD}", ""]).encode(errors="replace"))


def _stack(waits: Any) -> Iterator[str]:
    """What a task waits for, from the outside in."""
    while waits is not None:
        frame: FrameType | None = None
        inner = None
        for kind, awaited in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            frame = frame or getattr(waits, f"{kind}_frame", None)
            inner = inner or getattr(waits, f"{kind}_{awaited}", None)
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}" if frame else repr(waits)
        waits = inner


def _log_of(pid: int) -> Path | None:
    """The file behind its standard error; None where that is no file."""
    with contextlib.suppress(OSError):
        log = Path(f"/proc/{pid}/fd/2").readlink()
        return log if log.is_file() else None
    return None


def _text(log: Path | None, after: int = 0) -> str:
    return log.read_bytes()[after:].decode(errors="replace") if log else ""


def _status(pid: int) -> dict[str, str]:
    """What the system knows of a process: its state, and the signals that wait, are blocked, ignored or handled."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        fields = (line.partition(":") for line in lines)
        return {name: text.strip() for name, _, text in fields if name in _STATUS}
    return {}


def _answers(status: dict[str, str]) -> bool:
    """Whether it handles our question, and is not stopped."""
    handled = int(status.get("SigCgt", "0"), 16) >> (ASK - 1) & 1
    return bool(handled) and not status.get("State", "T").startswith(("T", "t", "Z"))
