"""Who calls, and what they may do."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from cancellist.api.options import EVERYBODY, ApiOptions, Network
from cancellist.api.problems import LONGEST_NAME, ProblemError, invalid
from cancellist.jobs.access import Access, Token, token_of

_ONCE: Final = ("content-type", "idempotency-key", "last-event-id", "cancellist-plan")
"""Headers that have one value."""
_BEARER: Final = "bearer"
KEY_HEADER: Final = "ocp-apim-subscription-key"
"""The header in which a client of the platform sends its key; read on the routes of the facade alone."""


_WITH_KEY: Final = re.compile("(?:/accounts/[^/]+)?/consignments/", re.IGNORECASE)


def takes_key(path: str) -> bool:
    """Whether a path is of the facade, whose callers send a key as they send it to the platform."""
    return _WITH_KEY.match(path) is not None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    name: str
    roles: frozenset[Access]


@dataclass(frozen=True, slots=True)
class Identified:
    """Who sends a request, and what says so.

    Attributes:
        caller: None where nobody does that is known.
        by_token: whether it brings a token, be it known or not.
        by_session: whether the caller has signed in.
    """

    caller: Caller | None
    by_token: bool = False
    by_session: bool = False


def identify(
    options: ApiOptions,
    headers: Sequence[tuple[bytes, bytes]],
    peer: str | None,
    *,
    with_key: bool = False,
    session: Caller | None = None,
    forged: bool = False,
) -> Identified:
    """Who sends a request with these headers from this address.

    A token wins over a session, which wins over the header of a proxy. A wrong token is nobody, whatever else is said.

    Args:
        options: the tokens and users there are.
        headers: those of the request.
        peer: the address that it comes from.
        with_key: whether the token may come as the platform's key does.
        session: who has signed in, as the request's cookie says.
        forged: whether another site has a browser send it, which may be known to a proxy by what the browser adds.
    """
    given = _values(headers, b"authorization")
    keys = _values(headers, KEY_HEADER.encode()) if with_key else []
    if given or keys:
        token = _bearer(given) if given else keys[0] if len(keys) == 1 else None
        return Identified(with_token(options.tokens, token), by_token=token is not None)
    if session:
        return Identified(session, by_session=True)
    return Identified(None if forged else _by_header(options, headers, peer))


def is_trusted(networks: Iterable[Network], address: str | None) -> bool:
    """Whether an address is among those whose headers are believed."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _bearer(given: Sequence[str]) -> str | None:
    scheme, _, token = given[0].strip().partition(" ")
    return token.strip() if len(given) == 1 and scheme.lower() == _BEARER and token.strip() else None


def with_token(tokens: Sequence[Token], token: str | None) -> Caller | None:
    """Who has a token; None where nobody has."""
    found = None if token is None else token_of(tokens, token)
    return Caller(found.name, found.roles) if found else None


def _by_header(options: ApiOptions, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> Caller | None:
    proxies = options.proxies
    if proxies.user_header is None or not is_trusted(proxies.trusted, peer):
        return None
    named = _values(headers, proxies.user_header.lower().encode())
    user = named[0].strip() if len(named) == 1 else ""
    if not user or user == EVERYBODY or not user.isprintable() or len(user) > 200:  # noqa: PLR2004 - no name is so long
        return None
    roles = proxies.user_roles.get(user, proxies.user_roles.get(EVERYBODY))
    return Caller(user, roles or frozenset())


def caller_of(scope: Any) -> Caller | None:
    """Who sent a request, as its middleware has found."""
    found: Caller | None = scope.get("state", {}).get("caller")
    return found


class _Needs:
    """Lets nobody pass but who has a role.

    Attributes:
        role: that role.
        instead: another that will do, within what the route itself says.
    """

    def __init__(self, role: Access, instead: Access | None = None) -> None:
        self.role = role
        self.instead = instead

    def __call__(self, request: Request) -> Caller:
        """Who calls.

        Raises:
            ProblemError: nobody that is known, or one who may not.
        """
        caller = caller_of(request.scope)
        if caller is None:
            foreign = request.scope["state"].get("foreign")
            said = "what another site sends counts for nobody" if foreign else "this needs a known token"
            raise ProblemError("unauthorized", said, headers={"WWW-Authenticate": "Bearer"})
        if not caller.roles & {self.role, self.instead}:
            raise ProblemError("forbidden", f"{caller.name} lacks the role {self.role}, which this needs")
        _check_parameters(request)
        _check_headers(request)
        return caller


def _check_headers(request: Request) -> None:
    """Refuses a header that is given twice: it is not known which of the two is meant.

    Raises:
        ProblemError: one is.
    """
    for name in _ONCE:
        if len(set(request.headers.getlist(name))) > 1:
            raise invalid(name, "the header is given twice")


def _check_parameters(request: Request) -> None:
    """Refuses a parameter that is given twice, and text that cannot be read.

    Raises:
        ProblemError: one is.
    """
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise ProblemError("validation", "the query: it is not UTF-8, percent-encoded") from None
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise invalid(name[:LONGEST_NAME], "it is given twice")


Reader = Annotated[Caller, Depends(_Needs(Access.READ))]
Submitter = Annotated[Caller, Depends(_Needs(Access.SUBMIT))]
Operator = Annotated[Caller, Depends(_Needs(Access.OPERATE))]
Approver = Annotated[Caller, Depends(_Needs(Access.APPROVE))]
OperatorOrSubmitter = Annotated[Caller, Depends(_Needs(Access.OPERATE, instead=Access.SUBMIT))]


def check_override(caller: Caller, reason: str | None) -> None:
    """Refuses an override of who may not approve.

    Raises:
        ProblemError: it is one.
    """
    if reason is not None and Access.APPROVE not in caller.roles:
        raise ProblemError("forbidden", f"{caller.name} lacks the role approve, which an override needs")


def role_of(route: APIRoute) -> Access | None:
    """The role that a route needs; None where anybody may come."""
    found = [one.call for one in route.dependant.dependencies if isinstance(one.call, _Needs)]
    return found[0].role if found else None
