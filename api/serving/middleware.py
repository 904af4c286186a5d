"""What every request passes through, as pure ASGI: its id, its log line, safe headers, its caller and the limits."""

import asyncio
import re
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cancellist.api import masking
from cancellist.api.auth import Identified, identify, takes_key
from cancellist.api.context import Context
from cancellist.api.facade import platform_errors
from cancellist.api.monitor import cookies, problem_page
from cancellist.api.monitor.sessions import Session
from cancellist.api.problems import ProblemError, Respond, answered, ending, internal
from cancellist.api.serving import forwarded, logged
from cancellist.api.serving.safe_headers import SAFE_HEADERS
from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import audit

log = structlog.get_logger()

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LONGEST_OF_STRANGERS: Final = 36
"""Characters of a UUID; a token that `cancellist token` makes has more."""
_QUIET: Final = frozenset({"/healthz", "/readyz"})
"""Paths that are asked again and again: their lines are for debugging alone."""
_SIGNING_IN: Final = re.compile("/|/sign-in|/static/.*")
"""Pages by which somebody becomes known: only the tokens that are tried there are counted."""
_PAGES: Final = frozenset({"/", "/sign-in", "/sign-out"})
"""Addresses at which a browser is told in a page what is wrong."""
_LISTS: Final = frozenset({b"accept", b"content-encoding", b"if-match", b"if-none-match", b"prefer"})
"""Headers that may come in several lines, which are one list (RFC 9110, 5.3)."""


