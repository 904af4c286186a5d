"""The first steps of a worker's process: it hears every signal to end, and keeps the standard descriptors open.

A command also puts off the collection of garbage: what its imports make stays to its end.

It imports only the standard library, so that it can run before the slow imports.
"""

import contextlib
import gc
import os
import signal
from collections.abc import Callable
from types import FrameType

_BY_SIGNAL = 128
_STANDARD_ERROR = 2
_OBJECTS_OF_A_START = 500_000
"""More than the imports of any command make."""
_USUAL = gc.get_threshold()


def hear_the_end() -> None:
    """Ends the process at once on SIGTERM, until another handler is set: there is nothing to undo yet.

    The kernel does the same, except for the first process of a container, which ignores signals without a handler.
    """
    with contextlib.suppress(ValueError):  # raised outside of the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _end)


class EarlySignals:
    """Notes the signals that come before an event loop runs, and has the loop handle them once it does.

    Uvloop hears no signal between its `add_signal_handler` and the start of its loop: such a signal is lost.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Callable[[signal.Signals], None]] = {}
        self._noted: list[signal.Signals] = []

    def note(self, number: signal.Signals, handler: Callable[[signal.Signals], None]) -> None:
        """Notes a signal from now on, for `handler`."""
        self._handlers[number] = handler
        signal.signal(number, lambda *_: self._noted.append(number))

    def hand_over(self, add: Callable[[signal.Signals, Callable[[signal.Signals], None]], None]) -> None:
        """Has a running loop hear the signals by `add`, then handles those that were noted."""
        for number, handler in self._handlers.items():
            add(number, handler)
        for number in self._noted:
            self._handlers[number](number)


def keep_descriptors() -> None:
    """Opens closed standard descriptors on the null device. Else a connection may get one, and log lines with it."""
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
