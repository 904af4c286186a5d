"""Ports for servers that are told where to listen.

A port that the system gives away is free again until the server listens there, and meanwhile anybody's connection may
be given it. So these lie below what the system gives away, and no other process of tests gets one of them.
"""

import errno
import random
import socket

_PORTS = range(11_000, 26_000)
_CHANCE = random.SystemRandom()  # the seed of a run is the same in all of its processes


def free_port() -> int:
    """A port at which nothing listens; no other process of tests gets it while this one lives."""
    while True:
        port = _CHANCE.choice(_PORTS)
        if _taken(port) and not _listens(port):
            return port


def _taken(port: int) -> bool:
    """Takes a name that says that this process has the port; False where another has taken it."""
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0cancellist-tests-port-{port}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        name.detach()  # it stays open until the process ends
    return True


def _listens(port: int) -> bool:
    """Whether something has the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
