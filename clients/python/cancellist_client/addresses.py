"""Where a client speaks to, and what may be said of it aloud."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cancellist_client.errors import wrong

HTTP_SCHEMES: Final = ("http", "https")
REDIS_SCHEMES: Final = ("redis", "rediss", "unix")


def split(url: str) -> SplitResult:
    """An address in its parts.

    Raises:
        InputError: it is none that a client speaks to; the text does not repeat it, since it may hold a password.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers need not be typed
        raise wrong("url", f"give a text, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise wrong("url", "it is not an address") from None
    if parts.scheme not in {*HTTP_SCHEMES, *REDIS_SCHEMES}:
        raise wrong("url", f"it begins with none of {', '.join(f'{s}://' for s in (*HTTP_SCHEMES, *REDIS_SCHEMES))}")
    if parts.scheme in HTTP_SCHEMES and not parts.hostname:
        raise wrong("url", "it names no host")
    if parts.scheme in HTTP_SCHEMES and "@" in parts.netloc:
        raise wrong("url", "leave the user and password out, and give a token")
    if parts.scheme in HTTP_SCHEMES and (parts.query or parts.fragment):
        raise wrong("url", "leave out what follows ? or #; a token is given as token=")
    return parts


def shown(parts: SplitResult) -> str:
    """The address without user, password and query."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def bearer(token: str | None) -> Mapping[str, str]:
    """The header that carries a token.

    Raises:
        InputError: it cannot stand in a header; the text does not repeat it.
    """
    if token is None:
        return {}
    if not (token and token.isascii() and token.isprintable() and " " not in token):
        raise wrong("token", "it holds characters that no token has")
    return {"Authorization": f"Bearer {token}"}
