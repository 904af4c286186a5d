"""The first steps of a worker's process: it handles SIGTERM, and keeps the standard descriptors open.

It imports only the standard library, so that it can run before the slow imports.
"""

import contextlib
import os
import signal
from types import FrameType

_BY_SIGNAL = 128
_STANDARD_ERROR = 2


def hear_the_end() -> None:
    """Ends the process at once on SIGTERM, until another handler is set: there is nothing to undo yet.

    The kernel does the same, except for the first process of a container, which ignores signals without a handler.
    """
    with contextlib.suppress(ValueError):  # raised outside of the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _end)


def keep_descriptors() -> None:
    """Opens closed standard descriptors on the null device. Else a connection may get one, and log lines with it."""
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > _STANDARD_ERROR:
            os.close(number)
            return


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(_BY_SIGNAL + number)
