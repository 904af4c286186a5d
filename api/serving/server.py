"""The server of the HTTP API: listens, and ends gracefully."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import uvicorn

from cancellist.api import reference_follower
from cancellist.api.app import create_app
from cancellist.api.context import Context
from cancellist.api.serving.connections import Connection, connections_within
from cancellist.api.serving.handshakes import Handshakes

GRACE_S: Final = 10
"""Seconds that requests have to end, once the process is told to."""
LAST_S: Final = 5
"""Seconds that requests have beyond that to take back what they have begun."""
_QUEUE: Final = 1024
_IDLE_S: Final = 30
_SCHEMES: Final = {False: "http", True: "https"}


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the API listens, and the files of its certificate and key where it speaks TLS itself."""

    host: str
    port: int
    certificate: str | None = None
    key: str | None = None


class ApiServer(uvicorn.Server):
    """uvicorn without its signal handlers: whoever runs it hears them, and calls `end`."""

    def __init__(self, context: Context, listening: Listening) -> None:
        self._context = context
        self._listening = listening
        self._connections = connections_within(context.options.limits)
        self._handshakes: Handshakes | None = None
        super().__init__(
            uvicorn.Config(
                create_app(context),
                http=self._connections,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_QUEUE,
                timeout_keep_alive=_IDLE_S,
                timeout_graceful_shutdown=GRACE_S,
                ssl_certfile=listening.certificate,
                ssl_keyfile=listening.key,
            )
        )

        # what goes wrong in a request is logged by the application itself (api/serving/middleware.py)
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield

    def end(self) -> None:
        """Ends once requests have ended, or at once where it is asked again."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._context.stopping.set()

    async def run_until_ended(self, announce: Callable[[str], None]) -> None:
        """Listens until `end` is called.

        Args:
            announce: given the address, once it listens.

        Raises:
            OSError: the address cannot be had, or a file of TLS not be read.
        """
        bound = _bound(self._listening)
        with bound:
            self.config.load()
            host, port = bound.getsockname()[:2]
            shown = f"[{host}]" if bound.family == socket.AF_INET6 else host
            announce(f"{_SCHEMES[self.config.is_ssl]}://{shown}:{port}{self._context.options.proxies.prefix}")
            beside = [
                asyncio.create_task(self._context.keep_reviving()),
                asyncio.create_task(reference_follower.follow(self._context.references), name="reference index"),
            ]
            try:
                if self.config.ssl:
                    self._handshakes = Handshakes(bound, self.config.ssl, self._connection)
                await self.serve([] if self._handshakes else [bound])
                await self._end_requests()
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.wait(beside)
                await self._context.receipts.close()
                await self._context.references.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more connections, and lets those end that there are."""
        if self._handshakes:
            await self._handshakes.end()
        await super().shutdown(sockets)

    def _connection(self) -> Connection:
        return self._connections(self.config, self.server_state, {})

    async def _end_requests(self) -> None:
        """Ends what requests there still are, while what they stand on is open: each takes back what it has begun."""
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_S)


def _bound(listening: Listening) -> socket.socket:
    found = socket.getaddrinfo(listening.host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_QUEUE)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound
