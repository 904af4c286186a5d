"""The last word on a worker's end: it comes in time, whatever the event loop, the server or a thread waits for."""

import os
import sys
import threading
from time import monotonic, sleep

from cancellist.config.log_sink import Sink


class Deadline:
    """Ends this process when its time has come; a thread of its own looks at the clock."""

    def __init__(self) -> None:
        self._at = 0.0
        self._thread: threading.Thread | None = None

    def within(self, seconds: float) -> None:
        """The process ends within so many seconds from now, unless this is said again, or it ends by itself."""
        self._at = monotonic() + seconds
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while (left_s := self._at - monotonic()) > 0:
            sleep(left_s)
        # What is held passes with its lease and is taken over: as after a crash, nothing is lost or guessed.
        sys.stderr.write("cancellist: the worker ends without the server's answer; what it held is taken over\n")
        if isinstance(sys.stderr, Sink):
            sys.stderr.drain()
        os._exit(0)
