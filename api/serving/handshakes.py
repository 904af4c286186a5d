"""Handshakes of TLS: a connection is counted from its beginning, and gives way until its handshake has ended."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from cancellist.api.serving.connections import HEAD_S, Connection
from cancellist.api.serving.places import SURPLUS

_PAUSE_S: Final = 0.5
"""Seconds until the next connection is taken where the system could give none, since it has no room for one."""


class Handshakes:
    """Takes connections, and hands on those that have come to speak TLS.

    The event loop's own way tells of a connection only once its handshake has ended: till then nobody counts it.

    Args:
        bound: where they come in; it is closed at the end.
        tls: what they are to speak.
        make: makes what a connection is handed to.
    """

    def __init__(self, bound: socket.socket, tls: ssl.SSLContext, make: Callable[[], Connection]) -> None:
        self._bound = bound
        self._tls = tls
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._taking = self._loop.create_task(self._take(), name="handshakes")

    async def end(self) -> None:
        """Takes no more connections, and drops those that are not handed on."""
        tasks = [self._taking, *self._under_way]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._bound.close()

    async def _take(self) -> None:
        while True:
            try:
                client, _ = await self._loop.sock_accept(self._bound)
            except OSError:
                await asyncio.sleep(_PAUSE_S)
            else:
                self._begin(client)

    def _begin(self, client: socket.socket) -> None:
        connection = self._make()
        places = connection.places
        if len(self._under_way) + len(connection.connections) >= places.most + SURPLUS:
            client.close()
            return
        handshake: Coroutine[Any, Any, Any] = self._loop.connect_accepted_socket(
            lambda: connection, client, ssl=self._tls, ssl_handshake_timeout=HEAD_S
        )
        task = self._loop.create_task(handshake)
        self._under_way.add(task)
        task.add_done_callback(partial(self._ended, connection, client))
        if places.take(connection):
            places.yields(connection, task.cancel)

    def _ended(self, connection: Connection, client: socket.socket, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if task.cancelled() or task.exception():  # it failed, or took too long, or gave way, or the client has gone
            connection.places.leave(connection)
            client.close()
