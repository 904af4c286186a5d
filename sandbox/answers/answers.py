"""Answers of the platform before they go on the wire. Pure."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import orjson

JSON: Final = "application/json; charset=utf-8"
PROBLEM: Final = "application/problem+json"
HTML: Final = "text/html; charset=utf-8"
LOGIN_PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"
_GZIP_FROM: Final = 1024
"""Size in bytes from which a body is compressed."""


class Delivery(StrEnum):
    """How an answer reaches the caller, or fails to."""

    WHOLE = "whole"
    CUT = "cut"
    HANG = "hang"
    CLOSE = "close"
    RESET = "reset"


class Odd(StrEnum):
    """Defects of the bytes of an answer, or of those after it."""

    LONG_HEADER = "long-header"
    MANY_HEADERS = "many-headers"
    BLANK_IN_HEADER = "blank-in-header"
    NO_COLON = "no-colon"
    TWO_LENGTHS = "two-lengths"
    SURPLUS = "surplus"
    SURPLUS_LATE = "surplus-late"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: JSON in `content`, or else bytes in `body`.

    For searches it is `matches`, references to stream, or `steps`, which yield None to let other calls run, and the
    answer at last.
    """

    status: int
    content: Sequence[Mapping[str, object]] | Mapping[str, object] | None = None
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery.WHOLE
    matches: Iterator[list[str]] | None = None
    steps: "Iterator[Answer | None] | None" = None
    odd: Odd | None = None


def encode(answer: Answer, *, gzipped: bool) -> tuple[bytes, dict[str, str]]:
    """Returns the body and headers of an answer, compressed if the caller accepts it and the body is large enough."""
    body = orjson.dumps(answer.content) if answer.content is not None else answer.body
    headers = dict(answer.headers)
    if body:
        headers["Content-Type"] = answer.content_type
    if gzipped and len(body) >= _GZIP_FROM and "Content-Encoding" not in headers:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return body, headers


def error(status: int, code: str, message: str, call: int = 0, details: Sequence[Mapping[str, str]] = ()) -> Answer:
    """Returns an error with the platform's own body."""
    content = {
        "Code": code,
        "Message": message,
        "CorrelationId": f"5a6db0c5-0000-4000-8000-{call:012x}",
        "Details": list(details),
    }
    return Answer(status, content)


def detail(code: str, target: str, message: str) -> dict[str, str]:
    """Returns one of an error's details."""
    return {"Code": code, "Target": target, "Message": message}


def gateway_error(status: int, message: str) -> Answer:
    """Returns an error with the body of the gateway before the platform."""
    return Answer(status, {"statusCode": status, "message": message})


def error_page(status: int) -> Answer:
    """Returns an HTML error page of a proxy."""
    page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
    return Answer(status, body=page.encode(), content_type=HTML)
