"""A platform in the test's own event loop, with a behaviour for each reference.

Tests use it if the same reference must fail repeatedly, or with a certain text.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import cast

from aiohttp import web

from tests.support.servers import running
from tests.support.stage import LEASE_S, Platform, Stage


class Cancelling(Enum):
    """The effect of cancelling a reference."""

    ACTS = "it is cancelled"
    FAILS = "any call that names it is answered with 500"
    CUTS = "the connection of any call that names it is cut"
    REFUSES = "it is refused in the given words"
    ACTS_LATE = "the first call that names it is answered with 504, and acts later; until then it is refused"


@dataclass(frozen=True, slots=True)
class Part:
    """The behaviour of a reference.

    Attributes:
        cancelling: the effect of cancelling it.
        words: the text of its refusals.
        state: its state while it is not cancelled.
        unreadable: whether reading its state is answered with 500.
    """

    cancelling: Cancelling = Cancelling.ACTS
    words: str = "It cannot be cancelled."
    state: str = "Allocated"
    unreadable: bool = False


@dataclass
class Puppet:
    """The platform.

    Attributes:
        parts: the behaviour of references that are not simply cancelled.
        longest: most references in a list. A longer list gets a proxy's 413 page.
        heaviest: most bytes of a list, likewise.
        takes_s: seconds that a list takes.
        late_s: seconds after its 504 at which a call takes effect.
        down: whether every call gets an empty 200 and has no effect, as from a proxy in maintenance.
        calls: number of calls by endpoint (`list`, `cancel`, `status`), and of lists that were `too long`.
        named: number of cancelling calls by reference.
        cancelled: the cancelled references.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    longest: int = 100
    heaviest: int = 100_000
    takes_s: float = 0.0
    late_s: float = 0.6
    down: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    cancelled: set[str] = field(default_factory=set)
    url: str = ""
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, references: Iterable[str], part: Part) -> None:
        """Sets the behaviour of references."""
        self.parts |= dict.fromkeys(references, part)

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        """Listens on a loopback port for a block."""
        app = web.Application()
        app.router.add_put("/consignments/cancellist", self._list)
        app.router.add_put("/consignments/{reference}/cancel", self._one)
        app.router.add_get("/consignments/{reference}/status", self._status)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield
        finally:
            for task in self._late:
                task.cancel()
            await asyncio.gather(*self._late, return_exceptions=True)
            await runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        self.calls["list"] += 1
        if self.down:
            return web.Response()
        body = await request.read()
        references = json.loads(body)
        if len(references) > self.longest or len(body) > self.heaviest:
            self.calls["too long"] += 1
            return _page(413, "Request Entity Too Large")
        await asyncio.sleep(self.takes_s)
        whole = self._whole(request, references)
        return whole or web.json_response([self._item(reference) for reference in references])

    async def _one(self, request: web.Request) -> web.Response:
        self.calls["cancel"] += 1
        if self.down:
            return web.Response()
        reference = request.match_info["reference"]
        whole = self._whole(request, [reference])
        if whole:
            return whole
        item = self._item(reference)
        return web.Response() if item["IsSuccess"] else _error(400, str(item["Message"]))

    async def _status(self, request: web.Request) -> web.Response:
        self.calls["status"] += 1
        if self.down:
            return web.Response()
        reference = request.match_info["reference"]
        part = self._part(reference)
        if part.unreadable:
            return _error(500, "boom")
        state = "Cancelled" if reference in self.cancelled else part.state
        return web.json_response({"ConsignmentReferenceForAllLegsAssignedByMpd": reference, "Status": state})

    def _part(self, reference: str) -> Part:
        return self.parts.get(reference, Part())

    def _whole(self, request: web.Request, references: list[str]) -> web.Response | None:
        """Returns the answer to a call that fails as a whole; None if each reference has its own."""
        first = [r for r in references if self._part(r).cancelling is Cancelling.ACTS_LATE and not self.named[r]]
        self.named.update(references)
        if any(self._part(r).cancelling is Cancelling.CUTS for r in references) and request.transport:
            request.transport.abort()
        if any(self._part(r).cancelling is Cancelling.FAILS for r in references):
            return _error(500, "boom")
        if first:
            acting = asyncio.create_task(self._act_late(first))
            self._late.add(acting)
            acting.add_done_callback(self._late.discard)
            return _page(504, "Gateway Time-out")
        return None

    async def _act_late(self, references: list[str]) -> None:
        await asyncio.sleep(self.late_s)
        self.cancelled.update(references)

    def _item(self, reference: str) -> dict[str, object]:
        part, done = self._part(reference), "Consignment cancellation completed successfully"
        if reference in self.cancelled:
            return _item(reference, f"{reference} has been cancelled already", success=False)
        if part.cancelling is Cancelling.ACTS:
            self.cancelled.add(reference)
            return _item(reference, done, success=True)
        return _item(reference, part.words, success=False)


def _item(reference: str, message: str, *, success: bool) -> dict[str, object]:
    return {"IsSuccess": success, "Message": message, "Data": reference, "ApiLinks": None}


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"Code": "x", "Message": message, "CorrelationId": "c", "Details": []}, status=status)


def _page(status: int, title: str) -> web.Response:
    """Returns the answer of a proxy before the platform."""
    return web.Response(status=status, text=f"<html><h1>{status} {title}</h1></html>", content_type="text/html")


def references(count: int, letter: str = "A") -> list[str]:
    """Returns references that begin with a letter of their own."""
    digits = [f"{n:08d}" for n in range(count)]
    return [f"EC-{letter}{d[:2]}-{d[2:5]}-{d[5:]}" for d in digits]


@contextlib.asynccontextmanager
async def staged(folder: Path, puppet: Puppet) -> AsyncIterator[Stage]:
    """Opens a stage whose platform is the puppet."""
    settings = {
        "max_concurrent_calls": "8", "lease_seconds": str(LEASE_S), "call_timeout": "5", "retry_base": "0.05",
        "retry_cap": "0.5",
    }  # fmt: skip
    async with puppet.playing():
        with running("valkey", folder) as server, Stage(server, cast("Platform", puppet), folder, settings) as stage:
            yield stage
