"""Asks for confirmation before an act that cannot be undone.

On a terminal the question is shown, and only y or yes confirms. Otherwise the answer is the first line of standard
input. Where there is none, as in a script, nothing is done: the script has to say `--yes`. If a pipe sends
nothing within `SILENCE_S`, nothing is done either.
"""

import contextlib
import os
import select
import sys
import time
from pathlib import Path
from typing import Final

from cancellist.cli.error_report import UnansweredError
from cancellist.cli.terminal import is_terminal
from cancellist.jobs.escaping import plain

SILENCE_S: Final = 3.0
"""How long to wait for an answer that comes from no terminal."""
_STDIN: Final = 0
_LONGEST: Final = 100
"""Most bytes of an answer."""
_YES: Final = frozenset({"y", "yes"})
_NO: Final = frozenset({"", "n", "no"})


def agreed(question: str, *, above: str = "") -> bool:
    """Returns whether the act is confirmed. Lines `above` the question are written as they are.

    Raises:
        UnansweredError: the answer is neither yes nor no, or there is none.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return _asked(question, above)
    line = _given()
    if line is None:
        raise UnansweredError("nothing was done: this asks first, and there is no terminal to ask on")
    answer = line.strip().lower()
    if answer not in _YES | _NO:
        raise UnansweredError("nothing was done: the first line of standard input is neither y nor n")
    return answer in _YES


def typed(question: str, *, above: str = "") -> str | None:
    """Returns what is typed on the terminal as an answer; None where there is no terminal to ask on."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return _answer(f"{question}: ", above)


def _asked(question: str, above: str) -> bool:
    return _answer(f"{question} [y/N]: ", above).lower() in _YES


def _answer(prompt: str, above: str = "") -> str:
    """Asks on the terminal, even if standard error is redirected."""
    with contextlib.ExitStack() as stack:
        shown = sys.stderr
        if not is_terminal(err=True):
            try:
                shown = stack.enter_context(Path("/dev/tty").open("w", encoding="utf-8", errors="backslashreplace"))
            except OSError:
                raise UnansweredError("nothing was done: there is no terminal to show the question on") from None
        shown.write(above + plain(prompt))
        shown.flush()
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            shown.write("\n")
    return answer.strip()


def _given() -> str | None:
    """Returns the first line of standard input; None if it is closed or empty.

    It is read byte by byte, so that later lines stay for other readers, such as a shell loop.
    """
    line, until = b"", time.monotonic() + SILENCE_S
    poll = select.poll()
    poll.register(_STDIN, select.POLLIN)
    while not line.endswith(b"\n") and len(line) < _LONGEST:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise UnansweredError("nothing was done: no answer came on standard input")
        try:
            byte = os.read(_STDIN, 1)
        except BlockingIOError:
            continue
        except OSError:  # closed
            return line.decode(errors="replace") or None
        if not byte:
            break
        line += byte
    return line.decode(errors="replace") if line else None
