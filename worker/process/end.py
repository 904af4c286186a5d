"""Ends a worker's process in time, even if the event loop, the server or a thread hangs."""

import os
import sys
import threading
from time import monotonic, sleep

from cancellist.config.log_sink import LogSink


class Deadline:
    """Ends this process at a deadline, from a thread of its own."""

    def __init__(self) -> None:
        self._at = 0.0
        self._thread: threading.Thread | None = None

    def within(self, seconds: float) -> None:
        """Sets the deadline, in seconds from now; a later call replaces it."""
        self._at = monotonic() + seconds
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while (left_s := self._at - monotonic()) > 0:
            sleep(left_s)
        # As after a crash, leases pass and claims are taken over: nothing is lost.
        sys.stderr.write("cancellist: the worker ends without the server's answer; what it held is taken over\n")
        if isinstance(sys.stderr, LogSink):
            sys.stderr.drain()
        os._exit(0)
