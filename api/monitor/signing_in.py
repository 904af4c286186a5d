"""Signing in: a token becomes a session, whose cookie counts as the token for requests of our own pages."""

import time
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cancellist.api.auth import Caller, caller_of, with_token
from cancellist.api.context import Context, InContext
from cancellist.api.monitor import cookies
from cancellist.api.monitor.pages import page
from cancellist.api.problems import ProblemError, declared
from cancellist.api.request_body import Body
from cancellist.jobs.access import Access

router = APIRouter(tags=["pages"])

_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST: Final = 4096
_UNKNOWN: Final = "There is no such token. Look whether all of it was copied."
_UNKNOWN_ADDRESS: Final = (
    "The address holds no token that counts here. `cancellist serve` prints a new one each time it starts."
)
_HTML: Final[dict[str, Any]] = {"text/html": {"schema": {"type": "string"}}}
_PAGE: Final = {"content": _HTML}
_COOKIE: Final[dict[str, Any]] = {"description": "the session", "schema": {"type": "string"}}
_LEADS: Final[dict[str, Any]] = {
    "description": "leads to another page",
    "headers": {"Location": {"description": "its address", "schema": {"type": "string"}}, "Set-Cookie": _COOKIE},
}


@router.get("/", response_class=HTMLResponse, responses={
    **declared(), 200: _PAGE, 303: _LEADS, 403: {"description": "no token that counts", **_PAGE},
})  # fmt: skip
async def home(
    request: Request,
    context: InContext,
    token: Annotated[str | None, Query(description="the token of the address that `cancellist serve` prints")] = None,
) -> Any:
    """The first page; who has not signed in is led to where one can.

    The token of the address that `serve` prints signs in, and the address is left at once.
    """
    if token is not None:
        found = with_token(context.options.tokens, token)
        if found and found.name == context.options.printed and cookies.counts(request.scope):
            return _signed_in(request, context, found)
        context.rates.take_stranger(request.scope["state"]["client"])
        return page("sign_in.html", _prefix(context), status=403, wrong=_UNKNOWN_ADDRESS)
    caller = caller_of(request.scope)
    if caller is None:
        return _leads(context, "/sign-in")
    return page(
        "home.html",
        _prefix(context),
        name=caller.name,
        roles=", ".join(role for role in Access if role in caller.roles),
        reads=Access.READ in caller.roles,
        session=cookies.secret_of(request.scope) is not None,
    )


@router.get("/sign-in", response_class=HTMLResponse, responses={**declared(limited=False), 200: _PAGE})
async def form(context: InContext) -> Any:
    """A page where a token is typed in."""
    return page("sign_in.html", _prefix(context), wrong=None)


@router.post("/sign-in", status_code=303, response_class=Response, responses={
    **declared("cross_origin", "request_timeout", "body_too_large", "unsupported_media_type", "input"), 303: _LEADS,
    403: {"description": "no token that is known", "content": {**declared("cross_origin")[403]["content"], **_HTML}},
})  # fmt: skip
async def sign_in(request: Request, context: InContext) -> Any:
    """Signs in with a token, which the page sends as a form."""
    _check_origin(request)
    found = with_token(context.options.tokens, await _token_of(request, context))
    if found:
        return _signed_in(request, context, found)
    context.rates.take_stranger(request.scope["state"]["client"])
    return page("sign_in.html", _prefix(context), status=403, wrong=_UNKNOWN)


@router.post("/sign-out", status_code=303, response_class=Response, responses={
    **declared("cross_origin"), 303: _LEADS,
})  # fmt: skip
async def sign_out(request: Request, context: InContext) -> Any:
    """Ends the session."""
    _check_origin(request)
    if secret := cookies.secret_of(request.scope):
        context.sessions.end(secret)
    return _leads(context, "/sign-in", cookies.setting(request.scope, ""))


def _signed_in(request: Request, context: Context, caller: Caller) -> Response:
    if before := cookies.secret_of(request.scope):
        context.sessions.end(before)
    secret = context.sessions.begin(caller, time.monotonic())
    return _leads(context, "/", cookies.setting(request.scope, secret))


def _leads(context: Context, path: str, cookie: str | None = None) -> Response:
    headers = {"Set-Cookie": cookie} if cookie else {}
    return RedirectResponse(_prefix(context) + path, 303, headers)


def _prefix(context: Context) -> str:
    return context.options.proxies.prefix


def _check_origin(request: Request) -> None:
    """Refuses what another site has a browser send.

    Raises:
        ProblemError: it is that.
    """
    if not cookies.counts(request.scope):
        raise ProblemError("cross_origin", "this takes only what its own page sends")


async def _token_of(request: Request, context: Context) -> str:
    """The token that a form has; empty where it has none.

    Raises:
        ProblemError: it is no form, or a long one.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise ProblemError("unsupported_media_type", "the body is no form", hint=f"send Content-Type: {_FORM}")
    form, body = b"", Body(request.receive, packed=False, limits=context.options.limits)
    async for block in body.blocks():
        form += block
        if len(form) > _LONGEST:
            raise ProblemError("body_too_large", f"the form may have {_LONGEST:,} bytes", hint="send one token")
    values = parse_qs(form.decode(errors="replace")).get("token", [])
    return values[0].strip() if len(values) == 1 else ""
