"""A sandbox on a port: inside an event loop (`running`), or as a process until it is told to stop (`serve`)."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from cancellist.sandbox.options import SandboxOptions, Settings
from cancellist.sandbox.simulation import Simulation
from cancellist.sandbox.wire import Wire

_LARGEST_BODY: Final = 1 << 30
_BACKLOG: Final = 1024
_STOP_S: Final = 1.0
"""How long calls under way may still take when the sandbox stops."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that listens; `url` has no slash at its end."""

    url: str
    host: str
    port: int
    simulation: Simulation

    @property
    def settings(self) -> Settings:
        """The settings that hold now."""
        return self.simulation.settings

    def change(self, **changes: object) -> None:
        """Changes settings by name from the next call on.

        Raises:
            ValidationError: a name is unknown or fixed at the start, or a value does not fit.
        """
        self.simulation.change(changes)

    def reference(self, index: int) -> str:
        """Returns the reference of the consignment at an index."""
        return self.simulation.world.reference(index)

    def references(self, count: int) -> list[str]:
        """Returns the references of the first consignments, in order of their index."""
        return [self.reference(index) for index in range(count)]

    def record(self, references: Sequence[str]) -> list[dict[str, object]]:
        """Returns what really happened to these references, as `POST /sandbox/record` does."""
        return [self.simulation.world.row(reference) for reference in references]

    def stats(self) -> dict[str, object]:
        """Returns what callers did, as `GET /sandbox/stats` does."""
        return self.simulation.traffic.stats()


@asynccontextmanager
async def running(options: SandboxOptions | None = None) -> AsyncIterator[Sandbox]:
    """Runs a sandbox for as long as the context is open.

    Raises:
        OSError: it cannot listen there.
    """
    options = options or SandboxOptions()
    simulation = Simulation(options, time.time())
    wire = Wire(simulation)
    make_request = partial(web.BaseRequest, loop=asyncio.get_running_loop(), client_max_size=_LARGEST_BODY)
    # A caller that leaves cancels its handler: a call that hangs must stop counting as in flight.
    server = web.Server(wire.handle, request_factory=make_request, handler_cancellation=True, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port, backlog=_BACKLOG).start()
        port = int(runner.addresses[0][1])
        yield Sandbox(_url(options.host, port), options.host, port, simulation)
    finally:
        wire.release()
        await runner.cleanup()


async def serve(options: SandboxOptions, announce: Callable[[Sandbox], None]) -> None:
    """Runs a sandbox until SIGINT or SIGTERM, and announces it once it listens.

    Raises:
        OSError: it cannot listen there.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(options) as sandbox:
        announce(sandbox)
        await stop.wait()


def _url(host: str, port: int) -> str:
    """Returns where callers on this machine find it."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
