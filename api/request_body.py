"""The body of a request: read as it comes, unpacked, counted, and never held whole but where it is one JSON object."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from enum import Enum
from typing import Final

from fastapi import Request
from starlette.types import Receive

from cancellist.api.options import LEAST, Limits
from cancellist.api.problems import ClientGoneError, ProblemError
from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import Form
from cancellist.jobs.parsing.documents.unpacking import MAGIC, Unpacker

_MOST_BYTES: Final = 65_536
"""Bytes of a small JSON object."""
_MARK: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t\r\n"
_LONGEST_START: Final = 64 * 1024
_MOST_TIMES: Final = 200
_ALWAYS: Final = 16 * 1024 * 1024
"""A packed body may unpack to so many bytes, and to so many times its own: gzip can hold a thousand times as
much, which costs a client seconds and us minutes."""
_GZIP: Final = frozenset({"gzip", "x-gzip"})


class Declared(Enum):
    """What a body is said to be: its types, what it is called, and the forms that it may then be found to have."""

    JSON = (("application/json",), "JSON", ("json",))
    CSV = (("text/csv",), "CSV", ("csv", "lines"))
    NDJSON = (("application/x-ndjson", "application/ndjson", "application/jsonl"), "JSON lines", ("jsonl", "json"))
    TEXT = (("text/plain",), "one reference a line", ("lines", "csv"))

    def __init__(self, types: tuple[str, ...], called: str, forms: tuple[Form, ...]) -> None:
        self.types = types
        self.called = called
        self.forms = forms


def declared_of(request: Request) -> Declared:
    """What the header says that the body is.

    Raises:
        ProblemError: it says nothing, or what is not read.
    """
    given = request.headers.get("content-type", "")
    media_type = given.partition(";")[0].strip()
    for one in Declared:
        if media_type.lower() in one.types:
            return one
    said = f"the body is said to be {media_type}" if media_type else "nothing says what the body is"
    raise ProblemError("unsupported_media_type", said)


def is_packed(request: Request) -> bool:
    """Whether the header says that the body is gzip.

    Raises:
        ProblemError: it says something else than that or nothing.
    """
    words = [word.strip() for word in request.headers.get("content-encoding", "").split(",")]
    named = [word for word in words if word.lower() not in {"", "identity"}]
    if not named:
        return False
    if len(named) == 1 and named[0].lower() in _GZIP:
        return True
    detail = f"the body is said to be packed as {', '.join(named)}"
    raise ProblemError("unsupported_media_type", detail, headers={"Accept-Encoding": "gzip"})


class Memory:
    """Bounds the bytes of all bodies together that are held whole.

    Args:
        most: how many bytes there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that takes bytes, and gives them back at the end of the block.

        The function raises ProblemError where there is no room.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._used + size > self._most:
                raise ProblemError("too_many_bodies", f"JSON objects of {self._most:,} bytes are being read")
            self._used += size
            taken += size

        try:
            yield take
        finally:
            self._used -= taken


