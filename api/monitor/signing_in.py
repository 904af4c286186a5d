"""Signing in: a token becomes a session, whose cookie counts as the token for requests of our own pages."""

import asyncio
import time
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cancellist.api.auth import Caller, caller_of, with_token
from cancellist.api.context import Context, InContext
from cancellist.api.monitor import cookies
from cancellist.api.monitor.pages import page
from cancellist.api.monitor.problem_page import also
from cancellist.api.problems import ClientGoneError, ProblemError, declared
from cancellist.jobs.access import Access

router = APIRouter(tags=["pages"])

_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST: Final = 4096
FORM_S: Final = 5.0
"""Seconds within which a form must have come: it is one small packet, and of nobody who is known yet."""
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
    **also(declared()), 200: _PAGE, 303: _LEADS, 403: {"description": "no token that counts", **_PAGE},
})  # fmt: skip
async def home(
    request: Request,
    context: InContext,
    token: Annotated[str | None, Query(description="the token of the address that `cancellist serve` prints")] = None,
) -> Any:
    """The first page; who has not signed in is led to where one can.

    The token of the address that `serve` prints signs in, and the address is left at once. HEAD does not sign in.
    """
    if token is not None and request.scope["state"]["method"] == "GET":
        return _by_address(request, context)
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


def _by_address(request: Request, context: Context) -> Response:
    """Signs in with the token of the printed address; one that another site has a browser try is not looked at.

    Raises:
        ProblemError: too many wrong ones came.
    """
    if cookies.is_followed(request.scope):
        given = request.query_params.getlist("token")
        found = with_token(context.options.tokens, given[0] if len(given) == 1 else None)
        if found and found.name != context.options.printed:
            found = None
        _try(request, context, found)
        if found:
            return _signed_in(request, context, found)
    return page("sign_in.html", _prefix(context), status=403, wrong=_UNKNOWN_ADDRESS)


@router.get("/sign-in", response_class=HTMLResponse, responses={**also(declared()), 200: _PAGE})
async def form(context: InContext) -> Any:
    """A page where a token is typed in."""
    return page("sign_in.html", _prefix(context), wrong=None)


@router.post("/sign-in", status_code=303, response_class=Response, responses={
    **also(declared("cross_origin", "request_timeout", "body_too_large", "unsupported_media_type")), 303: _LEADS,
})  # fmt: skip
async def sign_in(request: Request, context: InContext) -> Any:
    """Signs in with a token, which the page sends as a form."""
    _check_origin(request)
    found = with_token(context.options.tokens, await _token_of(request))
    _try(request, context, found)
    if found:
        return _signed_in(request, context, found)
    return page("sign_in.html", _prefix(context), status=403, wrong=_UNKNOWN)


@router.post("/sign-out", status_code=303, response_class=Response, responses={
    **also(declared("cross_origin")), 303: _LEADS,
})  # fmt: skip
async def sign_out(request: Request, context: InContext) -> Any:
    """Ends the session."""
    _check_origin(request)
    if secret := cookies.secret_of(request.scope):
        context.sessions.end(secret)
    return _leads(context, "/sign-in", cookies.setting(request.scope, ""))


def _try(request: Request, context: Context, found: Caller | None) -> None:
    """Counts a token that was tried, and who signs in as one who asks.

    Raises:
        ProblemError: it is one too many.
    """
    context.rates.try_token(request.scope["state"]["client"], found.name if found else None)
    if found:
        context.rates.take(found.name)


def _signed_in(request: Request, context: Context, caller: Caller) -> Response:
    """Leads to the first page, with a session.

    A browser that comes from another site would not send the cookie along where it is led: a page of ours goes on.
    """
    if before := cookies.secret_of(request.scope):
        context.sessions.end(before)
    secret = context.sessions.begin(caller, time.monotonic())
    cookie = cookies.setting(request.scope, secret)
    if not cookies.is_foreign(request.scope):
        return _leads(context, "/", cookie)
    headers = {"Set-Cookie": cookie, "Referrer-Policy": "no-referrer"}  # its own address has the token
    return page("signed_in.html", _prefix(context), headers=headers)


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


async def _token_of(request: Request) -> str | None:
    """The token that a form has; None where it has none, or several.

    Raises:
        ProblemError: it is no form, or a long one, or does not come.
        ClientGoneError: it was cut.
    """
    _check_form(request)
    form = b""
    try:
        async with asyncio.timeout(FORM_S):
            async for block in request.stream():
                form += block
                if len(form) > _LONGEST:
                    raise _too_long()
    except TimeoutError:
        raise ProblemError("request_timeout", f"the form has not come within {FORM_S:g} s") from None
    except ClientDisconnect:
        raise ClientGoneError from None
    values = parse_qs(form.decode(errors="replace"), keep_blank_values=True).get("token", [])
    return values[0].strip() if len(values) == 1 else None


def _check_form(request: Request) -> None:
    """Refuses what is said to be no form, before a byte of it is read.

    Raises:
        ProblemError: it is.
    """
    kinds = [one.partition(";")[0].strip().lower() for one in request.headers.getlist("content-type")]
    if kinds != [_FORM] or request.headers.get("content-encoding", "").strip():
        raise ProblemError(
            "unsupported_media_type", "the body is no plain form", hint=f"send one Content-Type, {_FORM}, not packed"
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > _LONGEST:
        raise _too_long()


def _too_long() -> ProblemError:
    return ProblemError("body_too_large", f"the form may have {_LONGEST:,} bytes", hint="send one token")
