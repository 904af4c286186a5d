"""One request to a receiver: what is sent, what each answer means, and where it never goes."""

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.worker.webhooks.sender import ReceiverAnswer, Sender
from tests.support.chatty import certified
from tests.support.receiver import Receiver, receiving

LOOPBACK = Allowed.of(["127.0.0.0/8"])
HEADERS = {"webhook-id": "msg_1"}


class Names(AbstractResolver):
    """A resolver with answers of its own."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host.partition(".")[0] not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            ResolveResult(
                hostname=host, host=one, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
            )
            for one in self.answers[host.partition(".")[0]]
        ]  # fmt: skip

    async def close(self) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(LOOPBACK, timeout_s=5) as one:
        yield one


async def test_what_is_sent_comes_as_it_is_and_its_answer_is_told(sender: Sender, receiver: Receiver) -> None:
    answer = await sender.send(receiver.url + "?token=x%20y&z=%2F", HEADERS, b'{"a": "\xc3\xa9"}')
    assert answer == ReceiverAnswer(200)
    (got,) = receiver.got["msg_1"]
    assert got.body == b'{"a": "\xc3\xa9"}'
    assert got.headers["content-type"] == "application/json"
    assert got.path == "/hooks?token=x%20y&z=%2F"
    assert "accept-encoding" not in got.headers


async def test_credentials_of_a_url_are_sent_as_such(sender: Sender, receiver: Receiver) -> None:
    await sender.send(receiver.url.replace("//", "//user:pass@"), HEADERS, b"{}")
    assert receiver.got["msg_1"][0].headers["authorization"] == "Basic dXNlcjpwYXNz"


async def test_a_redirect_is_not_followed_and_a_pause_that_is_asked_for_is_heard(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (302, {"Location": "/elsewhere"})
    assert (await sender.send(receiver.url, HEADERS, b"{}")).status == 302
    assert len(receiver.got["msg_1"]) == 1
    receiver.answer = lambda _: (503, {"Retry-After": "120"})
    assert await sender.send(receiver.url, HEADERS, b"{}") == ReceiverAnswer(503, retry_after_s=120)


async def test_one_that_hangs_or_drips_or_is_not_there_or_speaks_no_http_is_given_up_in_time(
    receiver: Receiver,
) -> None:
    ends, closed = threading.Event(), asyncio.Event()

    def hang(_: object) -> int:
        ends.wait(10)
        return 200

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        with contextlib.suppress(OSError):
            writer.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        closed.set()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x00\x01hello\r\n\r\n")
        writer.close()
        closed.set()

    receiver.answer = hang
    async with Sender(LOOPBACK, timeout_s=0.2) as sender:
        try:
            assert await sender.send(receiver.url, HEADERS, b"{}") == ReceiverAnswer(why="no answer within 0.2 s")
        finally:
            ends.set()
        for serve, why in ((drip, "no answer within 0.2 s"), (babble, "the connection broke, or what came is no HTTP")):
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            assert (await sender.send(f"http://127.0.0.1:{port}/", HEADERS, b"{}")).why == why
            server.close()
            await closed.wait()
            closed.clear()
        assert (await sender.send(f"http://127.0.0.1:{port}/", HEADERS, b"{}")).why.startswith("no connection")


async def test_a_body_without_an_end_is_not_read(sender: Sender) -> None:
    closed = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        writer.close()
        closed.set()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await sender.send(f"http://127.0.0.1:{port}/", HEADERS, b"{}") == ReceiverAnswer(200)
        await asyncio.wait_for(closed.wait(), 10)


_BY_ITSELF = """
import asyncio, sys
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.worker.webhooks.sender import Sender

async def main():
    async with Sender(Allowed.of(["127.0.0.0/8"]), timeout_s=5) as sender:
        print(await sender.send(sys.argv[1], {"webhook-id": "msg_1"}, b"{}"))

asyncio.run(main())
"""


async def test_a_certificate_must_be_of_an_authority_that_the_system_or_its_file_has(tmp_path: Path) -> None:
    came = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        writer.close()

    async def said(**more: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _BY_ITSELF, f"https://127.0.0.1:{port}", env=os.environ | more,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return (await process.communicate())[0].decode()

    shown, _ = certified(tmp_path)
    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=shown) as server:
        port = server.sockets[0].getsockname()[1]
        assert "status=None, why='TLS: self" in await said()
        assert not came
        assert "status=204" in await said(SSL_CERT_FILE=str(tmp_path / "shown.pem"))
    assert len(came) == 1


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"], ["169.254.169.254"], ["192.168.1.1"], ["100.64.0.1"], ["0.0.0.0"], ["224.0.0.1"], ["::1"],
        ["::ffff:10.0.0.1"], ["64:ff9b::a00:1"], ["fe80::1%eth0"], ["fd00::1"], ["8.8.8.8", "10.0.0.1"], ["127.0.0.1"],
    ],
    ids=str,
)  # fmt: skip
async def test_a_name_that_leads_to_an_address_that_is_not_public_is_connected_to_by_nobody(
    addresses: list[str], receiver: Receiver
) -> None:
    names = Names(inside=addresses)
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    async with Sender(Allowed(), resolver=names, timeout_s=5) as sender:
        answer = await sender.send(f"https://inside.example:{port}/", HEADERS, b"{}")
    assert answer.status is None
    assert answer.why.endswith("which is not a public address")
    assert names.asked == ["inside.example"]
    assert not receiver.got


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"])
async def test_no_way_of_writing_this_machine_leads_to_it(host: str, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    async with Sender(Allowed(), timeout_s=5) as sender:
        answer = await sender.send(f"https://{host}:{port}/", HEADERS, b"{}")
    assert answer.status is None
    assert "not a public address" in answer.why or answer.why == "the URL cannot be used"
    assert not receiver.came.is_set()


async def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    """The name has a second answer ready for whoever asks again."""
    names = Names(hooks=["127.0.0.1"])
    async with Sender(Allowed.of(["hooks.example"]), resolver=names, timeout_s=5) as sender:
        for _ in range(2):
            url = receiver.url.replace("127.0.0.1", "hooks.example")
            assert (await sender.send(url, HEADERS, b"{}")).status == 200
    assert names.asked == ["hooks.example"] * 2, "one look-up for each attempt, whose answer was checked"
    assert receiver.got["msg_1"][0].headers["host"].startswith("hooks.example:")


async def test_proxies_of_the_environment_are_not_used(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await sender.send(receiver.url, HEADERS, b"{}")).status == 200


async def test_a_name_that_does_not_resolve_is_told_without_its_url(receiver: Receiver) -> None:
    async with Sender(Allowed(), resolver=Names(), timeout_s=5) as sender:
        answer = await sender.send("https://nowhere.example/in?token=secret", HEADERS, b"{}")
    assert answer == ReceiverAnswer(why="its name does not resolve")
