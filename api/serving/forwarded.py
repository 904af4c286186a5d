"""What a proxy says of the client, and the path under which it shows the API. Only trusted addresses are believed."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from starlette.types import Scope

from cancellist.api.auth import is_trusted
from cancellist.api.options import Proxies

_FOR: Final = re.compile(r'(?:^|[;,\s])for="?\[?([0-9A-Fa-f.:]+?)\]?(?::\d+)?"?(?=$|[;,\s])', re.IGNORECASE)
_HOST: Final = re.compile(r'(?:^|[;,\s])host="?([A-Za-z0-9.:\[\]_-]+)"?(?=$|[;,\s])', re.IGNORECASE)
_ORIGIN: Final = re.compile("https?://[^/]*", re.IGNORECASE)
_RAW_ORIGIN: Final = re.compile(b"https?://[^/]*", re.IGNORECASE)
_PROTO: Final = re.compile(r'(?:^|[;,\s])proto="?(https?)"?(?=$|[;,\s])', re.IGNORECASE)


def apply(scope: Scope, proxies: Proxies) -> None:
    """Notes in the scope who the client is, and under which name, path and scheme it sees us."""
    state = scope["state"]
    state["host"] = ",".join(_values(scope, b"host"))
    peer = scope["client"][0] if scope.get("client") else None
    state["peer"] = state["client"] = peer
    _without_origin(scope)
    if proxies.prefix:
        scope["root_path"] = proxies.prefix
        if not _is_below(scope["path"], proxies.prefix):  # a proxy may take it off, or leave it
            scope["path"] = proxies.prefix + scope["path"]
            scope["raw_path"] = proxies.prefix.encode() + scope.get("raw_path", b"")
        if scope["path"] == proxies.prefix:  # which is the first page
            scope["path"] += "/"
            scope["raw_path"] = scope.get("raw_path", b"") + b"/"
    if is_trusted(proxies.trusted, peer):
        hops, scheme = _hops(scope)
        state["client"] = next((hop for hop in reversed(hops) if not is_trusted(proxies.trusted, hop)), peer)
        scope["scheme"] = scheme or scope["scheme"]
        state["host"] = _host(scope) or state["host"]


def route(scope: Scope) -> str:
    """The path without what a proxy is in front of."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _without_origin(scope: Scope) -> None:
    """Takes off what is before the path of an absolute address, which any server must take (RFC 9112, 3.2.2)."""
    if _ORIGIN.match(scope["path"]):
        scope["path"] = _ORIGIN.sub("", scope["path"]) or "/"
        scope["raw_path"] = _RAW_ORIGIN.sub(b"", scope["raw_path"]) or b"/"


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _hops(scope: Scope) -> tuple[Sequence[str], str | None]:
    """The addresses that a request came through, the client first, and the scheme that it came by."""
    text = ",".join(_values(scope, b"forwarded"))
    if text:
        scheme = _PROTO.search(text)
        return [hop for hop in _FOR.findall(text) if _is_address(hop)], scheme[1].lower() if scheme else None
    through = ",".join(_values(scope, b"x-forwarded-for"))
    schemes = [value.strip().lower() for value in _values(scope, b"x-forwarded-proto")]
    hops = [hop.strip() for hop in through.split(",") if _is_address(hop.strip())]
    return hops, schemes[0] if schemes and schemes[0] in {"http", "https"} else None


def _host(scope: Scope) -> str | None:
    """The name under which the client sees the first proxy; None where no proxy says it."""
    if text := ",".join(_values(scope, b"forwarded")):
        found = _HOST.search(text)
        return found[1] if found else None
    named = ",".join(_values(scope, b"x-forwarded-host"))
    return named.partition(",")[0].strip() or None


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
