"""Answers too many: what was there before a request was written is never its answer, over real sockets, plain and TLS.

Half of this goes by the inner parts of aiohttp that worker/platform/connections.py goes by: it pins them.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp.connector
import pytest

from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.status_read import Found, judge_reading
from cancellist.jobs.responses.verdicts import Confirmed, Refused
from cancellist.worker.platform.client import PlatformClient
from tests.support.chatty import Asked, Chatty, certified, chatting, reply

FIRST, SECOND = ["EC-000-000-001", "EC-000-000-002"], ["EC-000-000-003", "EC-000-000-004"]
ALONE = ["EC-000-000-009"]
"""It is manifested: whoever cancels it is refused, and a success of it was another's."""
LATE = {"Code": "late", "Message": "Consignment cancellation failed", "CorrelationId": "c"}
NAMELESS = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NESTED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(NAMELESS) + NAMELESS

loops = [pytest.param(asyncio.new_event_loop, id="asyncio")]
if sys.platform != "win32":
    import uvloop

    loops.append(pytest.param(uvloop.new_event_loop, id="uvloop"))


def items(references: list[str]) -> list[dict[str, object]]:
    return [{"IsSuccess": True, "Message": "done", "Data": each} for each in references]


SURPLUS = {
    "empty": (NAMELESS, b""),
    "several": (NAMELESS * 3, b""),
    "with a body": (reply(200, items(FIRST)), b""),
    "a state": (reply(200, {"Status": "Cancelled"}), b""),
    "a refusal": (reply(404, LATE), b""),
    "half a line": (NAMELESS[:9], NAMELESS[9:]),
    "half a head": (NAMELESS[:24], NAMELESS[24:]),
    "one byte": (b"H", NAMELESS[1:]),
    "without its body": (NESTED[: -len(NAMELESS)], NAMELESS),
    "without an end": (b"HTTP/1.1 200 OK\r\n\r\n", b""),
    "no HTTP": (b"\0\0\0", b"\0"),
}


def own(asked: Asked) -> bytes:
    """What the platform answers to what it was asked."""
    if asked.line.startswith("GET"):
        return reply(200, {"ConsignmentReferenceForAllLegsAssignedByMpd": SECOND[0], "Status": "Allocated"})
    return reply(200, items(json.loads(asked.body))) if asked.body else reply(400, LATE)


CALLS = {
    "alone": (lambda client, may: client.cancel(ALONE, may), Answer(400, LATE)),
    "listed": (lambda client, may: client.cancel(SECOND, may), Answer(200, items(SECOND))),
    "read": (
        lambda client, may: client.status(SECOND[0], may),
        Answer(200, {"ConsignmentReferenceForAllLegsAssignedByMpd": SECOND[0], "Status": "Allocated"}),
    ),
}


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    return certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["plain", "TLS"])
def tls(request, monkeypatch):
    """What the server speaks; the client trusts it."""
    if request.param == "plain":
        return None
    server, client = request.getfixturevalue("contexts")
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", client)
    return server


@pytest.fixture(params=loops)
def run(request) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(work)

    return run


def saying(server: Chatty, number: int, what: bytes) -> Callable[[], Any]:
    """Allows a call to be sent, and says something on a connection just before: nothing has read it by then."""
    left = [what]

    async def may_send() -> bool:
        while left:
            server.say(number, left.pop())
        return True

    return may_send


async def always() -> bool:
    return True


async def second(server: Chatty, call: Any, then: Callable[[PlatformClient], Any], may: Any = None) -> Any:
    """What the second call answers, after a first one on a connection that was kept."""
    async with PlatformClient(server.url, None, timeout_s=10) as client:
        assert await client.cancel(FIRST) == Answer(200, items(FIRST))
        await then(client)
        return await call(client, may or always)


async def nothing(_client: PlatformClient) -> None:
    pass


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [kind for kind in SURPLUS if kind != "no HTTP"])  # which makes the whole unreadable
def test_a_surplus_that_comes_with_an_answer_is_not_the_next_ones(run, tls, kind, call):
    begun, ended = SURPLUS[kind]

    def answer(asked: Asked) -> bytes:
        if len(server.requests) == 1:
            return own(asked) + begun
        server.say(0, ended)
        return own(asked)

    asks, wanted = CALLS[call]
    with chatting(answer, tls) as server:
        assert run(second(server, asks, nothing)) == wanted
        assert [one.connection for one in server.requests] == [0, 1]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", SURPLUS)
def test_a_surplus_on_an_idle_connection_closes_it(run, tls, kind, call):
    begun, ended = SURPLUS[kind]
    asks, wanted = CALLS[call]
    with chatting(own, tls) as server:

        async def then(_client):
            await asyncio.to_thread(server.say, 0, begun)
            await asyncio.to_thread(server.left, 0)
            await asyncio.to_thread(server.say, 0, ended)

        assert run(second(server, asks, then)) == wanted
        assert [one.connection for one in server.requests] == [0, 1]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", SURPLUS)
