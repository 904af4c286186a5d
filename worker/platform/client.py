"""The platform's client: one call, one attempt, one answer or failure.

Retries, limits and what an answer means are not its business. Its wire facts are from the platform's public guide.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson
import structlog
from yarl import URL

from jobs.errors import SettingsError
from jobs.outcomes import UNREADABLE, Answer, Failure

log = structlog.get_logger()

KEY_HEADER = "ocp-apim-subscription-key"
_MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are read; a list of 1,000 references takes about 150 KB."""
_MAX_RETRY_AFTER_S = 3600.0
_CONNECT_S = 10.0
_KEY_REFUSED = frozenset({401, 403})
_READ_KEY_S = 0.25
"""For how long a call waits for its key's file: it is fenced by a lease, and must not be sent late."""
_JSON = {"Content-Type": "application/json"}
_FRESH = {"Cache-Control": "no-cache"}
"""A state must be the one that holds now: no proxy on the way may answer from memory (RFC 9111, 5.2.1.4)."""


class ConnectionLostError(aiohttp.ClientError):
    """The connection closed after the request was written: the platform may have acted."""


class WithheldError(aiohttp.ClientError):
    """The connection took so long that the request may not be sent any more: nothing of it was."""


async def _always() -> bool:
    return True


MaySend = Callable[[], Awaitable[bool]]
"""Whether a request may still be sent; asked once its connection stands."""


@dataclass
class _Look:
    """The last look of one call, before its first byte; none has left before it is `passed`."""

    may_send: MaySend
    passed: bool = False


_look: ContextVar[_Look] = ContextVar("look")


class _LastLook(aiohttp.TCPConnector):
    """Asks once more before the first byte: connecting may take seconds, and a lease or a gate does not wait for it."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> aiohttp.connector.Connection:
        connection, look = await super().connect(req, traces, timeout), _look.get()
        try:
            look.passed = await look.may_send()
        finally:
            if not look.passed:
                connection.release()
        if not look.passed:
            raise WithheldError
        return connection


class PlatformClient:
    """Calls the platform for one account.

    Args:
        base_url: what comes before `/consignments`.
        api_key: the subscription key.
        timeout_s: for one call.
        read_key: reads the key anew, where it can change; asked before the call that follows a refusal of the key.
    """

    def __init__(
        self, base_url: str, api_key: str | None, *, timeout_s: float, read_key: Callable[[], str | None] | None = None
    ) -> None:
        self._base = base_url.rstrip("/")
        self._list_url = URL(f"{self._base}/consignments/cancellist", encoded=True)
        self._deallocate_url = URL(f"{self._base}/consignments/deallocatelist", encoded=True)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        self._key = api_key
        self._read_key = read_key
        self._refused = False
        self._reading: asyncio.Task[str | None] | None = None
        self._unread = ""
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_LastLook(limit=0, ttl_dns_cache=30),
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
        if self._reading:
            self._reading.cancel()
        if self._session:
            await self._session.close()

    async def cancel(self, references: Sequence[str], may_send: MaySend = _always) -> Answer | Failure:
        """Cancels references by one call: several by the list endpoint, one alone by its own."""
        if len(references) == 1:
            url = URL(f"{self._base}/consignments/{quote(references[0], safe='')}/cancel", encoded=True)
            return await self._send("PUT", url, None, may_send)
        return await self._send("PUT", self._list_url, orjson.dumps(references), may_send, _JSON)

    async def deallocate(self, references: Sequence[str], may_send: MaySend = _always) -> Answer | Failure:
        """Deallocates consignments, for accounts whose allocated ones cannot be cancelled."""
        return await self._send("PUT", self._deallocate_url, orjson.dumps(references), may_send, _JSON)

    async def status(self, reference: str, may_send: MaySend = _always) -> Answer | Failure:
        """Reads the state of one consignment."""
        url = URL(f"{self._base}/consignments/{quote(reference, safe='')}/status", encoded=True)
        return await self._send("GET", url, None, may_send, _FRESH)

    async def _send(
        self,
        method: str,
        url: URL,
        body: bytes | None,
        may_send: MaySend,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Failure:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        sent = dict(headers or {})
        if key := await self._key_now():
            sent[KEY_HEADER] = key
        look = _Look(may_send)
        _look.set(look)
        try:
            # A redirect is never followed: it would carry the key to another host and send the cancellation again.
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.request(method, url, data=body, headers=sent, allow_redirects=False) as response,
            ):
                answer = await _read(response)
                if answer.status in _KEY_REFUSED and key == self._key:
                    self._refused = True
                return answer
        except WithheldError:
            return Failure("it could not be sent in time", written=False, withheld=True)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Failure(_describe(error), written=False)
        except TimeoutError:
            return Failure("no answer in time", written=look.passed, timed_out=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(_describe(error), written=look.passed)

    async def _key_now(self) -> str | None:
        """The key; read anew once the platform has refused it, so that a mended one is taken up without a restart."""
        if self._refused and self._read_key:
            reading = self._reading = self._reading or asyncio.create_task(asyncio.to_thread(self._read_key))
            await asyncio.wait({reading}, timeout=_READ_KEY_S)
            if self._reading is reading:  # else another call has taken it
                self._take(reading)
        return self._key

    async def mended(self) -> bool:
        """Whether there is another key now in place of one that the platform has refused."""
        if not (self._refused and self._read_key):
            return False
        refused = self._key
        changed = await self._key_now() != refused
        self._refused = not changed
        return changed

    def _take(self, reading: asyncio.Task[str | None]) -> None:
        """Takes the key that was read; one whose file does not answer is waited for by the next call."""
        unread = ""
        if not reading.done():
            unread = "its file does not answer"
        else:
            self._reading = None
            try:
                key = reading.result()
            except SettingsError as error:
                unread = str(error)
            else:
                if key != self._key:
                    log.info("the key has changed", platform=self._base)
                self._key, self._refused = key, False
        if unread and unread != self._unread:
            log.warning("the key cannot be read anew; the last one is sent", platform=self._base, reason=unread)
        self._unread = unread


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
    elif "Content-Encoding" in response.headers and response.content_length != 0:
        body = UNREADABLE  # what is packed and cut short may unpack to nothing at all, without an error
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
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
