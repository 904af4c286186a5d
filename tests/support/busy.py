"""A port whose backlog is full, so that connecting to it takes a second or more."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

_SYN_SENT = "02"
_TABLE = Path("/proc/net/tcp")

told_who_waits = pytest.mark.skipif(not _TABLE.exists(), reason="the system does not tell who waits")


@contextlib.contextmanager
def a_full_queue() -> Iterator[tuple[socket.socket, set[int]]]:
    """Opens a port with a full backlog, and returns it with the ports of the connections that fill it."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        full.setblocking(False)
        queued = [stack.enter_context(socket.socket()) for _ in range(3)]  # more than the backlog holds
        for one in queued:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield full, {one.getsockname()[1] for one in queued}


def waiting_at(port: int) -> int:
    """Returns how many connections to the port are still pending, as the system reports it."""
    rows = [row.split() for row in _TABLE.read_text(encoding="ascii").splitlines()]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == _SYN_SENT for row in rows)


async def next_but(others: set[int], full: socket.socket) -> socket.socket:
    """Accepts the next connection that is not one of those that fill the backlog."""
    while True:
        connection, (_, peer) = await asyncio.get_running_loop().sock_accept(full)
        if peer not in others:
            return connection
        connection.close()
