"""Translates redis-py's exceptions into ours: every error of a server becomes one line.

No message repeats arguments of commands. A server repeats some where it does not know a command, and quotes values that
it refuses; redis-py would put a whole pipelined command into its exception (redis_client.py prevents that). So only the
server's text before the arguments is shown, and quoted parts are left out.
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
    DataError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    PubSubError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from cancellist.jobs.errors import (
    LedgerError,
    LedgerFullError,
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
)
from cancellist.jobs.escaping import cut

THE_SERVER: Final = "the Redis server"
MAX_TEXT: Final = 200

_UNTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"
_NOT_TLS: Final = re.compile(r"WRONG_VERSION_NUMBER|record layer failure|UNEXPECTED_MESSAGE")
_TLS_ALERT: Final = re.compile(r"(?:got \"|b['\"])\\x15")
PROTECTED: Final = "DENIED"
_HUNG_UP: Final = re.compile(r"reset by peer|closed by server", re.IGNORECASE)
_TIMED_OUT: Final = "Timeout connecting"
_CROWDED: Final = "max number of clients"

_COMMAND: Final = re.compile(r"run the '([^']+)' command")
# the server's error code: first in a plain answer, first inside the brackets that a pipeline puts around it
_CODE: Final = re.compile(r"(?:^|caused error: \(['\"])([A-Z]+) (.*)", re.DOTALL)
# what redis-py puts before an error of a pipeline: the whole command
_ANNOTATION: Final = re.compile(r"^Command # \d+ \(.*\) of pipeline caused error: ", re.DOTALL)
# from here on, a server repeats what it was given
_ARGUMENTS: Final = re.compile(r",? with args beginning with.*", re.DOTALL)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
# what Valkey and Redis 7 say when a script runs a command that its user may not run; the code is a plain ERR
_SCRIPT_REFUSED: Final = re.compile(r"ACL failure in script|The user executing the script can't")
# what a server that wants a login says to a command of more than ten words, before it looks at it, and hangs up
_NO_LOGIN: Final = "unauthenticated multibulk length"
_UNKNOWN: Final = re.compile(r"unknown (?:sub)?command ?['`\"]?([A-Za-z|_.-]{0,30})", re.IGNORECASE)
_UNKNOWN_IN_SCRIPT: Final = re.compile(
    r"unknown (?:redis |server |valkey )?command called from|invalid command passed to", re.IGNORECASE
)
_UNDECLARED: Final = re.compile(r"undeclared key|non[- ]local key|do not hash to the same slot", re.IGNORECASE)
_NO_DATABASE: Final = re.compile(r"DB index|invalid database|SELECT is not allowed", re.IGNORECASE)
# what our own scripts say of a fixed key
_OTHER_KIND: Final = re.compile(r"(\S{1,150}) holds another kind of value")
_SCRIPTING: Final = re.compile(r"script|user_function|@?user_script", re.IGNORECASE)
_PASSING: Final = frozenset({
    "MISCONF", "MASTERDOWN", "NOREPLICAS", "BUSY", "UNKILLABLE", "CLUSTERDOWN", "UNBLOCKED", "TRYAGAIN", "NOGROUP",
    "NOSCRIPT", "LOADING", "READONLY",
})  # fmt: skip
_CLUSTER: Final = frozenset({"MOVED", "ASK", "CROSSSLOT"})
_OURS: Final = ("UNCOVERED",)
"""Codes of our own scripts for a fault in our own code."""
_MEND_TLS: Final = "use redis:// in CANCELLIST_REDIS_URL"


@contextmanager
def translated(where: str = THE_SERVER) -> Iterator[None]:
    """Raises a `LedgerError` in place of redis-py's exception. Exceptions for faults of ours pass unchanged.

    Args:
        where: the server's name in the message; an address without its password.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        ours = translate(error, where)
        if ours is None:
            raise
        raise ours from error


def translate(error: Exception, where: str = THE_SERVER) -> LedgerError | None:
    """Translates an exception of redis-py; None where the server cannot be the cause."""
    match error:
        case WatchError() | DataError() | PubSubError():
            return None
        case MasterNotFoundError():
            return _no_master(error, where)
        case BusyLoadingError():
            return LedgerUnavailableError(f"{where} is still loading its data: try again in a moment")
        case RedisConnectionError() | RedisTimeoutError() | OSError():
            return _connection(error, where)
        case InvalidResponse():
            return _no_protocol(error, where)
        case ResponseError():
            return None if str(error).startswith(_OURS) else _reply(error, where)
        case RedisError():
            return LedgerError(f"{where} cannot be used ({type(error).__name__}): see its log")
        case _:
            return None


def refuses_login(error: Exception) -> bool:
    """Whether waiting cannot help: a wrong password, an untrusted certificate, or no TLS where it is expected."""
    text = str(error)
    return (
        isinstance(error, AuthenticationError | AuthorizationError)
        or (isinstance(error, MasterNotFoundError) and "AuthenticationError(" in text)
        or _UNTRUSTED in text
        or _NOT_TLS.search(text) is not None
    )


def without_arguments(text: str) -> str:
    """A server's text without the arguments of an unknown command."""
    return _ARGUMENTS.sub("", text)


def refuses_for_memory(error: Exception) -> bool:
    """Whether the server is full, by the error of the command or of its transaction."""
    return isinstance(error, OutOfMemoryError) or "OOM" in str(error)