def test_a_surplus_that_nobody_has_read_when_a_request_is_written_is_not_its_answer(run, tls, kind, call):
    asks, wanted = CALLS[call]
    with chatting(own, tls) as server:
        assert run(second(server, asks, nothing, saying(server, 0, SURPLUS[kind][0]))) == wanted
        assert [one.connection for one in server.requests] == [0, 1]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [kind for kind in SURPLUS if kind != "without an end"])  # which takes all the time
def test_a_surplus_that_comes_just_after_a_request_was_written_succeeds_in_nothing(run, tls, kind, call):
    def answer(asked: Asked) -> bytes:
        if len(server.requests) > 1:
            server.say(0, b"".join(SURPLUS[kind]))
        return own(asked)

    asks, wanted = CALLS[call]
    with chatting(answer, tls) as server:
        got = run(second(server, asks, nothing))
        assert len(server.requests) == 2
    if call == "alone":
        assert got == wanted
        assert isinstance(judge(ALONE, got, single=True).of(ALONE[0]), Refused)
    elif call == "listed":
        assert not any(isinstance(judge(SECOND, got, single=False).of(one), Confirmed) for one in SECOND)
    elif kind != "a state":  # which names no consignment: whoever judges it has to know
        assert not isinstance(judge_reading(SECOND[0], got), Found)


@pytest.mark.parametrize("kind", SURPLUS)
def test_a_connection_that_speaks_before_it_is_asked_is_asked_nothing(run, tls, kind):
    numbers = iter(range(9))

    async def call(server: Chatty) -> Answer | Failure:
        async def may_send() -> bool:
            number = next(numbers)
            await asyncio.to_thread(server.stands, number)
            server.say(number, SURPLUS[kind][0])
            return True

        async with PlatformClient(server.url, None, timeout_s=10) as client:
            return await client.cancel(ALONE, may_send)

    with chatting(own, tls) as server:
        failure = run(call(server))
        assert isinstance(failure, Failure)
        assert not failure.written
        assert next(numbers) == 2  # it was tried once more, on another connection
        assert server.requests == []


@pytest.mark.parametrize("kind", [kind for kind in SURPLUS if kind != "without an end"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_one_alone_that_gets_more_than_one_answer_at_once_is_unclear(run, tls, kind, first):
    more = SURPLUS[kind][0] if not first else b"".join(SURPLUS[kind])

    async def call(server: Chatty) -> Answer | Failure:
        async with PlatformClient(server.url, None, timeout_s=10) as client:
            return await client.cancel(ALONE)

    with chatting(lambda asked: more + own(asked) if first else own(asked) + more, tls) as server:
        failure = run(call(server))
        assert isinstance(failure, Failure)
        assert failure.written
        assert len(server.requests) == 1


def test_one_alone_goes_on_a_connection_that_carries_nothing_else(run, tls):
    async def calls(server: Chatty) -> None:
        async with PlatformClient(server.url, None, timeout_s=10) as client:
            for references in (FIRST, ALONE, SECOND, ALONE, FIRST):
                await client.cancel(references)
                if references is ALONE:
                    await asyncio.to_thread(server.left, server.requests[-1].connection)

    with chatting(own, tls) as server:
        run(calls(server))
        assert [one.connection for one in server.requests] == [0, 1, 0, 2, 0]
        assert ["connection" in one.headers for one in server.requests] == [False, True, False, True, False]


@pytest.mark.parametrize("kept", [b"", b"\r\n"], ids=["as it is", "with an empty line more"])
def test_a_clean_connection_is_kept(run, tls, kept):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
    answers = iter([reply(200, []), chunked, reply(429), reply(200, {}), reply(204), chunked])

    async def calls(server: Chatty) -> None:
        async with PlatformClient(server.url, None, timeout_s=10) as client:
            for _ in range(3):
                assert isinstance(await client.cancel(FIRST), Answer)
                assert isinstance(await client.status(FIRST[0]), Answer)

    with chatting(lambda _: next(answers) + kept, tls) as server:
        run(calls(server))
        assert {one.connection for one in server.requests} == {0}


def test_a_connection_that_says_it_closes_is_not_asked_again(run, tls):
    closing = reply(200, items(FIRST), "Connection: close")

    async def calls(server: Chatty) -> None:
        async with PlatformClient(server.url, None, timeout_s=10) as client:
            for _ in range(3):
                assert await client.cancel(FIRST) == Answer(200, items(FIRST))

    with chatting(lambda _: closing, tls) as server:
        run(calls(server))
        assert [one.connection for one in server.requests] == [0, 1, 2]


def test_a_kept_connection_whose_end_nobody_has_read_is_not_written_on(run):
    """Its request would be lost, and unclear."""

    async def may_send() -> bool:
        server.end(0)
        return True

    with chatting(own) as server:
        answer = run(second(server, CALLS["listed"][0], nothing, may_send))
        assert answer == Answer(200, items(SECOND))
        assert [one.connection for one in server.requests] == [0, 1]
