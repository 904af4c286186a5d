"""Resolves a receiver's name, and refuses addresses that webhooks may not go to.

The connection goes to the addresses that were checked: nobody can answer otherwise in between. Names are looked up in
threads of their own: one that hangs keeps neither the platform's name from being looked up nor the process from ending.
"""

import asyncio
import contextlib
import socket
import threading
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from cancellist.jobs.webhooks.addresses import Allowed, parse_address

_AT_ONCE: Final = 32
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class AddressRefusedError(Exception):
    """A receiver's name leads to an address that is not public, and that WEBHOOK_ALLOW does not name."""


class ThreadResolver(AbstractResolver):
    """Looks names up as the machine does, each in a thread that nobody waits for at the end."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            OSError: the name does not resolve.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def tell(found: list[Any], error: OSError | None) -> None:
            self._free.release()
            if answer.done():  # nobody waits any more
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def look() -> None:
            found, error = [], None
            try:
                found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as raised:
                error = raised if isinstance(raised, OSError) else OSError(0, "no name")
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, found, error)

        await self._free.acquire()
        threading.Thread(target=look, name="webhook name", daemon=True).start()
        return [_result(host, one) for one in await answer]

    async def close(self) -> None:
        """Nothing is open."""


class CheckedResolver(AbstractResolver):
    """Asks another resolver, and gives its answer only where every address of it is allowed."""

    def __init__(self, allowed: Allowed, inner: AbstractResolver) -> None:
        self._allowed = allowed
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            AddressRefusedError: one of them is not allowed.
            OSError: the name does not resolve.
        """
        found = await self._inner.resolve(host, port, family)
        for one in found:
            address = parse_address(one["host"])
            if address is None or not self._allowed.takes(host, address):
                raise AddressRefusedError(f"its name leads to {address}, which is not a public address")
        return found

    async def close(self) -> None:
        """Ends the other resolver."""
        await self._inner.close()


def _result(host: str, found: Any) -> ResolveResult:
    family, _, proto, _, address = found
    return ResolveResult(hostname=host, host=address[0], port=address[1], family=family, proto=proto, flags=_NUMERIC)
