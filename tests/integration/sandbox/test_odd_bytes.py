"""Answers that are not by the book, seen byte by byte on a plain connection."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from cancellist.sandbox.faults.kinds import APPLIES, WIRES, FaultKind, Scope
from cancellist.sandbox.options import SandboxOptions
from cancellist.sandbox.server import running

END = b"\r\n\r\n"


class Connection:
    """A kept connection, and what has come on it."""

    def __init__(self, reader, writer, host):
        self.reader, self.writer, self.host = reader, writer, host

    async def ask(self, method, path):
        """Sends a request without a body, and reads its answer: the lines of its head, its body."""
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: 0\r\n\r\n".encode())
        return await self.answer()

    async def answer(self):
        """Reads one answer."""
        head = await asyncio.wait_for(self.reader.readuntil(END), 10)
        lines = head[: -len(END)].decode().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("Content-Length:"))
        return lines, await self.reader.readexactly(length)

    def unread(self):
        """What has come and was not read yet."""
        return bytes(self.reader._buffer)


@asynccontextmanager
async def connected(**options):
    given = {"mix": "Allocated=1", "consignments": 100} | options
    async with running(SandboxOptions(**given)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port, limit=1 << 20)
        try:
            yield server, Connection(reader, writer, f"{server.host}:{server.port}")
        finally:
            writer.close()


def state(server, index):
    return server.record([server.reference(index)])[0]["state"]


@pytest.mark.parametrize("kind", sorted(WIRES - {FaultKind.SURPLUS, FaultKind.SURPLUS_LATE}))
async def test_the_headers_are_odd_and_the_call_was_acted_on(kind):
    async with connected(faults={f"single:{kind}": 1.0}) as (server, connection):
        lines, body = await connection.ask("PUT", f"/consignments/{server.reference(0)}/cancel")
        assert (lines[0], body, state(server, 0)) == ("HTTP/1.1 200 OK", b"", "Cancelled")
        signs = {
            FaultKind.HEADER_LONG: max(map(len, lines)) > 8190 * 1.5,
            FaultKind.HEADERS_MANY: len(lines) > 128 * 1.5,
            FaultKind.HEADER_BLANK: "X-Trace : t" in lines,
            FaultKind.HEADER_NO_COLON: "X-Trace" in lines,
            FaultKind.LENGTH_DOUBLED: lines.count("Content-Length: 0") == 2,
        }
        assert [odd for odd, there in signs.items() if there] == [kind]
        lines, _ = await connection.ask("PUT", f"/consignments/{server.reference(1)}/cancel")
        assert (lines[0], state(server, 1)) == ("HTTP/1.1 200 OK", "Cancelled")


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.SEARCH])
def test_odd_bytes_can_come_with_every_call_but_searches(scope):
    assert APPLIES[scope] >= WIRES
    assert not WIRES & APPLIES[Scope.SEARCH]


async def test_a_refusal_has_odd_headers_too():
    async with connected(faults={"single:header-blank": 1.0}, mix="Manifested=1") as (server, connection):
        lines, body = await connection.ask("PUT", f"/consignments/{server.reference(0)}/cancel")
        assert lines[0] == "HTTP/1.1 400 Bad Request"
        assert b"consignment_cannot_be_cancelled" in body


async def test_an_answer_too_many_comes_with_the_answer_and_is_no_call():
    async with connected(faults={"reads:surplus": 1.0}) as (server, connection):
        _, body = await connection.ask("GET", f"/consignments/{server.reference(0)}/status")
        assert b'"Allocated"' in body
        assert connection.unread() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        lines, body = await connection.answer()
        assert (lines[0], body) == ("HTTP/1.1 200 OK", b"")
        assert server.stats()["answers"] == {"200": 1}
        assert state(server, 0) == "Allocated"


async def test_a_caller_that_takes_the_surplus_answer_for_the_next_is_wrong():
    async with connected(faults={"reads:surplus": 1.0}, mix="Manifested=1") as (server, connection):
        path = f"/consignments/{server.reference(0)}"
        await connection.ask("GET", f"{path}/status")
        taken, _ = await connection.ask("PUT", f"{path}/cancel")
        meant, _ = await connection.answer()
        assert (taken[0], meant[0]) == ("HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request")
        assert state(server, 0) == "Manifested"


async def test_an_answer_too_many_comes_late_to_an_idle_connection():
    async with connected(faults={"single:surplus-late": 1.0}, surplus_ms=50) as (server, connection):
        await connection.ask("PUT", f"/consignments/{server.reference(0)}/cancel")
        assert connection.unread() == b""
        lines, _ = await connection.answer()
        assert lines[0] == "HTTP/1.1 200 OK"
        assert server.stats()["answers"] == {"200": 1}


async def test_no_answer_too_many_is_written_while_a_call_is_under_way():
    faults = {"single:surplus-late": 1.0}
    async with connected(faults=faults, surplus_ms=50) as (server, connection):
        await connection.ask("PUT", f"/consignments/{server.reference(0)}/cancel")
        server.change(latency_ms=150)
        _, body = await connection.ask("GET", f"/consignments/{server.reference(0)}/status")
        assert b'"Cancelled"' in body
        assert connection.unread() == b""
