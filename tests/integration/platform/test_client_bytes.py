"""The platform's client against whatever bytes a server may send: it never raises, and never reads without end."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.status_read import Found, Unknown, Unread, judge_reading
from cancellist.jobs.responses.verdicts import Confirmed, Unclear
from cancellist.worker.platform.client import PlatformClient
from tests.support.busy import a_full_queue, next_but, told_who_waits, waiting_at
from tests.support.waiting import until

EXAMPLES = settings(max_examples=300, deadline=None)
LISTED, ALONE = ["EC-000-000-001", "EC-000-000-002"], ["EC-000-000-001"]
BLOCK = b" " * 65536
BEYOND = 8 * 1024 * 1024 + 1


@asynccontextmanager
async def answering(*blocks: bytes, repeat: bytes = b"", reset: bool = False) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that reads a request, sends these blocks, then `repeat` for ever, and closes; and what it has sent."""
    sent = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
            for block in blocks:
                writer.write(block)
                await writer.drain()
            while repeat:
                writer.write(repeat)
                sent[0] += len(repeat)
                await writer.drain()
            if reset:
                writer.transport.abort()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    finally:
        server.close()
        await server.wait_closed()


async def called(blocks: list[bytes], references: list[str], *, reset: bool = False) -> list[Answer | Failure]:
    """What a cancelling call and a reading make of these bytes."""
    async with answering(*blocks, reset=reset) as (url, _), PlatformClient(url, "key", timeout_s=5) as client:
        return [await client.cancel(references), await client.status(references[0])]


codes = st.sampled_from([100, 101, 102, 200, 201, 202, 204, 206, 301, 304, 400, 401, 404, 413, 429, 500, 503, 599, 999])
line = codes.map(lambda code: f"HTTP/1.1 {code} X\r\n".encode())
odd_lines = st.one_of(
    st.sampled_from([b"HTTP/1.0 200 OK\r\n", b"HTTP/2 200\r\n", b"HTTP/1.1 2x0 OK\r\n", b"ICY 200 OK\r\n", b"\r\n"]),
    st.binary(max_size=20),
)
header = st.sampled_from(
    [
            b"Content-Length: 0\r\n", b"Content-Length: 2\r\n", b"Content-Length: 99999999999\r\n",
            b"Content-Length: -1\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: chunked\r\n",
            b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Content-Encoding: br\r\n",
            b"Content-Encoding: zstd\r\n", b"Content-Type: application/json; charset=utf-99\r\n",
            b"Location: http://127.0.0.1:1/\r\n", b"Location: http://[\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n",
            b"Retry-After: 1e99\r\n", b"Retry-After: \xff\r\n", b"Retry-After: -1\r\n", b"Set-Cookie: \x00=;;\r\n",
            b"Retry-After: Mon, 99 Foo 2026\r\n", b"Retry-After: \xc2\xb2\r\n",
    ]
)  # fmt: skip
item = {"IsSuccess": True, "Data": LISTED[0], "Message": "done"}
bodies = st.one_of(
    st.sampled_from(
        [
            b"", b"[]", b"{}", b"null", b"\xff\xfe", b"5\r\n[null\r\n0\r\n\r\n", b"zz\r\n", b"[" * 5000, b'"\\ud800"',
            json.dumps([item]).encode(), json.dumps(item).encode(), gzip.compress(b"[]"), gzip.compress(b"[]")[:-6],
            json.dumps([item]).encode("utf-16"), b'{"Status": "Cancelled"}', b"NaN", b"1" * 5000, b"\xef\xbb\xbf[]",
        ]
    ),
    st.binary(max_size=60),
)  # fmt: skip


def reply(lines, headers):
    return st.builds(
        lambda line, fields, body: [line, *fields, b"\r\n", body], lines, st.lists(headers, max_size=3), bodies
    )


odd_replies = st.one_of(
    reply(odd_lines, header), reply(line, st.binary(max_size=30)), st.lists(st.binary(max_size=80), max_size=3)
)
replies = st.integers(0, 5).flatmap(lambda lot: reply(line, header) if lot else odd_replies)


@EXAMPLES
@given(replies, st.booleans(), st.booleans())
def test_whatever_bytes_come_back_there_is_an_answer_or_a_failure_and_a_verdict(sent, single, reset):
    references = ALONE if single else LISTED
    cancelled, read = asyncio.run(called(sent, references, reset=reset))
    assert isinstance(cancelled, Answer | Failure)
    assert isinstance(read, Answer | Failure)
    judgement = judge(references, cancelled, single=single)
    for reference in references:
        verdict = judgement.of(reference)
        if isinstance(cancelled, Failure):
            assert isinstance(verdict, Unclear)  # the server has read the whole request
            assert "\n" not in cancelled.reason
        if isinstance(verdict, Confirmed):
            assert single or b'"IsSuccess": true' in b"".join(sent).replace(b"\0", b"")  # as UTF-16 has it
    assert isinstance(judge_reading(references[0], read), Found | Unknown | Unread)


