"""From redis-py's errors to this package's."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from cancellist_client.errors import (
    ApiError,
    AuthError,
    CancellistError,
    GroupGone,
    ServerUnavailable,
    TlsError,
    TransportError,
)

_PASSING: Final = ("OOM", "MISCONF", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MASTERDOWN")
_GROUP_IS_GONE: Final = ("NOGROUP", "UNBLOCKED", "no such key", "no longer exists")

_TLS: Final = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")


@contextmanager
def translated(shown: str) -> Generator[None, None, None]:
    """Raises this package's errors for those of redis-py; their words hold no password."""
    try:
        yield
    except (RedisError, OSError) as error:
        # as it connects, redis-py wraps what the server answered
        cause = error.__cause__ if isinstance(error.__cause__, RedisError) else error
        raise _translated(cause, shown) from error


def _translated(error: Exception, shown: str) -> CancellistError:
    words = str(error)
    match error:
        case AuthenticationError() | NoPermissionError():
            return AuthError(f"{shown} refuses: {words}", code="server_refused")
        case BusyLoadingError() | ReadOnlyError():
            return ServerUnavailable(f"{shown} cannot serve now: {words}", code="server_unavailable")
        case ResponseError():
            return _refusal(words, shown)
        case _:
            kind = TlsError if any(sign in words for sign in _TLS) else TransportError
            return kind(f"no answer from {shown}: {words}")


def _refusal(words: str, shown: str) -> ApiError:
    if words.startswith(("NOAUTH", "WRONGPASS", "NOPERM")):
        return AuthError(f"{shown} refuses: {words}", code="server_refused")
    if words.startswith(_PASSING) or "when used memory >" in words:
        return ServerUnavailable(f"{shown} cannot take it: {words}", code="server_full")
    if any(gone in words for gone in _GROUP_IS_GONE):
        return GroupGone(f"{shown} has no such consumer group: {words}", code="server")
    return ApiError(f"{shown} refuses: {words}", code="server")
