"""Questions before an act that cannot be undone: who is there is asked, and whatever was answered is kept to.

On a terminal the question is shown, and nothing but a yes is one. Elsewhere the answer may come by a pipe or a file, as
its first line. Where nothing can come, since standard input is closed or ends at once, nobody objects: scripts need not
say more. A pipe that stays silent is not waited for long, and is no yes.
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
"""How long an answer is waited for where no terminal is."""
_STDIN: Final = 0
_LONGEST: Final = 100
"""Bytes of a line that are read: no answer is longer."""
_YES: Final = frozenset({"y", "yes"})
_NO: Final = frozenset({"", "n", "no"})


def agreed(question: str) -> bool:
    """Whether the act may be done: it was answered with yes, or nobody is there to be asked.

    Raises:
        UnansweredError: what came is no answer, or none has come and one still may.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return _asked(question)
    line = _given()
    if line is None:
        return True
    answer = line.strip().lower()
    if answer not in _YES | _NO:
        raise UnansweredError("nothing was done: the first line of standard input is neither y nor n")
    return answer in _YES


def _asked(question: str) -> bool:
    """Asks at the terminal; also where standard error goes elsewhere, so that the question is seen."""
    with contextlib.ExitStack() as stack:
        shown = sys.stderr
        if not is_terminal(err=True):
            try:
                shown = stack.enter_context(Path("/dev/tty").open("w", encoding="utf-8", errors="backslashreplace"))
            except OSError:
                raise UnansweredError("nothing was done: no terminal shows the question") from None
        shown.write(f"{plain(question)} [y/N]: ")
        shown.flush()
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            shown.write("\n")
    return answer.strip().lower() in _YES


def _given() -> str | None:
    """The first line of standard input; None where it is closed, or ends without a byte.

    It is read a byte at a time: the lines after it are another's, as where a loop reads them.
    """
    line, until = b"", time.monotonic() + SILENCE_S
    poll = select.poll()
    poll.register(_STDIN, select.POLLIN)
    while not line.endswith(b"\n") and len(line) < _LONGEST:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise UnansweredError("nothing was done: standard input is open, and no answer has come")
        try:
            byte = os.read(_STDIN, 1)
        except BlockingIOError:
            continue
        except OSError:  # closed: nothing can come from it
            return line.decode(errors="replace") or None
        if not byte:
            break
        line += byte
    return line.decode(errors="replace") if line else None
