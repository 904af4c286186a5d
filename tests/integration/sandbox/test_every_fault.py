"""Every kind of fault changes what a caller receives, byte by byte, compared with the same call without it."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from time import monotonic, time

import orjson
import pytest
import pytest_asyncio

from cancellist.sandbox.faults.kinds import APPLIES, WIRES, FaultKind, Scope
from cancellist.sandbox.options import SandboxOptions
from cancellist.sandbox.server import Sandbox, running

NAMES = 10
CONSIGNMENTS = 10_000
SLOW_MS = 200
NEW_S = 60
SURPLUS = {FaultKind.SURPLUS, FaultKind.SURPLUS_LATE}
ERRORS = {FaultKind.ERROR_TEXT, FaultKind.ERROR_SHORT}
HANGING = {"hang_ms": 20.0, "late_ms": 1.0, "slow_ms": float(SLOW_MS), "surplus_ms": 1.0}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    options = SandboxOptions(mix="Allocated=1,ReadyToShip=1", consignments=CONSIGNMENTS, **HANGING)  # type: ignore[arg-type]
    async with running(options) as server:
        yield server


fresh = itertools.count(0, NAMES)
"""The place of the first reference that no call has named."""


def read_only(server: Sandbox) -> list[str]:
    """A reference that no call changes, and whose state has a name of several words."""
    last = [server.reference(CONSIGNMENTS - number) for number in range(1, 50)]
    return [next(row["reference"] for row in server.record(last) if row["state"] == "ReadyToShip")]


def request_of(kind: FaultKind, references: list[str]) -> tuple[str, str, bytes]:
    """A call that the fault applies to: method, path and body."""
    if kind in ERRORS:
        return "PUT", "/consignments/EC-000-000-ZZZ/cancel", b""
    if kind in APPLIES[Scope.LIST]:
        return "PUT", "/consignments/cancellist", orjson.dumps(references)
    return "GET", f"/consignments/{references[0]}/status", b""


async def received(server: Sandbox, kind: FaultKind) -> tuple[bytes, float]:
    """All bytes that one call receives, and how long it took. What differs from call to call is made the same."""
    if kind in APPLIES[Scope.LIST]:
        first = next(fresh)
        references = [server.reference(first + number) for number in range(NAMES)]
    else:
        references = read_only(server)
    method, path, body = request_of(kind, references)
    kept = kind in WIRES  # these are for connections that are kept
    surplus = kind in SURPLUS and server.settings.faults
    ending = "keep-alive" if kept else "close"
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: {ending}\r\nContent-Type: application/json\r\n"
    started = monotonic()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        async with asyncio.timeout(5):
            got = await (answers(reader, 2 if surplus else 1) if kept else everything(reader))
    finally:
        writer.close()
    for number, reference in enumerate(references):
        got = got.replace(reference.encode(), b"reference %d" % number)
    got = re.sub(rb"[0-9a-f]{8}-[0-9a-f-]{27}", b"an id", got)
    return re.sub(rb"(?<=Date: )[^\r]+", age, got), monotonic() - started


async def everything(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed or reset."""
    parts = []
    try:
        while part := await reader.read(1 << 20):
            parts.append(part)
    except ConnectionError:
        parts.append(b"reset")
    return b"".join(parts)


async def answers(reader: asyncio.StreamReader, number: int) -> bytes:
    """So many answers of a connection that stays open."""
    parts = []
    for _ in range(number):
        parts.append(await reader.readuntil(b"\r\n\r\n"))
        length = re.search(rb"Content-Length: (\d+)", parts[-1])
        assert length
        parts.append(await reader.readexactly(int(length[1])))
    return b"".join(parts)


def age(date: re.Match[bytes]) -> bytes:
    return b"now" if time() - parsedate_to_datetime(date[0].decode()).timestamp() < NEW_S else b"long ago"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", FaultKind)
async def test_a_fault_changes_what_the_caller_receives(sandbox: Sandbox, kind: FaultKind) -> None:
    sandbox.change(faults={})
    usual, _ = await received(sandbox, kind)
    assert usual.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404" if kind in ERRORS else b"HTTP/1.1 200"))
    assert (await received(sandbox, kind))[0] == usual, "two calls without a fault receive the same"
    scope = next(scope for scope in Scope if kind in APPLIES[scope] and (kind not in ERRORS or scope is Scope.SINGLE))
    sandbox.change(faults={f"{scope}:{kind}": 1.0})
    faulty, took_s = await received(sandbox, kind)
    if kind is FaultKind.SLOW:
        assert took_s >= SLOW_MS / 1000
    elif kind is FaultKind.TRUNCATED:
        whole, half = usual.partition(b"\r\n\r\n")[2], faulty.partition(b"\r\n\r\n")[2]
        assert 0.4 * len(whole) < len(half) < 0.6 * len(whole)
    else:
        assert faulty != usual
