"""Handles one call over HTTP: reads it, admits it, takes as long as the settings say, and answers with its fault.

As on a real platform, a call goes on to its end even if its caller has gone. It only stops counting as in flight.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import NoReturn

from aiohttp import web

from cancellist.sandbox.answers.answers import Answer, Delivery, Odd, encode, error, gateway_error
from cancellist.sandbox.answers.raw import SURPLUS, RawResponse, compose
from cancellist.sandbox.answers.streams import stream_array
from cancellist.sandbox.call import Ask, read_list
from cancellist.sandbox.control import PREFIX, Control
from cancellist.sandbox.endpoints import refuse_list
from cancellist.sandbox.faults.faults import Fault
from cancellist.sandbox.faults.kinds import Acts, acts
from cancellist.sandbox.routes import CANCELS, LISTS, Route, route
from cancellist.sandbox.simulation import Simulation
from cancellist.sandbox.strictness import refuse_form
from cancellist.sandbox.traffic import Call
from cancellist.sandbox.world.searches import nothing_matches

KEY_HEADER = "ocp-apim-subscription-key"


class Wire:
    """Handles the requests of one sandbox."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._control = Control(simulation)
        self._held: set[asyncio.Future[None]] = set()
        self._busy: set[int] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request of any kind."""
        if request.path.lower().startswith(PREFIX):
            return await self._control.handle(request)
        traffic = self._simulation.traffic
        where = route(request.method, request.path)
        call = traffic.begin(where.endpoint, time.monotonic(), time.time())
        connection = id(request.protocol)
        self._busy.add(connection)
        try:
            return await self._serve(request, where, call)
        finally:
            self._busy.discard(connection)
            traffic.end(call, time.monotonic())

    def release(self) -> None:
        """Ends hanging calls, so that the server can stop."""
        for held in self._held:
            held.cancel()

    async def _serve(self, request: web.BaseRequest, where: Route, call: Call) -> web.StreamResponse:
        simulation = self._simulation
        ask, refusal = await self._read(request, where, call)
        distinct = set(ask.references)
        simulation.traffic.name(call, len(ask.references), len(distinct))
        if where.endpoint in CANCELS:
            simulation.world.name(distinct)
        keyless = simulation.refuse_key(request.headers.get(KEY_HEADER))
        if keyless is not None:
            return await self._deliver(request, ask, call, keyless)
        too_much = simulation.gate.enter(time.monotonic(), simulation.settings)
        if too_much is not None:
            return await self._deliver(request, ask, call, gateway_error(429, too_much))
        try:
            refusal = refusal or refuse_list(ask, simulation.settings.list_limit, len(distinct))
            answer = refusal or await self._work(ask, call)
            return await self._deliver(request, ask, call, answer)
        finally:
            simulation.gate.leave()

    async def _read(self, request: web.BaseRequest, where: Route, call: Call) -> tuple[Ask, Answer | None]:
        """Returns what a call asks for, and its refusal if its form is wrong."""
        body = await request.read()
        texts, refusal = [where.reference] if where.reference else [], None
        if where.endpoint in LISTS:
            try:
                texts = read_list(body)
            except ValueError as problem:
                refusal = error(400, "invalid_request", str(problem), call=call.number)
        if self._simulation.settings.strict:
            refusal = refuse_form(request.method, request.headers, call.number) or refusal
        ask = Ask(
            call=call.number,
            endpoint=where.endpoint,
            references=[self._simulation.world.resolve(text) for text in texts],
            query=self._simulation.honoured(request.query),
            body=body,
            base_url=f"{request.scheme}://{request.host}",
            at=call.started_at,
            take=where.take,
            skip=where.skip,
        )
        return ask, refusal

    async def _work(self, ask: Ask, call: Call) -> Answer:
        """Executes the call after its time, whether the caller still waits or not."""
        simulation, loop = self._simulation, asyncio.get_running_loop()
        fault = simulation.decide(ask)
        call.fault = fault.kind if fault else None
        delay_s = simulation.delay_s(ask, fault)
        remaining_s = delay_s and call.started_s + delay_s - time.monotonic()
        if remaining_s <= 0:
            return self._perform(ask, fault)
        done: asyncio.Future[Answer] = loop.create_future()
        loop.call_later(remaining_s, self._finish, done, ask, fault)
        try:
            return await done
        except asyncio.CancelledError:
            # The caller has gone, but the call goes on.
            simulation.traffic.to_act_late += done.cancelled()
            raise

    def _finish(self, done: "asyncio.Future[Answer]", ask: Ask, fault: Fault | None) -> None:
        answer = self._perform(ask, fault)
        if done.cancelled():
            self._simulation.traffic.to_act_late -= 1
        else:
            done.set_result(answer)

    def _perform(self, ask: Ask, fault: Fault | None) -> Answer:
        simulation = self._simulation
        if fault and acts(fault.kind) is Acts.LATE:
            simulation.traffic.to_act_late += 1
            asyncio.get_running_loop().call_later(simulation.settings.late_ms / 1000, self._act_late, ask)
        return simulation.perform(ask, fault, time.time())

    def _act_late(self, ask: Ask) -> None:
        self._simulation.act(ask, time.time())
        self._simulation.traffic.to_act_late -= 1

    async def _deliver(self, request: web.BaseRequest, ask: Ask, call: Call, answer: Answer) -> web.StreamResponse:
        match answer.delivery:
            case Delivery.HANG:
                await self._hold(request)
            case Delivery.CLOSE | Delivery.RESET:
                _close(request, reset=answer.delivery is Delivery.RESET)
                await self._hold(request)
            case Delivery.CUT:
                call.status = answer.status
                await self._cut(request, answer)
            case Delivery.WHOLE:
                pass
        if answer.matches is not None:
            first = await _first_matches(answer.matches)
            if first:
                call.status = answer.status
                return await stream_array(request, answer.matches, first)
            answer = nothing_matches(ask)
        if answer.steps is not None:
            answer = await _last(answer.steps)
        call.status = answer.status
        answer = self._simulation.with_retry_after(answer, time.time())
        packs = self._simulation.settings.gzip and "gzip" in request.headers.get("Accept-Encoding", "").lower()
        body, headers = encode(answer, gzipped=packs)
        if answer.odd is None:
            return web.Response(status=answer.status, body=body, headers=headers)
        if answer.odd is Odd.SURPLUS_LATE:
            self._write_surplus(request)
        return RawResponse(compose(answer.status, headers, body, answer.odd, time.time()))

    def _write_surplus(self, request: web.BaseRequest) -> None:
        """Writes a surplus answer after some time, unless another call is then on the connection.

        No client could tell it from the answer to that call.
        """
        transport, connection = request.transport, request.protocol

        def write() -> None:
            if transport is not None and not transport.is_closing() and id(connection) not in self._busy:
                transport.write(SURPLUS)

        asyncio.get_running_loop().call_later(self._simulation.settings.surplus_ms / 1000, write)

    async def _cut(self, request: web.BaseRequest, answer: Answer) -> NoReturn:
        """Sends half of the body and closes."""
        if answer.matches is not None or answer.steps is not None:
            answer = Answer(answer.status, body=b'["EC-')
        body, headers = encode(answer, gzipped=False)
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        _close(request, reset=False)
        await self._hold(request)

    async def _hold(self, request: web.BaseRequest) -> NoReturn:
        """Holds a call until its connection is closed, which cancels this, or `hang_ms` have passed."""
        loop = asyncio.get_running_loop()
        held: asyncio.Future[None] = loop.create_future()
        self._held.add(held)
        timer = loop.call_later(self._simulation.settings.hang_ms / 1000, _close, request)
        try:
            await held
        finally:
            timer.cancel()
            self._held.discard(held)
        raise asyncio.CancelledError


def _close(request: web.BaseRequest, *, reset: bool = False) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        transport.abort()
    else:
        transport.close()


async def _first_matches(slices: Iterator[list[str]]) -> list[str]:
    """Returns the first slice with matches; empty where there is none."""
    for matches in slices:
        if matches:
            return matches
        await asyncio.sleep(0)
    return []


async def _last(steps: Iterator[Answer | None]) -> Answer:
    """Returns the answer at the end of the steps to it; other calls have their turn between them."""
    for step in steps:
        if step is not None:
            return step
        await asyncio.sleep(0)
    raise RuntimeError("the steps ended without an answer")
