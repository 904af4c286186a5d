"""The platform's client against servers that behave and servers that do not, over real sockets."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from time import monotonic, time

import pytest

from cancellist.jobs.errors import SettingsError
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.worker.platform.client import KEY_HEADER, PlatformClient

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Platform:
    """A server that takes requests apart by hand and answers as it is told."""

    def __init__(self, answer: bytes | None, *, close: bool = False, abort: bool = False) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self._answer = answer
        self._close = close
        self._abort = abort

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, v in (h.split(": ", 1) for h in rest)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((line, headers, body))
                if self._answer is not None:
                    writer.write(self._answer)
                    await writer.drain()
                if self._abort:
                    writer.transport.abort()
                    return
                if self._close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        await server.wait_closed()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def cancel(platform: Platform, references: list[str], *, key: str | None = None, timeout_s: float = 5):
    async with serving(platform) as url, PlatformClient(url, key, timeout_s=timeout_s) as client:
        return await client.cancel(references)


@pytest.mark.parametrize("ending", [{"close": True}, {"abort": True}], ids=["close", "reset"])
async def test_a_put_is_sent_once_when_the_server_closes_after_reading_it(ending):
    platform = Platform(None, **ending)
    failure = await cancel(platform, ["EC-000-000-001", "EC-000-000-002"])
    assert isinstance(failure, Failure)
    assert failure.written
    assert len(platform.requests) == 1


async def test_a_put_is_sent_once_when_a_kept_connection_closes():
    platform = Platform(answer(200, b"[]"))
    async with serving(platform) as url, PlatformClient(url, None, timeout_s=5) as client:
        assert isinstance(await client.cancel(["A", "B"]), Answer)
        platform._answer, platform._close = None, True
        failure = await client.cancel(["C", "D"])
    assert isinstance(failure, Failure)
    assert failure.written
    assert len(platform.requests) == 2
    assert platform.connections == 1


async def test_a_list_goes_to_the_list_endpoint_as_a_json_array_with_the_key():
    platform = Platform(answer(200, b"[]"))
    got = await cancel(platform, ["EC-000-000-001", "EC-000-000-002"], key="secret")
    assert got == Answer(200, [])
    line, headers, body = platform.requests[0]
    assert line == "PUT /consignments/cancellist HTTP/1.1"
    assert headers[KEY_HEADER] == "secret"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == ["EC-000-000-001", "EC-000-000-002"]


async def test_one_reference_goes_to_the_single_endpoint_without_a_body():
    platform = Platform(answer(200))
    assert await cancel(platform, ["EC-000-000-001"]) == Answer(200, None)
    line, headers, body = platform.requests[0]
    assert line == "PUT /consignments/EC-000-000-001/cancel HTTP/1.1"
    assert body == b""
    assert KEY_HEADER not in headers


async def test_a_gzipped_answer_is_read():
    body = gzip.compress(b'[{"IsSuccess": true}]')
    platform = Platform(answer(200, body, Content_Encoding="gzip"))
    assert await cancel(platform, ["A", "B"]) == Answer(200, [{"IsSuccess": True}])


@pytest.mark.parametrize("body", [b"<html>", b"[", b"\xff\xfe"], ids=["html", "truncated", "not UTF-8"])
async def test_a_body_that_is_no_json_is_said_to_be_unreadable(body):
    assert await cancel(Platform(answer(200, body)), ["A", "B"]) == Answer(200, UNREADABLE)


async def test_a_broken_gzip_may_have_acted():
    platform = Platform(answer(200, b"not gzip at all", Content_Encoding="gzip"))
    failure = await cancel(platform, ["A", "B"])
    assert isinstance(failure, Failure)
    assert failure.written


async def test_a_gzip_bomb_is_not_unpacked_whole():
    bomb = gzip.compress(b" " * 50_000_000)
    platform = Platform(answer(200, bomb, Content_Encoding="gzip"))
    assert await cancel(platform, ["A", "B"]) == Answer(200, UNREADABLE)


async def test_a_redirect_is_answered_as_such_and_not_followed():
    platform = Platform(answer(307, Location="http://127.0.0.1:1/elsewhere"))
    assert await cancel(platform, ["A", "B"], key="secret") == Answer(307, None)
    assert len(platform.requests) == 1


async def test_a_refused_connection_is_known_to_have_sent_nothing():
    async with serving(Platform(None)) as url:
        pass
    async with PlatformClient(url, None, timeout_s=5) as client:
        failure = await client.cancel(["A", "B"])
    assert isinstance(failure, Failure)
    assert not failure.written


async def test_a_silent_server_is_given_up_in_time_and_may_have_acted():
    platform = Platform(None)
    failure = await cancel(platform, ["A", "B"], timeout_s=0.2)
    assert failure == Failure("no answer in time", written=True, timed_out=True)
    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("7", 7, 7), ("in a minute", 50, 61), ("soon", None, None), ("99999999", 3600, 3600)],
)
async def test_retry_after_is_read_in_both_forms(value, low, high):
    if value == "in a minute":
        value = formatdate(time() + 60, usegmt=True)
    got = await cancel(Platform(answer(429, Retry_After=value)), ["A", "B"])
    assert isinstance(got, Answer)
    assert (got.retry_after_s is None) == (low is None)
    assert low is None or low <= got.retry_after_s <= high


async def test_a_date_to_wait_for_counts_from_the_answers_own_date_and_not_from_this_clock():
    an_hour_off = time() + 3600
    headers = {"Date": formatdate(an_hour_off, usegmt=True), "Retry_After": formatdate(an_hour_off + 9, usegmt=True)}
    got = await cancel(Platform(answer(429, **headers)), ["A", "B"])
    assert isinstance(got, Answer)
    assert got.retry_after_s == 9


async def test_the_state_of_a_consignment_is_read_from_its_own_endpoint():
    platform = Platform(answer(200, b'{"Status": "Allocated"}'))
    async with serving(platform) as url, PlatformClient(url, "secret", timeout_s=5) as client:
        assert await client.status("EC-000-000-001") == Answer(200, {"Status": "Allocated"})
    line, headers, _ = platform.requests[0]
    assert line == "GET /consignments/EC-000-000-001/status HTTP/1.1"
    assert headers["cache-control"] == "no-cache"


async def test_a_host_that_speaks_no_tls_is_known_to_have_been_sent_nothing():
    seen = []

    async def nonsense(reader, writer):
        seen.append(await reader.read(5))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with (
        serving(nonsense) as url,
        PlatformClient(url.replace("http:", "https:"), "secret", timeout_s=5) as client,
    ):
        failure = await client.cancel(["A", "B"])
    assert isinstance(failure, Failure)
    assert not failure.written
    assert "secret" not in failure.reason
    assert seen == [b"\x16\x03\x01" + seen[0][3:]]


async def test_a_name_that_is_unknown_is_known_to_have_been_sent_nothing():
    async with PlatformClient("http://no-such-host.invalid", "secret", timeout_s=5) as client:
        failure = await client.cancel(["A", "B"])
    assert isinstance(failure, Failure)
    assert not failure.written


async def test_a_refused_key_is_read_anew_before_the_next_call_and_not_without_a_refusal():
    platform, keys = Platform(answer(200)), iter(["mended", "never"])
    async with (
        serving(platform) as url,
        PlatformClient(url, "wrong", timeout_s=5, read_key=lambda: next(keys)) as client,
    ):
        for status in (200, 401, 200, 200):
            platform._answer = answer(status)
            assert await client.cancel(["A", "B"]) == Answer(status, None)
    assert [headers[KEY_HEADER] for _, headers, _ in platform.requests] == ["wrong", "wrong", "mended", "mended"]


async def test_no_call_goes_with_the_refused_key_while_another_reads_it_anew():
    reading = threading.Event()

    def read_key():
        reading.wait(0.1)
        return "mended"

    platform = Platform(answer(401))
    async with serving(platform) as url, PlatformClient(url, "wrong", timeout_s=5, read_key=read_key) as client:
        await client.cancel(["A", "B"])
        platform._answer = answer(200)
        await asyncio.gather(*(client.cancel(["A", "B"]) for _ in range(3)))
    assert [headers[KEY_HEADER] for _, headers, _ in platform.requests] == ["wrong", "mended", "mended", "mended"]


async def test_a_key_that_cannot_be_read_anew_leaves_the_last_one_and_is_read_again_before_each_call():
    given = [SettingsError("KEY_FILE: cannot be read"), SettingsError("KEY_FILE: cannot be read"), "mended"]

    def read_key():
        key = given.pop(0)
        if isinstance(key, Exception):
            raise key
        return key

    platform = Platform(answer(403))
    async with serving(platform) as url, PlatformClient(url, "wrong", timeout_s=5, read_key=read_key) as client:
        await client.cancel(["A", "B"])
        platform._answer = answer(200)
        for _ in range(3):
            await client.cancel(["A", "B"])
    assert [headers[KEY_HEADER] for _, headers, _ in platform.requests] == ["wrong", "wrong", "wrong", "mended"]


@pytest.mark.timed
async def test_a_key_file_that_does_not_answer_holds_no_call_up():
    released = threading.Event()
    platform = Platform(answer(401))
    async with (
        serving(platform) as url,
        PlatformClient(url, "wrong", timeout_s=5, read_key=lambda: released.wait(20) and "late") as client,
    ):
        await client.cancel(["A", "B"])
        begun = monotonic()
        await client.cancel(["A", "B"])
        assert monotonic() - begun < 2
        released.set()
    assert [headers[KEY_HEADER] for _, headers, _ in platform.requests] == ["wrong", "wrong"]
