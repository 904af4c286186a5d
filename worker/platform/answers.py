"""Reads answers of the platform: status, body, and the hints of headers."""

from time import monotonic, time

import aiohttp
import structlog

from cancellist.jobs.responses.answer import UNREADABLE, Answer
from cancellist.worker.platform import bodies, freshness, retry_after
from cancellist.worker.platform.dates import seconds_of

log = structlog.get_logger()

_MAX_BODY = 8 * 1024 * 1024
"""The most bytes of a body that are read; the answer for 1,000 references takes about 150 KB."""
_MAX_RETRY_AFTER_S = 3600.0
_TOLD_EVERY_S = 600.0


class Answers:
    """Reads the answers of one platform, and learns its clock from them.

    Args:
        platform: its name in log lines.
    """

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._clock = freshness.PlatformClock()
        self._told_at_s: float | None = None

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        """Reads an answer to its end; its head has just come."""
        headers, at_s = response.headers, monotonic()
        date_s = _date(headers.get("Date"))
        if date_s is not None:
            self._clock.learn(date_s, at_s, kept=response.method == "GET")
        age_s = freshness.age_s(headers.getall("Age", ()), date_s, self._now(response, at_s))
        modified_s = _date(headers.get("Last-Modified"))
        unmodified_s = freshness.unmodified_s(modified_s, date_s, age_s, self._clock.now(at_s)) if modified_s else None
        wait_s = self._wait_s(headers.getall("Retry-After", ()), date_s, at_s)
        return Answer(response.status, await _body(response), wait_s, age_s, unmodified_s)

    def _now(self, response: aiohttp.ClientResponse, at_s: float) -> float | None:
        """The platform's time, for an answer that a cache may have kept; no cache keeps an answer to PUT."""
        return self._clock.now(at_s) if response.method == "GET" else None

    def _wait_s(self, values: list[str] | tuple[str, ...], date_s: float | None, at_s: float) -> float | None:
        """The pause that the platform asks for. Dates count from the answer's own, since our clock may be wrong."""
        if not values:
            return None
        sent_at_s = date_s if date_s is not None else self._clock.now(at_s)
        asked_s = retry_after.wait_s(values, sent_at_s if sent_at_s is not None else time())
        if asked_s is None or asked_s <= _MAX_RETRY_AFTER_S:
            return asked_s
        if self._told_at_s is None or at_s - self._told_at_s >= _TOLD_EVERY_S:
            self._told_at_s = at_s
            log.warning(
                "the platform asks for a longer pause than is kept",
                platform=self._platform, asked_seconds=asked_s, kept_seconds=_MAX_RETRY_AFTER_S,
            )  # fmt: skip
        return _MAX_RETRY_AFTER_S


def _date(value: str | None) -> float | None:
    return seconds_of(value) if value else None


async def _body(response: aiohttp.ClientResponse) -> object:
    raw = await _raw(response)
    if raw is None:
        return UNREADABLE
    body = bodies.decode(raw, response.headers.get("Content-Type", ""))
    if body is None and "Content-Encoding" in response.headers and response.content_length != 0:
        return UNREADABLE  # a compressed body that was cut may unpack to nothing, without an error
    return body


async def _raw(response: aiohttp.ClientResponse) -> bytes | None:
    """The bytes of a body; None where they are too many. A compressed body may be longer than its length says."""
    if response.content_length is not None and "Content-Encoding" not in response.headers:
        return await response.read() if response.content_length <= _MAX_BODY else None
    raw = bytearray()
    while len(raw) <= _MAX_BODY and (block := await response.content.readany()):
        raw += block
    return bytes(raw) if len(raw) <= _MAX_BODY else None
