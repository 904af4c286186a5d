"""What a process does before it does anything else: it hears SIGTERM, and keeps the standard descriptors.

A command also puts off looking for garbage: what its imports make stays to its end.

Light on purpose: nothing but the standard library, so that it comes before the slow imports.
"""

import contextlib
import gc
import os
import signal
from types import FrameType

_BY_SIGNAL = 128
_STANDARD_ERROR = 2
_OBJECTS_OF_A_START = 500_000
"""More than the imports of any command make."""
_USUAL = gc.get_threshold()


def hear_the_end() -> None:
    """Ends at once by SIGTERM, as long as nobody has set another handler: nothing is done yet that must be undone.

    The kernel does the same by itself, but for the first process of a container: that ignores signals that it has no
    handler for.
    """
    with contextlib.suppress(ValueError):  # not in the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _end)


def keep_descriptors() -> None:
    """Opens standard descriptors that are closed, to nowhere: else a connection gets the number, and log lines."""
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > _STANDARD_ERROR:
            os.close(number)
            return


def put_off_collecting() -> None:
    """Looks for no garbage while the imports run, which takes a tenth of a short command's time and finds none."""
    gc.set_threshold(_OBJECTS_OF_A_START, *_USUAL[1:])


def collect_as_usual() -> None:
    """Looks for garbage again, once all is imported."""
    gc.set_threshold(*_USUAL)


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(_BY_SIGNAL + number)
