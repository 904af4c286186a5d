"""`/sandbox/...`: settings, and what really happened. No key, latency, fault or limit applies here."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import web
from pydantic import ValidationError

from cancellist.sandbox.answers.answers import JSON
from cancellist.sandbox.answers.streams import stream_array, stream_lines
from cancellist.sandbox.options import explain
from cancellist.sandbox.simulation import Simulation
from cancellist.sandbox.world.world import SLICE

PREFIX: Final = "/sandbox/"

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Control:
    """Answers the control routes of one sandbox."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._handlers: dict[tuple[str, str], _Handler] = {
            ("GET", "health"): self._health,
            ("GET", "settings"): self._settings,
            ("PUT", "settings"): self._change,
            ("GET", "stats"): self._stats,
            ("POST", "stats/reset"): self._reset,
            ("GET", "record"): self._record,
            ("POST", "record"): self._record_of,
            ("GET", "calls"): self._calls,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one control request."""
        name = request.path[len(PREFIX) :].strip("/").lower()
        handler = self._handlers.get((request.method, name))
        if handler is None:
            known = any(name == path for _, path in self._handlers)
            return _problem(405 if known else 404, f"no {request.method} {request.path} here")
        return await handler(request)

    async def _health(self, _: web.BaseRequest) -> web.StreamResponse:
        options, world = self._simulation.options, self._simulation.world
        return _json({"status": "ok", "seed": options.seed, "consignments": world.count, "mix": options.mix})

    async def _settings(self, _: web.BaseRequest) -> web.StreamResponse:
        return _json(self._simulation.settings.model_dump(mode="json"))

    async def _change(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            changes = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return _problem(400, "the body is not JSON")
        if not isinstance(changes, dict):
            return _problem(400, "the body is not an object of settings")
        try:
            self._simulation.change(changes)
        except ValidationError as error:
            return _problem(400, explain(error))
        return await self._settings(request)

    async def _stats(self, _: web.BaseRequest) -> web.StreamResponse:
        return _json(self._simulation.traffic.stats())

    async def _reset(self, _: web.BaseRequest) -> web.StreamResponse:
        self._simulation.traffic.reset(time.time())
        return _json(self._simulation.traffic.stats())

    async def _record(self, request: web.BaseRequest) -> web.StreamResponse:
        return await stream_lines(request, self._simulation.world.rows())

    async def _record_of(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            names = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return _problem(400, "the body is not JSON")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _problem(400, "the body is not a list of references")
        row = self._simulation.world.row
        parts = (names[start : start + SLICE] for start in range(0, len(names), SLICE))
        return await stream_array(request, ([row(name) for name in part] for part in parts))

    async def _calls(self, request: web.BaseRequest) -> web.StreamResponse:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return _problem(400, "since is not a call's number")
        return await stream_lines(request, self._simulation.traffic.calls(int(since)))


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), headers={"Content-Type": JSON})


def _problem(status: int, words: str) -> web.Response:
    return _json({"error": words}, status)