class Body:
    """The body of a request, to be read once.

    Attributes:
        on_bytes: called for each block that has come.

    Args:
        receive: where its bytes come from.
        packed: whether the header says that it is gzip.
        limits: how much of it there may be, and how long it may be silent.
    """

    name = "the body"

    def __init__(self, receive: Receive, *, packed: bool, limits: Limits) -> None:
        self._receive = receive
        self._packed = packed
        self._limits = limits
        self.on_bytes: Callable[[], Awaitable[None]] | None = None
        self._held: list[bytes] = []
        self._came = 0
        self._rest = self._unpacked()

    def check_length(self, said: str | None) -> None:
        """Refuses a body that is said to be too long, before a byte of it is read.

        Raises:
            ProblemError: it is.
        """
        if said and said.isdecimal() and int(said[:20]) > self._limits.max_body:
            raise _too_large(self._limits.max_body)

    async def begins_with(self) -> bytes:
        """Its first byte that is not blank, which stays to be read; empty where there is none.

        Raises:
            InputError: it begins with blanks that do not end; and as `blocks`.
        """
        start = b""
        while True:
            bare = start.removeprefix(_MARK).lstrip(_BLANKS)
            if bare and not _MARK.startswith(start):
                return bare[:1]
            if len(start) > _LONGEST_START:
                raise InputError("the body begins with more blanks than any JSON")
            block = await anext(self._rest, b"")
            if not block:
                return bare[:1]
            self._held.append(block)
            start += block

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """What it holds, unpacked.

        Raises:
            ClientGoneError: it was cut.
            InputError: the gzip is damaged.
            ProblemError: it is too large, or has stopped to come.
        """
        async with aclosing(self._rest) as rest:
            while self._held:
                yield self._held.pop(0)
            async for block in rest:
                yield block

    async def whole(self, most: int, take: Callable[[int], None] = lambda _: None) -> bytes:
        """All of it, where it has at most so many bytes; `take` is told of each block before it is held.

        Raises:
            ProblemError: it has more; and as `blocks`.
            ClientGoneError: as `blocks`.
            InputError: as `blocks`.
        """
        parts, size = [], 0
        async with aclosing(self.blocks()) as blocks:
            async for block in blocks:
                size += len(block)
                if size > most:
                    raise ProblemError(
                        "body_too_large",
                        f"a JSON object may have {most:,} bytes",
                        hint="send more as application/x-ndjson, text/csv or text/plain, of any length",
                    )
                take(len(block))
                parts.append(block)
        return b"".join(parts)

    async def _unpacked(self) -> AsyncGenerator[bytes, None]:
        """Its bytes without what the header says they are packed in, and without a gzip that they are themselves."""
        blocks: AsyncIterator[bytes] = self._received()
        if self._packed:
            blocks = _unpack(blocks, must=True)
        size = 0
        async for block in _unpack(blocks, must=False):
            size += len(block)
            if size > self._limits.max_body:
                raise _too_large(self._limits.max_body)
            if size > _ALWAYS + _MOST_TIMES * self._came:
                told = f"a body may unpack to {_MOST_TIMES} times its bytes"
                raise ProblemError("body_too_large", told, hint="send it unpacked")
            yield block

    async def _received(self) -> AsyncGenerator[bytes, None]:
        """Its bytes as they come. Only time spent waiting for the client counts."""
        waited_s, came, most_s = 0.0, 0, self._limits.silence_s
        while True:
            began_at = time.monotonic()
            try:
                async with asyncio.timeout(most_s - waited_s):
                    message = await self._receive()
            except TimeoutError:
                told = f"fewer than {LEAST} bytes of the body came within {most_s:g} s"
                raise ProblemError("request_timeout", told) from None
            waited_s, came = waited_s + time.monotonic() - began_at, came + len(message.get("body", b""))
            if came >= LEAST:
                waited_s, came = 0.0, 0
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            if block := message.get("body", b""):
                self._came += len(block)
                if self._came > self._limits.max_body:
                    raise _too_large(self._limits.max_body)
                if self.on_bytes:
                    await self.on_bytes()
                yield block
            if not message.get("more_body"):
                return


async def _unpack(blocks: AsyncIterator[bytes], *, must: bool) -> AsyncGenerator[bytes, None]:
    """Takes one gzip off.

    Raises:
        InputError: there is none where there must be; or it is damaged, or holds another.
    """
    unpacker, head = Unpacker(), b""
    async for pieces in _fed(unpacker, blocks):
        for piece in pieces:
            if len(head) < len(MAGIC):
                head += piece[: len(MAGIC)]
                if must and not unpacker.packed:
                    raise InputError("the body is said to be gzip, and is not")
                if not must and unpacker.packed and head.startswith(MAGIC):
                    raise InputError("the body is a gzip within a gzip: unpack it first")
            yield piece
            await asyncio.sleep(0)  # little may become much, once it is unpacked


async def _fed(unpacker: Unpacker, blocks: AsyncIterator[bytes]) -> AsyncGenerator[Iterable[bytes], None]:
    async for block in blocks:
        yield unpacker.feed(block)
    yield unpacker.feed(b"", final=True)


def _too_large(most: int) -> ProblemError:
    return ProblemError("body_too_large", f"a body may have {most:,} bytes, unpacked")


async def json_body(request: Request, limits: Limits, *, needed: bool = True) -> bytes:
    """The small JSON object of a request; empty where there may be none.

    Raises:
        ProblemError: it is another kind of body, or too large.
    """
    body = Body(request.receive, packed=is_packed(request), limits=limits)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type.lower() == "application/json":
        return await body.whole(_MOST_BYTES)
    if not needed and not media_type and not await body.begins_with():
        return b""
    said = f"the body is said to be {media_type}" if media_type else "nothing says what the body is"
    raise ProblemError("unsupported_media_type", said, hint="send Content-Type: application/json")
