"""Parses the server's URL.

    redis://[user:password@]host[:port][/db]
    rediss://...                              TLS, verified; own CA with ?ssl_ca_certs=FILE
    unix://[user:password@]/path[?db=n]
    redis+sentinel://[user:password@]host:port,host:port/service[/db][?sentinel_password=...]

User name and password of a sentinel URL are the master's. The sentinels' own are in the query only.
No text that leaves this module (`Address.shown`, `redacted`, errors) holds a password.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypedDict
from urllib.parse import unquote

from cancellist.jobs.errors import SettingsError

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
MAX_PORT: Final = 65535

_TLS_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_COMMON: Final = frozenset({"db", "username", "password"})
_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "redis": _COMMON,
    "rediss": _COMMON | _TLS_FILES | {"ssl_cert_reqs", "ssl_check_hostname"},
    "unix": _COMMON,
    "redis+sentinel": _COMMON | {"sentinel_username", "sentinel_password"},
}
_SHOWN_PARAMETERS: Final = frozenset({"db"}) | _TLS_FILES | {"ssl_cert_reqs", "ssl_check_hostname"}
# hosts with ports, and what follows them
_PLACES: Final = re.compile(r"(\[[0-9a-fA-F:.]*\]|[^:,/\[]*)(:\d*)?(,(\[[0-9a-fA-F:.]*\]|[^:,/\[]*)(:\d*)?)*(/.*)?")
_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The fields of every address; `shown` is the URL without its secrets."""

    shown: str
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How the server's certificate is checked; by default by the system's authorities."""

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verified: bool = True
    check_hostname: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress(Address):
    """One server on the network."""

    host: str
    port: int
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixAddress(Address):
    """One server on this machine."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress(Address):
    """The master that sentinels know as `service`."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)


def redacted(url: str) -> str:
    """The URL without its passwords, also where it is malformed. Unclear parts are left out."""
    scheme, found, rest = url.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        return f"***@{url.rpartition('@')[2]}" if "@" in url else url
    rest, mark, query = rest.partition("?")
    only_a_path = scheme == "unix" and rest.startswith("/")
    userinfo, at, place = ("", "", rest) if only_a_path else rest.rpartition("@")
    # A password with an unescaped "/" or "?" was cut in two, or is in the place of the host.
    if "@" in query or not (at or only_a_path or _PLACES.fullmatch(rest)):
        return f"{scheme}://***"
    user, colon, _ = userinfo.partition(":")
    shown_user = f"{user}:***@" if colon else "***@"
    shown_query = "&".join(item if item.partition("=")[0] in _SHOWN_PARAMETERS else "***" for item in query.split("&"))
    return f"{scheme}://{shown_user if at else ''}{place}{mark}{shown_query if mark else ''}"


def parse(url: str) -> Address:
    """Parses a server's URL.

    Raises:
        SettingsError: it is no server's URL; the message says what is wrong and holds no password.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _PARAMETERS:
        _refuse(url, f"its start must be one of {', '.join(f'{name}://' for name in _PARAMETERS)}")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    userinfo, _, place = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    options = _options(url, scheme, query)
    login = _Login(
        username=options.get("username") or unquote(user) or None,
        password=options.get("password") or unquote(password) or None,
    )
    match scheme:
        case "unix":
            return _unix(url, login, options, place, path)
        case "redis+sentinel":
            return _sentinel(url, login, options, place, path)
        case _:
            tls = _tls(url, options) if scheme == "rediss" else None
            return _tcp(url, login, options, place, path, tls)


class _Login(TypedDict):
    username: str | None
    password: str | None


def _unix(url: str, login: _Login, options: Mapping[str, str], place: str, path: str) -> UnixAddress:
    if place or not path:
        _refuse(url, "a unix socket's address is unix:// and an absolute path: unix:///run/valkey.sock")
    db = _db(url, options.get("db", ""))
    return UnixAddress(shown=redacted(url), db=db, path=unquote(f"/{path}"), **login)


def _sentinel(url: str, login: _Login, options: Mapping[str, str], place: str, path: str) -> SentinelAddress:
    service, _, db = unquote(path).partition("/")
    if not service:
        _refuse(url, "the master's name is missing: redis+sentinel://host:26379,host:26379/mymaster")
    return SentinelAddress(
        shown=redacted(url),
        db=_db(url, options.get("db", db)),
        sentinels=tuple(_host_port(url, one, SENTINEL_PORT) for one in place.split(",")),
        service=service,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        **login,
    )


def _tcp(url: str, login: _Login, options: Mapping[str, str], place: str, path: str, tls: Tls | None) -> TcpAddress:
    host, port = _host_port(url, place, REDIS_PORT)
    db = _db(url, options.get("db", unquote(path)))
    return TcpAddress(shown=redacted(url), db=db, host=host, port=port, tls=tls, **login)


def _refuse(url: str, why: str) -> NoReturn:
    raise SettingsError(f"CANCELLIST_REDIS_URL={redacted(url)}: {why}") from None


def _options(url: str, scheme: str, query: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in query.split("&") if item]
    options = {name: unquote(value) for name, _, value in pairs}
    unknown = options.keys() - _PARAMETERS[scheme]
    if unknown:
        # The name is not shown: it may be the second half of a password that holds a "?" or a "&".
        _refuse(
            url,
            f"it has an unknown parameter; {scheme}:// takes {', '.join(sorted(_PARAMETERS[scheme]))}, "
            "and special characters in a password are percent-encoded",
        )
    return options


def _host_port(url: str, text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, after = text[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            _refuse(url, "an IPv6 address is written in brackets: redis://[::1]:6379")
        port = after.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not port:
        return unquote(host) or "localhost", default_port
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port) <= MAX_PORT:
        _refuse(url, "its port is not a number from 1 to 65535; special characters in a password are percent-encoded")
    return unquote(host) or "localhost", int(port)


def _db(url: str, text: str) -> int:
    text = text.removesuffix("/")
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()):
        _refuse(url, "what follows the server is the number of a database, such as /0")
    return int(text)


def _tls(url: str, options: Mapping[str, str]) -> Tls:
    wanted = options.get("ssl_cert_reqs", "required")
    if wanted not in {"required", "none"}:
        _refuse(url, "ssl_cert_reqs is required (the default) or none")
    check_hostname = _BOOLEANS.get(options.get("ssl_check_hostname", "yes").lower())
    if check_hostname is None:
        _refuse(url, "ssl_check_hostname is yes (the default) or no")
    verified = wanted == "required"
    return Tls(
        ca_certs=options.get("ssl_ca_certs"),
        certfile=options.get("ssl_certfile"),
        keyfile=options.get("ssl_keyfile"),
        verified=verified,
        check_hostname=verified and check_hostname,
    )
