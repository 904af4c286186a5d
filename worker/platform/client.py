"""The platform's client: one call, one attempt, one answer or failure.

Retries, limits and what an answer means are not its business. Its wire facts are from the platform's public guide.
"""

import asyncio
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from time import time
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from jobs.outcomes import UNREADABLE, Answer, Failure

KEY_HEADER = "ocp-apim-subscription-key"
_MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are read; a list of 1,000 references takes about 150 KB."""
_MAX_RETRY_AFTER_S = 3600.0
_CONNECT_S = 10.0
_JSON = {"Content-Type": "application/json"}


class ConnectionLostError(aiohttp.ClientError):
    """The connection closed after the request was written: the platform may have acted."""


class PlatformClient:
    """Calls the platform for one account."""

    def __init__(self, base_url: str, api_key: str | None, *, timeout_s: float) -> None:
        self._base = base_url.rstrip("/")
        self._list_url = URL(f"{self._base}/consignments/cancellist", encoded=True)
        self._deallocate_url = URL(f"{self._base}/consignments/deallocatelist", encoded=True)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        if api_key:
            self._headers[KEY_HEADER] = api_key
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30),
            timeout=aiohttp.ClientTimeout(total=None, connect=min(_CONNECT_S, 0.8 * self._timeout_s)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            middlewares=(_send_once,),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def cancel(self, references: Sequence[str]) -> Answer | Failure:
        """Cancels references by one call: several by the list endpoint, one alone by its own."""
        if len(references) == 1:
            url = URL(f"{self._base}/consignments/{quote(references[0], safe='')}/cancel", encoded=True)
            return await self._send("PUT", url, None)
        return await self._send("PUT", self._list_url, orjson.dumps(references))

    async def deallocate(self, references: Sequence[str]) -> Answer | Failure:
        """Deallocates consignments, for accounts whose allocated ones cannot be cancelled."""
        return await self._send("PUT", self._deallocate_url, orjson.dumps(references))

    async def status(self, reference: str) -> Answer | Failure:
        """Reads the state of one consignment."""
        url = URL(f"{self._base}/consignments/{quote(reference, safe='')}/status", encoded=True)
        return await self._send("GET", url, None)

    async def _send(self, method: str, url: URL, body: bytes | None) -> Answer | Failure:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        headers = _JSON if body is not None else None
        try:
            # A redirect is never followed: it would carry the key to another host and send the cancellation again.
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Failure(_describe(error), written=False)
        except TimeoutError:
            return Failure("no answer in time", written=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(_describe(error), written=True)


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Lets no request be sent twice.

    aiohttp sends a PUT a second time, silently, when its connection closes after it was written (aiohttp/client.py,
    `_retry_connection`). A cancellation that may have been sent twice must be known to have been: here such an error
    becomes one that is not retried. tests/integration/test_platform_client.py pins it, against a server that closes.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLostError(_describe(error)) from error


async def _read(response: aiohttp.ClientResponse) -> Answer:
    raw = await _body(response)
    body: object = None
    if raw:
        try:
            body = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf")) if len(raw) <= _MAX_BODY else None
            body = UNREADABLE if body is None else body  # `null` is not the same as no body
        except orjson.JSONDecodeError:
            body = UNREADABLE
    wait_s = _retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"))
    return Answer(response.status, body, wait_s)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body, up to one byte more than is taken; what is compressed may be longer than its length says."""
    if response.content_length is not None and "Content-Encoding" not in response.headers:
        if response.content_length > _MAX_BODY:
            return b" " * (_MAX_BODY + 1)
        return await response.read()
    raw = bytearray()
    while len(raw) <= _MAX_BODY and (block := await response.content.readany()):
        raw += block
    return bytes(raw)


def _retry_after_s(value: str | None, date: str | None) -> float | None:
    """Seconds of a Retry-After in either form (RFC 9110, 10.2.3); a date counts from the answer's own.

    This machine's clock may be wrong by an hour, and would then have the account wait for that hour.
    """
    if not value:
        return None
    try:
        is_date = not value.strip().isdigit()
        seconds = parsedate_to_datetime(value).timestamp() - _sent_at(date) if is_date else float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(_MAX_RETRY_AFTER_S, max(0.0, seconds))


def _sent_at(date: str | None) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() if date else time()
    except (ValueError, TypeError, OverflowError):
        return time()


def _describe(error: Exception) -> str:
    """What went wrong, without the URL's secrets: there are none, since the key travels in a header."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
