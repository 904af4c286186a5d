"""The cookie of a session: what it is called, how it is set, and for which requests it counts."""

from typing import Final

from starlette.requests import cookie_parser
from starlette.types import Scope

_SAFE: Final = frozenset({"GET", "HEAD"})


def secret_of(scope: Scope) -> str | None:
    """The secret of the session that a request brings; None where it brings none."""
    return cookie_parser("; ".join(_values(scope, b"cookie"))).get(_name(scope)) or None


def setting(scope: Scope, secret: str) -> str:
    """The header that has a browser keep a session until it is closed; an empty secret has it forgotten."""
    words = [f"{_name(scope)}={secret}", f"Path={scope.get('root_path') or '/'}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*words, *(["Secure"] * _is_secure(scope)), *(["Max-Age=0"] * (not secret))])


def counts(scope: Scope) -> bool:
    """Whether a cookie counts for a request: only where a page of our own has made it, or who uses the browser.

    `SameSite` alone keeps out neither another port of this machine nor another name of the same domain.
    """
    if is_foreign(scope):
        return False
    site, origin = _said(scope)
    return scope["method"] in _SAFE or site == ["same-origin"] or (not site and bool(origin))


def is_followed(scope: Scope) -> bool:
    """Whether somebody at a browser, or a program, opens an address, from wherever its link was.

    A page of another site can have a browser ask for any address: as a picture, in a frame, or ahead of a click. None
    of that is somebody who opens it. HEAD never is: it is how links are looked at.
    """
    state = scope["state"]
    if state["method"] != "GET" or _values(scope, b"sec-purpose") or _values(scope, b"purpose"):
        return False
    if not is_foreign(scope):
        return True
    where = [_values(scope, name) for name in (b"sec-fetch-mode", b"sec-fetch-dest", b"origin")]
    return where == [["navigate"], ["document"], []]


def is_forged(scope: Scope) -> bool:
    """Whether another site would have a browser change something, which may be known by what the browser adds."""
    return scope["method"] not in _SAFE and is_foreign(scope)


def is_foreign(scope: Scope) -> bool:
    """Whether a page of another site has made a request.

    A browser says in Sec-Fetch-Site where a request comes from, which no script can change. Where TLS is missing it may
    say nothing: then Origin must be ours. What is no browser sends neither.
    """
    site, origin = _said(scope)
    if site:
        return site not in (["same-origin"], ["none"])
    return bool(origin) and origin != [_origin(scope)]


def _said(scope: Scope) -> tuple[list[str], list[str]]:
    return _values(scope, b"sec-fetch-site"), [value.lower() for value in _values(scope, b"origin")]


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _origin(scope: Scope) -> str:
    return f"{scope['scheme']}://{scope['state']['host']}".lower()


def _is_secure(scope: Scope) -> bool:
    return bool(scope["scheme"] == "https")


def _name(scope: Scope) -> str:
    """Its name, which has the port: a browser sends a cookie to every port of a machine.

    Behind TLS a prefix keeps other names of the same domain from setting it (RFC 6265bis, 4.1.3).
    """
    prefix = "" if not _is_secure(scope) else "__Secure-" if scope.get("root_path") else "__Host-"
    server = scope.get("server")
    return f"{prefix}cancellist-session-{server[1] if server else 0}"
