"""Answers that are written as raw bytes, because no HTTP library would write them."""

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from cancellist.sandbox.answers.answers import Odd

SURPLUS: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
"""An answer without a request."""

_LONG: Final = 16 * 1024
_MANY: Final = 200


def compose(status: int, headers: Mapping[str, str], body: bytes, odd: Odd, at: float) -> bytes:
    """Returns the bytes of an answer with a defect."""
    phrase = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    if "Date" not in headers:
        lines.append(f"Date: {formatdate(at, usegmt=True)}")
    lines += [f"Content-Length: {len(body)}", *_odd_lines(odd, len(body))]
    head = "\r\n".join(lines).encode()
    return head + b"\r\n\r\n" + body + (SURPLUS if odd is Odd.SURPLUS else b"")


def _odd_lines(odd: Odd, length: int) -> list[str]:
    match odd:
        case Odd.LONG_HEADER:
            return [f"X-Trace: {'t' * _LONG}"]
        case Odd.MANY_HEADERS:
            return [f"X-Trace-{number}: t" for number in range(_MANY)]
        case Odd.BLANK_IN_HEADER:
            return ["X-Trace : t"]
        case Odd.NO_COLON:
            return ["X-Trace"]
        case Odd.TWO_LENGTHS:
            return [f"Content-Length: {length}"]
        case Odd.SURPLUS | Odd.SURPLUS_LATE:
            return []


class RawResponse(web.Response):
    """A response whose bytes are all given; its connection is kept."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection is kept."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Writes it all at once, if the caller is still there."""
        if request.transport is not None:
            request.transport.write(self._raw)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Writes no more."""