async def cancelled(url: str, references: list[str], may: Callable[[], bool] = lambda: True) -> Answer | Failure:
    async def may_send() -> bool:
        return may()

    async with PlatformClient(url, None, timeout_s=10) as client:
        return await client.cancel(references, may_send)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def test_a_huge_body_that_says_its_length_is_not_read():
    async with answering(HEAD, f"Content-Length: {1 << 40}\r\n\r\n".encode(), repeat=BLOCK) as (url, sent):
        assert await cancelled(url, LISTED) == Answer(200, UNREADABLE)
        assert sent[0] < BEYOND


@pytest.mark.parametrize(
    ("head", "block"),
    [(b"Connection: close\r\n\r\n", BLOCK), (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + BLOCK + b"\r\n")],
    ids=["until the connection closes", "chunked"],
)
async def test_a_body_without_an_end_is_read_up_to_the_cap(head, block):
    async with answering(HEAD, head, repeat=block) as (url, sent):
        assert await cancelled(url, LISTED) == Answer(200, UNREADABLE)
        assert BEYOND - len(block) <= sent[0] < 4 * BEYOND


async def test_a_body_of_just_the_cap_is_read():
    body = b"[" + b" " * (BEYOND - 3) + b"]"
    async with answering(HEAD, f"Content-Length: {len(body)}\r\n\r\n".encode(), body) as (url, _):
        assert await cancelled(url, LISTED) == Answer(200, [])


async def test_headers_without_an_end_are_given_up_and_may_have_acted():
    async with answering(HEAD, repeat=b"X-More: " + b"x" * 1000 + b"\r\n") as (url, sent):
        failure = await cancelled(url, LISTED)
        assert isinstance(failure, Failure)
        assert failure.written
        assert sent[0] < BEYOND


async def test_a_connection_that_is_not_made_in_time_is_known_to_have_sent_nothing():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        queued = [socket.socket() for _ in range(3)]  # more than its queue holds: what comes after is left waiting
        try:
            for one in queued:
                one.setblocking(False)
                one.connect_ex(address)
            async with PlatformClient(f"http://127.0.0.1:{address[1]}", None, timeout_s=0.5) as client:
                failure = await client.cancel(LISTED)
        finally:
            for one in queued:
                one.close()
    assert isinstance(failure, Failure)
    assert not failure.written


async def test_a_connection_that_is_reset_before_the_whole_request_was_read_may_have_acted():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.transport.abort()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        failure = await cancelled(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", LISTED)
    assert isinstance(failure, Failure)
    assert failure.written


@pytest.mark.parametrize("kept", [3, 10])
@pytest.mark.parametrize("references", [ALONE, LISTED], ids=["alone", "listed"])
async def test_a_packed_body_that_is_cut_within_its_header_is_no_empty_success(kept, references):
    cut = gzip.compress(b'{"IsSuccess": false, "Message": "no", "Data": "EC-000-000-001"}')[:kept]
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(cut)}\r\n\r\n".encode()
    async with answering(HEAD, head, cut) as (url, _):
        answer = await cancelled(url, references)
    assert answer == Answer(200, UNREADABLE)
    assert isinstance(judge(references, answer, single=len(references) == 1).of(references[0]), Unclear)


async def test_a_body_that_is_packed_and_says_that_it_is_empty_is_a_success_of_one_alone():
    async with answering(HEAD, b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n") as (url, _):
        assert await cancelled(url, ALONE) == Answer(200)


@told_who_waits
@pytest.mark.parametrize("shut", [False, True], ids=["left open", "shut"])
async def test_a_call_whose_gate_is_shut_while_it_connects_sends_nothing(shut):
    loop, may_send = asyncio.get_running_loop(), [True]
    with a_full_queue() as (full, others):
        port = full.getsockname()[1]
        before = waiting_at(port)
        call = asyncio.create_task(cancelled(f"http://127.0.0.1:{port}", ALONE, lambda: may_send[0]))
        await until(lambda: asyncio.to_thread(waiting_at, port), lambda count: count > before, 5)
        may_send[0] = not shut
        async with asyncio.timeout(8):
            with await next_but(others, full) as connection:
                head = await loop.sock_recv(connection, 4096)
                if head:
                    await loop.sock_sendall(connection, HEAD + b"Content-Length: 0\r\n\r\n")
                answer = await call
    if shut:
        assert answer == Failure("it could not be sent in time", written=False, withheld=True)
        assert head == b""
    else:
        assert answer == Answer(200)
        assert head.startswith(b"PUT /consignments/EC-000-000-001/cancel ")


async def test_a_look_that_takes_too_long_sends_nothing():
    async with answering(HEAD, b"Content-Length: 0\r\n\r\n") as (url, _):
        async with PlatformClient(url, None, timeout_s=0.2) as client:
            answer = await client.cancel(ALONE, asyncio.Event().wait)
            assert answer == Failure("no answer in time", written=False, timed_out=True)
        async with PlatformClient(url, None, timeout_s=5) as client:
            assert await client.cancel(ALONE) == Answer(200)
