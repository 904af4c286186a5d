# Made by scripts/generate_sync.py from _async/http.py: change that one, and run the script.

"""The way in by HTTP."""

import json
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote

import httpx

from cancellist_client._sync.transport import Transport
from cancellist_client.addresses import bearer, shown, split
from cancellist_client.errors import ApiError, CancellistError, TlsError, TransportError, UnsupportedError
from cancellist_client.event_stream import EventParser
from cancellist_client.models import Handed, Result, ResultsPage
from cancellist_client.options import Options
from cancellist_client.problems import refusal
from cancellist_client.retrying import Backoff
from cancellist_client.sources import Source
from cancellist_client.waiting import sync_run, sync_sleep

_REFUSED: Final = 300
_NO_SUCH_ROUTE: Final = frozenset({404, 405, 406, 501})
_MENTIONS: Final = 1000
_EVENTS: Final = "text/event-stream"
_HINTS: Final = {
    "CERTIFICATE_VERIFY_FAILED": "; where an authority of your own signs it, give http=httpx.Client(verify=...)",
    "WRONG_VERSION_NUMBER": "; does it speak http://?",
}
"""What to do about words of OpenSSL."""
_Content: TypeAlias = Callable[[], Iterator[bytes] | bytes] | None


class HttpTransport(Transport):
    """Speaks to `cancellist serve`.

    Args:
        url: where it listens.
        token: a token of it.
        timeout: seconds without a sign of life after which an answer is given up.
        backoff: when a request is sent again.
        http: the HTTP client to use, with proxies or certificates of its own; it is not closed here.
    """

    has_events = True

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        timeout: float,
        backoff: Backoff,
        http: httpx.Client | None = None,
    ) -> None:
        parts = split(url)
        self.shown = shown(parts)
        self._base = self.shown.rstrip("/")
        self._headers = {"Accept": "application/json", **bearer(token)}
        self._timeout = timeout
        self._backoff = backoff
        self._own = http is None
        self._http = http or httpx.Client(follow_redirects=False)

    def submit(self, source: Source, options: Options) -> Handed:
        """Streams the body; the key goes into a header, so that every attempt bears the same."""
        headers = {"Idempotency-Key": options.idempotency_key}
        fields = {name: value for name, value in options.of_job().items() if name != "idempotency_key"}
        content: _Content
        if source.references is not None:
            body = json.dumps({"references": source.references, **fields}).encode()
            fields, content = {}, lambda: body
        else:
            fields |= options.of_file()
            content = lambda: _sent(source)  # noqa: E731 - it begins anew for each attempt
        headers["Content-Type"] = source.content_type
        if source.encoding:
            headers["Content-Encoding"] = source.encoding
        document = self._ask("POST", "/v1/jobs", params=fields, headers=headers, content=content)
        return Handed(_job_of(document, self.shown), None, document)

    def job(self, job: str, *, within: float | None = None) -> Mapping[str, Any]:
        """The job's document."""
        return self._ask("GET", _path("v1/jobs", job), within=within)

    def jobs(self, filters: Mapping[str, str]) -> Mapping[str, Any]:
        """A page of jobs, newest first."""
        return self._ask("GET", "/v1/jobs", params=filters)

    def act(self, job: str, action: str) -> Mapping[str, Any]:
        """Each action may be asked for twice: it is sent again where no answer came."""
        return self._ask("POST", _path("v1/jobs", job, action))

    def retry(self, job: str, outcomes: Sequence[str], options: Options) -> Mapping[str, Any]:
        """The server makes one job of the same references, however often this is sent."""
        params = options.of_retry() | ({"outcome": ",".join(outcomes)} if outcomes else {})
        with self._newer_only("retry a job"):
            return self._ask("POST", _path("v1/jobs", job, "retry"), params=params)

    def update(self, job: str, changes: Mapping[str, str | None]) -> Mapping[str, Any]:
        """It may be asked for twice: it is sent again where no answer came."""
        body = json.dumps(changes).encode()
        headers = {"Content-Type": "application/json"}
        with self._newer_only("change a job"):
            return self._ask("PATCH", _path("v1/jobs", job), headers=headers, content=lambda: body)

    @contextmanager
    def _newer_only(self, what: str) -> Generator[None]:
        """Tells a server that has no such route from one that has no such job.

        Raises:
            UnsupportedError: the server is too old.
        """
        try:
            yield
        except ApiError as error:
            if error.status in _NO_SUCH_ROUTE and error.code != "unknown_job":
                raise UnsupportedError(f"{self.shown} cannot {what}: it runs an older cancellist") from error
            raise

    def results(self, job: str, outcomes: Sequence[str], cursor: str | None, limit: int) -> ResultsPage:
        """A page is answered whole or asked for again, so none of it is lost or comes twice."""
        params = {"limit": str(limit)}
        if outcomes:
            params["outcome"] = ",".join(outcomes)
        if cursor is not None:
            params["cursor"] = cursor
        page = self._ask("GET", _path("v1/jobs", job, "results"), params=params)
        rows = page.get("results")
        if not isinstance(rows, list):
            raise TransportError(f"{self.shown} answered a page without results")
        results = tuple(Result.of_document(row) for row in cast("list[Mapping[str, Any]]", rows))
        return ResultsPage(results, page.get("next"), page.get("gone") or 0)

    def mentions(self, reference: str, cursor: str | None) -> Mapping[str, Any]:
        """A page of the jobs that named a reference.

        Raises:
            UnsupportedError: the server is too old.
        """
        params = {"limit": str(_MENTIONS)} | ({"cursor": cursor} if cursor else {})
        try:
            return self._ask("GET", _path("v1/references", reference), params=params)
        except ApiError as error:
            if error.status in _NO_SUCH_ROUTE:
                raise UnsupportedError(f"{self.shown} cannot find a reference: it runs an older cancellist") from error
            raise

    def events(self, job: str, quiet: float) -> Generator[Mapping[str, Any], None]:
        """The job's document at first, and after each change.

        Raises:
            UnsupportedError: the server has no events.
            TransportError: the stream was cut, or nothing came for so long.
        """
        headers = {**self._headers, "Accept": _EVENTS}
        request = self._http.build_request(
            "GET", f"{self._base}{_path('v1/jobs', job, 'events')}", headers=headers, timeout=self._patience(quiet)
        )
        try:
            response = self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        with closing(response):
            self._check_events(response)
            parser, document = EventParser(), dict[str, Any]()
            try:
                for block in response.iter_bytes():
                    for event in parser.feed(block):
                        known = _object(event.data, self.shown)
                        document = {**document, **known} if event.name == "change" else known
                        if document.get("job") == job:
                            yield document
                        if event.name == "end":
                            return
            except httpx.HTTPError as error:
                raise self._broken(error) from error

    def _check_events(self, response: httpx.Response) -> None:
        if response.status_code >= _REFUSED:
            response.read()
            if response.status_code in _NO_SUCH_ROUTE:
                raise UnsupportedError(f"{self.shown} has no events")
            raise refusal(response)
        if not response.headers.get("content-type", "").startswith(_EVENTS):
            raise UnsupportedError(f"{self.shown} has no events")

    def close(self) -> None:
        """Gives up its connections; a client that was handed in stays open."""
        if self._own:
            self._http.close()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: _Content = None,
        within: float | None = None,
    ) -> Mapping[str, Any]:
        """Sends a request, and again where that may help; `within` bounds one attempt, and allows no other."""
        attempt = 0
        while True:
            request = self._http.build_request(
                method,
                f"{self._base}{path}",
                params=params or None,
                headers={**self._headers, **(headers or {})},
                content=content() if content else None,
                timeout=self._patience(within),
            )
            try:
                return self._answer(request)
            except CancellistError as error:
                pause = None if within is not None else self._backoff.wait_s(attempt, error, random.random())
                if pause is None:
                    raise
            attempt += 1
            sync_sleep(pause)

    def _answer(self, request: httpx.Request) -> Mapping[str, Any]:
        try:
            response = self._http.send(request)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise self._broken(error) from error
        if response.status_code >= _REFUSED:
            raise refusal(response)
        return _object(response.content, self.shown)

    def _patience(self, within: float | None) -> httpx.Timeout:
        return httpx.Timeout(self._timeout if within is None else max(0.001, min(within, self._timeout)))

    def _broken(self, error: Exception) -> TransportError:
        words = str(error) or type(error).__name__
        hint = next((hint for sign, hint in _HINTS.items() if sign in words), "")
        kind = TlsError if hint else TransportError
        return kind(f"no answer from {self.shown}: {words}{hint}")


def _sent(source: Source) -> Iterator[bytes]:
    """The blocks of a body; they are read in a thread, so that nothing else waits for a disk."""
    blocks = source.blocks()
    while (block := sync_run(next, blocks, None)) is not None:
        yield block


def _path(start: str, *parts: str) -> str:
    return "/".join(("", start, *(quote(part, safe="") for part in parts)))


def _object(text: str | bytes, source: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise TransportError(f"{source} answered what is not JSON; does cancellist listen there?") from error
    if not isinstance(document, dict):
        raise TransportError(f"{source} answered no JSON object; does cancellist listen there?")
    return cast("dict[str, Any]", document)


def _job_of(document: Mapping[str, Any], source: str) -> str:
    job = document.get("job")
    if not isinstance(job, str):
        raise TransportError(f"{source} answered no job; does cancellist listen there?")
    return job
