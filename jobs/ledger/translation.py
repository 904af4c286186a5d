"""redis-py's exceptions, turned into ours once, at the edge.

Nothing of a command's arguments is repeated: redis-py writes all of a failing pipelined command into its exception.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.errors import (
    LedgerError,
    LedgerFullError,
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
)

THE_SERVER: Final = "the Redis server"
MAX_TEXT: Final = 200

_UNTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"

_COMMAND: Final = re.compile(r"run the '([^']+)' command")
# the server's error code: first in a plain answer, first inside the brackets that a pipeline puts around it
_CODE: Final = re.compile(r"(?:^|caused error: \(['\"])([A-Z]+) (.*)", re.DOTALL)
# what Valkey and Redis 7 say when a script runs a command that its user may not run; the code is a plain ERR
_SCRIPT_REFUSED: Final = re.compile(r"ACL failure in script|The user executing the script can't")
# what a server that wants a login says to a command of more than ten words, before it looks at it, and hangs up
_NO_LOGIN: Final = "unauthenticated multibulk length"
_PASSING: Final = frozenset({"MISCONF", "MASTERDOWN", "NOREPLICAS", "BUSY", "CLUSTERDOWN", "UNBLOCKED", "TRYAGAIN"})
_CLUSTER: Final = frozenset({"MOVED", "ASK", "CROSSSLOT"})


@contextmanager
def translated(where: str = THE_SERVER) -> Iterator[None]:
    """Raise a `LedgerError` in place of redis-py's exception; what has no meaning for a user passes unchanged.

    Args:
        where: how the server is called in the text; an address without its password.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        ours = translate(error, where)
        if ours is None:
            raise
        raise ours from error


def translate(error: Exception, where: str = THE_SERVER) -> LedgerError | None:
    """Return what `error` of redis-py means, or None where it means nothing to a user."""
    ours: LedgerError | None = None
    match error:
        case AuthenticationError() | AuthorizationError():
            ours = LedgerRefusedError(
                f"{where} refuses the user name or the password ({_line(error)}); mend them in CANCELLIST_REDIS_URL"
            )
        case MasterNotFoundError():
            ours = _no_master(error, where)
        case BusyLoadingError():
            ours = LedgerUnavailableError(f"{where} is still loading its data: try again in a moment")
        case RedisConnectionError() | OSError() if _UNTRUSTED in str(error):
            ours = LedgerRefusedError(
                f"{where} shows a certificate that is not trusted ({_line(error)}): "
                "give its authority as ?ssl_ca_certs=FILE in CANCELLIST_REDIS_URL"
            )
        case RedisConnectionError() | RedisTimeoutError() | OSError():
            ours = LedgerUnavailableError(
                f"{where} does not answer ({_line(error)}): start it, or mend CANCELLIST_REDIS_URL"
            )
        case InvalidResponse():
            ours = LedgerUnfitError(
                f"{where} does not speak the Redis protocol ({_line(error)}): mend CANCELLIST_REDIS_URL"
            )
        case ResponseError():
            ours = _reply(error, where)
        case _:
            pass
    return ours


def refuses_login(error: Exception) -> bool:
    """Tell whether waiting cannot help: a wrong password, or a certificate that does not hold."""
    text = str(error)
    return (
        isinstance(error, AuthenticationError | AuthorizationError)
        or (isinstance(error, MasterNotFoundError) and "AuthenticationError(" in text)
        or _UNTRUSTED in text
    )


def refuses_for_memory(error: Exception) -> bool:
    """Tell whether the server is full: it says so of the command itself, or of a transaction that holds it."""
    return isinstance(error, OutOfMemoryError) or "OOM" in str(error)


def _reply(error: ResponseError, where: str) -> LedgerError | None:
    match error:
        case NoPermissionError():
            return _forbidden(error, where)
        case OutOfMemoryError():
            return LedgerFullError(
                f"{where} is out of memory: raise its maxmemory, or let workers drain what is queued"
            )
        case ReadOnlyError():
            return LedgerUnavailableError(
                f"{where} is a read-only replica: name the primary in CANCELLIST_REDIS_URL, or use redis+sentinel://"
            )
        case _:
            return _by_code(error, where)


def _no_master(error: MasterNotFoundError, where: str) -> LedgerError:
    if refuses_login(error):
        return LedgerRefusedError(
            f"the sentinels of {where} refuse the login: give theirs as ?sentinel_password= (and ?sentinel_username=)"
        )
    return LedgerUnavailableError(
        f"no sentinel of {where} answers with a live master of that name: see to the sentinels"
    )


def _forbidden(error: Exception, where: str) -> LedgerRefusedError:
    command = _COMMAND.search(str(error))
    if command:
        name = command[1]
        return LedgerRefusedError(f"{where} forbids this user the command {name}: allow it (ACL SETUSER name +{name})")
    what = "channel" if "channel" in str(error) else "key" if "key" in str(error) else "command"
    return LedgerRefusedError(
        f"{where} forbids this user a {what}: allow the namespace's (ACL SETUSER name ~cancellist:* &cancellist:*)"
    )


def _by_code(error: ResponseError, where: str) -> LedgerError | None:
    text = str(error)
    if _SCRIPT_REFUSED.search(text):
        return _forbidden(error, where)
    if _NO_LOGIN in text:
        return LedgerRefusedError(f"{where} wants a user name or a password: give them in CANCELLIST_REDIS_URL")
    found = _CODE.search(text)
    if not found:
        return None
    code, rest = found[1], _line(found[2])
    if code == "MISCONF":
        return LedgerUnavailableError(f"{where} refuses writes since it cannot save them ({rest}): give it disk space")
    if code in _PASSING:
        return LedgerUnavailableError(f"{where} cannot take this now ({code} {rest}): try again in a moment")
    if code in _CLUSTER:
        return LedgerUnfitError(
            f"{where} is a Redis Cluster, which is not supported: use one server or redis+sentinel://"
        )
    return None


def _line(error: object) -> str:
    """Return the text of `error` as one line of bounded length."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
