"""From redis-py's errors to this package's."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from redis import exceptions as redis_exceptions

from cancellist_client.errors import ApiError, AuthError, GroupGone, ServerUnavailable, TransportError

_GROUP_IS_GONE: Final = ("NOGROUP", "UNBLOCKED", "no such key", "no longer exists")


@contextmanager
def translated(shown: str) -> Generator[None, None, None]:
    """Raises this package's errors for those of redis-py; their words hold no password."""
    try:
        yield
    except (redis_exceptions.AuthenticationError, redis_exceptions.NoPermissionError) as error:
        raise AuthError(f"{shown} refuses: {error}", code="server_refused") from error
    except (redis_exceptions.BusyLoadingError, redis_exceptions.ReadOnlyError) as error:
        raise ServerUnavailable(f"{shown} cannot serve now: {error}", code="server_unavailable") from error
    except (redis_exceptions.ConnectionError, redis_exceptions.TimeoutError, OSError) as error:
        raise TransportError(f"no answer from {shown}: {error}") from error
    except redis_exceptions.ResponseError as error:
        words = str(error)
        if words.startswith(("OOM", "MISCONF", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MASTERDOWN")) or (
            "command not allowed when used memory" in words
        ):
            raise ServerUnavailable(f"{shown} cannot take it: {words}", code="server_full") from error
        if words.startswith(("NOAUTH", "WRONGPASS", "NOPERM")):
            raise AuthError(f"{shown} refuses: {words}", code="server_refused") from error
        if any(gone in words for gone in _GROUP_IS_GONE):
            raise GroupGone(f"{shown} has no such consumer group: {words}", code="server") from error
        raise ApiError(f"{shown} refuses: {words}", code="server") from error