def _connection(error: Exception, where: str) -> LedgerError:
    """Translates the failure of a connection."""
    text = str(error)
    if PROTECTED in text:
        return LedgerRefusedError(
            f"{where} is in protected mode and accepts only its own machine: "
            "give its user a password there, and here in CANCELLIST_REDIS_URL"
        )
    if _CROWDED in text:
        return LedgerUnavailableError(f"{where} has as many clients as it takes: raise its maxclients, or end some")
    if isinstance(error, AuthenticationError | AuthorizationError):
        return LedgerRefusedError(
            f"{where} refuses the user name or the password ({_line(error)}): correct them in CANCELLIST_REDIS_URL"
        )
    if _UNTRUSTED in text:
        return LedgerRefusedError(
            f"{where} shows a certificate that is not trusted ({_line(error)}): "
            "give its authority as ?ssl_ca_certs=FILE in CANCELLIST_REDIS_URL"
        )
    if _NOT_TLS.search(text):
        return LedgerUnfitError(f"{where} does not speak TLS ({_line(error)}): {_MEND_TLS}")
    if _NO_DATABASE.search(text):
        return _no_database(where)
    perhaps = ""
    if where.startswith("rediss://") and _TIMED_OUT in text:
        perhaps = f", perhaps because it speaks no TLS (then {_MEND_TLS})"
    elif where.startswith("redis://") and _HUNG_UP.search(text):
        perhaps = ", perhaps because it speaks TLS (then use rediss://)"
    return LedgerUnavailableError(
        f"{where} does not answer ({_line(error)}){perhaps}: start it, or correct CANCELLIST_REDIS_URL"
    )


def _no_protocol(error: InvalidResponse, where: str) -> LedgerError:
    """Translates an answer of another protocol: another service, or an alert of TLS."""
    if _TLS_ALERT.search(str(error)):
        return LedgerUnfitError(f"{where} speaks TLS: use rediss:// in CANCELLIST_REDIS_URL")
    return LedgerUnfitError(f"{where} does not speak the Redis protocol ({_line(error)}): correct CANCELLIST_REDIS_URL")


def _reply(error: ResponseError, where: str) -> LedgerError:
    match error:
        case NoPermissionError():
            return _forbidden(error, where)
        case NoScriptError():
            return LedgerUnavailableError(f"{where} has forgotten a script: try again in a moment")
        case OutOfMemoryError():
            return LedgerFullError(
                f"{where} is out of memory: raise its maxmemory, or let workers drain what is queued"
            )
        case ReadOnlyError():
            return LedgerUnavailableError(
                f"{where} is a read-only replica: name the primary in CANCELLIST_REDIS_URL, or use redis+sentinel://"
            )
        case _:
            return _by_code(error, where) or _by_words(str(error), where)


def _no_master(error: MasterNotFoundError, where: str) -> LedgerError:
    if refuses_login(error):
        return LedgerRefusedError(
            f"the sentinels of {where} refuse the login: give theirs as ?sentinel_password= (and ?sentinel_username=)"
        )
    return LedgerUnavailableError(f"no sentinel of {where} knows a live master of that name: check the sentinels")


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
    code, rest = found[1], _answer(found[2])
    if code == "MISCONF":
        return LedgerUnavailableError(
            f"{where} refuses writes because it cannot save them ({rest}): give it disk space"
        )
    if code == "OOM":
        return LedgerFullError(f"{where} is out of memory: raise its maxmemory, or let workers drain what is queued")
    if code in _PASSING:
        return LedgerUnavailableError(f"{where} cannot take this now ({code} {rest}): try again in a moment")
    if code in _CLUSTER:
        return LedgerUnfitError(
            f"{where} is a Redis Cluster, which is not supported: use one server or redis+sentinel://"
        )
    if code == "WRONGTYPE":
        named = _OTHER_KIND.match(found[2])
        which = f"in the key {named[1]}" if named else "under a key of this namespace (`cancellist doctor` says which)"
        return LedgerUnfitError(
            f"{where} holds {which} what cancellist did not write (WRONGTYPE): "
            "remove it, or choose another CANCELLIST_NAMESPACE"
        )
    return None


def _by_words(text: str, where: str) -> LedgerError:
    """Translates an answer without a known code."""
    if _UNDECLARED.search(text):
        return LedgerUnfitError(
            f"{where} allows scripts only declared keys: allow other keys there, or use Redis 7.0 or newer or Valkey 8"
        )
    if _UNKNOWN_IN_SCRIPT.search(text):
        return LedgerRefusedError(f"{where} lacks a command that scripts need: see `cancellist doctor` for which")
    if unknown := _UNKNOWN.search(text):
        name = unknown[1].upper() or "that is needed"
        return LedgerRefusedError(
            f"{where} does not have the command {name}: enable it (rename-command), or use another server"
        )
    if _NO_DATABASE.search(text):
        return _no_database(where)
    if _SCRIPTING.search(text):
        return LedgerUnfitError(
            f"{where} cannot run a script of the ledger ({_answer(text)}): use Redis 7.0 or newer or Valkey 8, "
            "and see `cancellist doctor`"
        )
    return LedgerError(f"{where} refuses a command ({_answer(text)}): see its log, and `cancellist doctor`")


def _no_database(where: str) -> LedgerUnfitError:
    return LedgerUnfitError(
        f"{where} has no database of that number: correct the number at the end of CANCELLIST_REDIS_URL"
    )


def _answer(text: str) -> str:
    """A server's answer as one line, without repeated or quoted parts of the command."""
    said = without_arguments(_ANNOTATION.sub("", text))
    return _line(_QUOTED.sub("…", said[: 10 * MAX_TEXT]))


def _line(error: object) -> str:
    """The text of an error as one line of bounded length."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return cut(text, MAX_TEXT)
