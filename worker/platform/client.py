"""The platform's client: one call, one attempt, one answer or failure.

It has no part in retries, limits and the meaning of answers. Source of the endpoints and headers: the platform's guide.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import aiohttp
import orjson
import structlog
from yarl import URL

from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.worker.platform.answers import Answers
from cancellist.worker.platform.connections import (
    LONGEST_HEAD,
    Call,
    Connector,
    MaySend,
    Request,
    UnfitError,
    WithheldError,
    current,
)
from cancellist.worker.platform.key import Key

__all__ = ["KEY_HEADER", "VERSION_HEADER", "MaySend", "PlatformClient"]

log = structlog.get_logger()

KEY_HEADER = "ocp-apim-subscription-key"
VERSION_HEADER = "electio-api-version"
_CONNECT_S = 10.0
_KEY_REFUSED = frozenset({401, 403})
_MOST_HEADERS = 10_000
_FINAL = 200
_LONGEST_REASON = 200
_WRITING = {"Content-Type": "application/json"}
"""Headers of every PUT and POST, also without a body: the platform rejects every other type but XML."""
_READING = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
"""Headers of every GET: no proxy may answer from its cache (RFC 9111, 5.2.1.4)."""
_ALONE = {"Connection": "close"}


class ConnectionLostError(aiohttp.ClientError):
    """The connection closed after the request was written: the platform may have acted."""


async def _always() -> bool:
    return True


class PlatformClient:
    """Calls the platform for one account.

    Args:
        base_url: the URL before `/consignments`.
        api_key: the subscription key.
        timeout_s: the timeout of one call.
        read_key: reads the key again, where it can change; called before the call that follows a refusal of the key.
        version: the version of the platform's API; empty for none.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout_s: float,
        read_key: Callable[[], str | None] | None = None,
        version: str = "",
    ) -> None:
        self._base = base_url.rstrip("/")
        self._list_url = URL(f"{self._base}/consignments/cancellist", encoded=True)
        self._deallocate_url = URL(f"{self._base}/consignments/deallocatelist", encoded=True)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        if version:
            self._headers[VERSION_HEADER] = version
        self._key = Key(api_key, read_key, self._base)
        self._answers = Answers(self._base)
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=Connector(),
            request_class=Request,
            timeout=aiohttp.ClientTimeout(total=None, connect=min(_CONNECT_S, 0.8 * self._timeout_s)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            middlewares=(_send_once,),
            trust_env=False,
            max_line_size=LONGEST_HEAD,
            max_field_size=LONGEST_HEAD,
            max_headers=_MOST_HEADERS,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._key.close()
        if self._session:
            await self._session.close()

    async def cancel(self, references: Sequence[str], may_send: MaySend = _always) -> Answer | Failure:
        """Cancels references by one call: several by the endpoint for lists, a single one by its own.

        The success of a single reference names none. It is trusted because its connection carries no other request.
        """
        if len(references) == 1:
            url = URL(f"{self._base}/consignments/{quote(references[0], safe='')}/cancel", encoded=True)
            return await self._send("PUT", url, None, {**_WRITING, **_ALONE}, Call(may_send, alone=True))
        return await self._send("PUT", self._list_url, orjson.dumps(references), _WRITING, Call(may_send))

    async def deallocate(self, references: Sequence[str], may_send: MaySend = _always) -> Answer | Failure:
        """Deallocates consignments, for accounts whose allocated ones cannot be cancelled."""
        return await self._send("PUT", self._deallocate_url, orjson.dumps(references), _WRITING, Call(may_send))

    async def create(self, body: Mapping[str, object], may_send: MaySend = _always) -> Answer | Failure:
        """Creates a consignment, on a connection that carries no other request. Each call creates another one."""
        url = URL(f"{self._base}/consignments", encoded=True)
        headers = {**_WRITING, **_ALONE}
        return await self._send("POST", url, orjson.dumps(body), headers, Call(may_send, alone=True))

    async def status(self, reference: str, may_send: MaySend = _always, *, alone: bool = False) -> Answer | Failure:
        """Reads the state of one consignment; `alone` uses a connection that carries no other request.

        Only there an answer without a name, such as a 404, surely belongs to this request.
        """
        url = URL(f"{self._base}/consignments/{quote(reference, safe='')}/status", encoded=True)
        headers = {**_READING, **_ALONE} if alone else _READING
        return await self._send("GET", url, None, headers, Call(may_send, alone=alone))

    async def record(self, reference: str, may_send: MaySend = _always) -> Answer | Failure:
        """Reads the whole record of one consignment, on a connection that carries no other request."""
        url = URL(f"{self._base}/consignments/{quote(reference, safe='')}", encoded=True)
        return await self._send("GET", url, None, {**_READING, **_ALONE}, Call(may_send, alone=True))

    async def record_with_metadata(self, reference: str) -> Answer | Failure:
        """Reads a record by the endpoint that surely shows its metadata; alone, as `record`."""
        path = f"consignments/getConsignmentWithMetadata/{quote(reference, safe='')}"
        url = URL(f"{self._base}/{path}", encoded=True)
        return await self._send("GET", url, None, {**_READING, **_ALONE}, Call(_always, alone=True))

    async def references(self, filters: Sequence[tuple[str, str]]) -> Answer | Failure:
        """Asks for the references that match all filters, given as names and values.

        The answer names no filter, so it comes on a connection that carries no other request.
        """
        query = urlencode(filters, quote_via=quote)
        url = URL(f"{self._base}/consignments/getConsignmentReferences?{query}", encoded=True)
        return await self._send("GET", url, None, {**_READING, **_ALONE}, Call(_always, alone=True))

    async def search(self, filters: Sequence[tuple[str, str]], *, take: int, skip: int = 0) -> Answer | Failure:
        """Asks for a page of the consignments that match all filters, and for their number; alone, as `references`."""
        query = urlencode(filters, quote_via=quote)
        url = URL(f"{self._base}/consignments/{take}/{skip}?{query}", encoded=True)
        return await self._send("GET", url, None, {**_READING, **_ALONE}, Call(_always, alone=True))

    async def mended(self) -> bool:
        """Whether a new key has replaced one that the platform refused."""
        return await self._key.mended()

    async def _send(
        self, method: str, url: URL, body: bytes | None, headers: dict[str, str], call: Call
    ) -> Answer | Failure:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        if key := await self._key.now():
            headers = {**headers, KEY_HEADER: key}
        current.set(call)
        try:
            # A redirect is never followed: it would carry the key to another host and send the cancellation again.
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                if response.status < _FINAL:
                    return Failure("the platform wants another protocol", written=True)
                if len(response.headers.getall("Content-Length", ())) > 1:  # aiohttp's parser in Python takes the first
                    return Failure("the answer cannot be read (it has two lengths)", written=True)
                answer = await self._answers.read(response)
                if call.alone and call.doubtful:
                    return Failure("more than one answer came", written=True)
                if answer.status in _KEY_REFUSED:
                    self._key.refused(key)
                return answer
        except Exception as error:  # noqa: BLE001 - no error may stop the job
            return _failure(error, call)


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Prevents that a request is sent twice. A request that was not written at all is sent on a new connection.

    aiohttp sends a PUT a second time, silently, when its connection closes after it was written (aiohttp/client.py,
    `_retry_connection`). A cancellation that may have been sent twice must be known to have been: here such an error
    becomes one that is not retried. tests/integration/platform/test_client.py pins it, against a server that closes.
    """
    try:
        try:
            return await handler(request)
        except UnfitError:
            call = current.get()
            if call.written:
                raise
            call.alone = True
            return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLostError(_described(error)) from error


def _failure(error: Exception, call: Call) -> Failure:
    """The failure of a call without an answer. If a byte of it may have left, the platform may have acted."""
    match error:
        case WithheldError():
            return Failure("it could not be sent in time", written=False, withheld=True)
        case UnfitError():
            return Failure(str(error), written=call.written)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL():
            return Failure(_described(error), written=False)
        case TimeoutError():
            return Failure("no answer in time", written=call.written, timed_out=True)
        case aiohttp.ClientResponseError(message=message):
            what = message.partition("\n")[0].partition(":")[0].strip()
            return Failure(f"the answer cannot be read ({what or type(error).__name__})", written=call.written)
        case aiohttp.ClientError() | OSError() | ValueError():
            return Failure(_described(error), written=call.written)
    log.error("a call failed in a way that is not foreseen", exc_info=error)
    return Failure(_described(error), written=call.written)


def _described(error: Exception) -> str:
    """The error as text. It holds no secret, since the key is in a header."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_LONGEST_REASON] if text else type(error).__name__