class Edge:
    """The outermost: gives a request its id, and sees to it that it is answered and logged, whatever happens.

    Args:
        app: what it is around.
        context: what routes are given.
        routes: those that there are.
    """

    def __init__(self, app: ASGIApp, context: Context, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._options = context.options
        self._sessions = context.sessions
        self._rates = context.rates
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            return
        state = scope.setdefault("state", {})
        forwarded.apply(scope, self._options.proxies)
        facade = takes_key(forwarded.route(scope))
        state["respond"] = _form(scope, facade=facade)
        state["method"] = scope["method"]
        self._identify(scope, facade=facade)
        caller = state["caller"].name if state["caller"] else None
        state["mask"] = masking.without(self._options.tokens, caller)
        state["request_id"] = self._request_id(scope, caller, str(uuid4()) if facade else uuid4().hex)
        answer = _Answer(
            send, state["request_id"], without_body=scope["method"] == "HEAD", last=state.get("surplus", False)
        )
        asked = _asked(scope)
        began_at = time.perf_counter()
        try:
            await self._app(asked, receive, answer.send)
        except asyncio.CancelledError:  # the process ends, and nobody waits for this any longer
            if answer.status is None:
                await answered(ending(), scope)(scope, receive, answer.send)
        except Exception:  # noqa: BLE001 - its trace is logged below, without tokens
            path = logged.path(asked, self._routes, None)
            trace = masking.without_any(self._options.tokens)(traceback.format_exc().strip().encode(errors="replace"))
            said = {"request_id": state["request_id"], "method": logged.method(scope), "path": path}
            log.error("a request failed", **said, exception=trace.decode())  # noqa: TRY400 - it would add the trace as it is
            if answer.status is None:
                await answered(internal(), scope)(scope, receive, answer.send)
        finally:
            took_s = time.perf_counter() - began_at
            _tell(scope, logged.path(asked, self._routes, answer.status), answer.status, took_s)

    def _identify(self, scope: Scope, *, facade: bool) -> None:
        """Notes who sends a request: nobody, where its token is refused for those that were tried before."""
        state = scope["state"]
        session, forged = self._session(scope), cookies.is_forged(scope)
        state["foreign"] = forged
        found = identify(
            self._options,
            scope["headers"],
            state["peer"],
            with_key=facade,
            session=session.caller if session else None,
            forged=forged,
        )
        state["refused"] = None
        if found.by_token:
            try:
                self._rates.try_token(state["client"], found.caller.name if found.caller else None)
            except ProblemError as problem:
                state["refused"], found = problem, Identified(None, by_token=True)
        state["session"] = session if found.by_session else None
        _note(scope, found)

    def _session(self, scope: Scope) -> Session | None:
        """The session that counts for this request."""
        secret = cookies.secret_of(scope)
        if secret is None or not cookies.counts(scope):
            return None
        return self._sessions.find(secret, time.monotonic())

    def _request_id(self, scope: Scope, caller: str | None, new: str) -> str:
        """The client's own, where it is one and no token that came there by mistake; else a new one.

        Of who is not known it goes by the length alone: nobody is to learn of a text whether it is a token.
        """
        given = [value for name, value in scope["headers"] if name == b"x-request-id"]
        if len(given) != 1 or not _ID.fullmatch(given[0]) or (caller is None and len(given[0]) > _LONGEST_OF_STRANGERS):
            return new
        own = given[0].decode()
        return new if masking.is_own(self._options.tokens, caller, own) else own


def _note(scope: Scope, found: Identified) -> None:
    """Notes who calls, for the audit log, and for the connection: it gives way where that is nobody."""
    state, caller = scope["state"], found.caller
    state["caller"], state["by_token"] = caller, found.by_token
    if serves := state.get("serves"):
        serves(known=caller is not None)
    audit.acting(audit.Actor("http", caller.name if caller else "", state["client"] or "", lost=_not_recorded))


def _form(scope: Scope, *, facade: bool) -> Respond:
    """The form of what goes wrong."""
    if facade:
        return platform_errors.respond
    if forwarded.route(scope) in _PAGES and problem_page.is_wanted(scope):
        return problem_page.respond(scope.get("root_path", ""))
    return ProblemError.response


def _not_recorded(act: str, error: LedgerError) -> None:
    log.warning("the audit log could not be written", act=act, error=str(error))


def _asked(scope: Scope) -> Scope:
    """The request as routes see it: HEAD is GET, whose body is not sent, and each list is one header."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    single = [(name, value) for name, value in scope["headers"] if name not in _LISTS]
    lists: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in _LISTS:
            lists.setdefault(name, []).append(value)
    joined = [(name, b", ".join(values)) for name, values in lists.items()]
    return {**scope, "method": method, "headers": single + joined}


@dataclass
class _Answer:
    """The answer on its way out. Without a body it ends with its head, and a stream learns that nobody listens.

    Attributes:
        request_id: which it has as a header.
        without_body: whether it ends with its head.
        last: whether the connection is closed behind it.
        status: once it has begun.
    """

    _send: Send
    request_id: str
    without_body: bool = False
    last: bool = False
    status: int | None = None
    _ended: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in SAFE_HEADERS.items() if name not in there]
            headers.append((b"x-request-id", self.request_id.encode()))
            headers += [(b"connection", b"close")] * self.last
            message = {**message, "headers": headers}
        elif self.without_body:
            if self._ended:
                return
            self._ended = True
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)


def _tell(scope: Scope, path: str, status: int | None, took_s: float) -> None:
    state = scope["state"]
    caller = state["caller"]
    line: dict[str, Any] = {
        "method": logged.method(scope),
        "path": path,
        "status": status,
        "ms": round(took_s * 1000, 1),
        "caller": caller.name if caller else None,
        "client": state["client"],
        "request_id": state["request_id"],
    }
    if forwarded.route(scope) in _QUIET:
        log.debug("request", **line)
    else:
        log.info("request", **line)


class Limiter:
    """Refuses what comes beyond the limits: 503 where too many connections are open, 429 where one is too fast."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._most = context.options.limits.max_connections
        self._rates = context.rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        try:
            self._check(scope)
        except ProblemError as problem:
            await answered(problem, scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Looks whether a request is within the limits.

        Raises:
            ProblemError: it is not.
        """
        route, state = forwarded.route(scope), scope["state"]
        if route in _QUIET:
            return
        if state.get("surplus"):
            raise ProblemError("too_many_connections", f"{self._most:,} connections are open, and none gives way")
        if state["refused"]:
            raise state["refused"]
        if state["caller"]:
            self._rates.take(state["caller"].name)
        elif not state["by_token"] and not _SIGNING_IN.fullmatch(route):
            self._rates.take_stranger(state["client"])


def wrapped(app: FastAPI, context: Context) -> ASGIApp:
    """The application within all of these."""
    return Edge(Limiter(app, context), context, app.routes)
