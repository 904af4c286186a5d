"""Whatever a server says becomes one line that says what to do, and holds nothing of what it was given."""

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, InvalidResponse, ResponseError, WatchError

from cancellist.jobs.errors import (
    LedgerError,
    LedgerFullError,
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
)
from cancellist.jobs.ledger.server.redis_errors import MAX_TEXT, translate, translated, without_arguments

SECRET = "EC-000-05D-1NS"
GIVEN = f"'{SECRET}' '27' '{SECRET}' "

# fmt: off
SAID = [
    (f"ERR unknown command 'EVALSHA', with args beginning with: {GIVEN}", LedgerRefusedError, "the command EVALSHA"),
    (f"ERR unknown command `INFO`, with args beginning with: {GIVEN}", LedgerRefusedError, "the command INFO"),
    ("ERR unknown subcommand 'LOAD'. Try SCRIPT HELP.", LedgerRefusedError, "the command LOAD"),
    ("ERR unknown command 'zadd'", LedgerRefusedError, "the command ZADD"),
    ("ERR Unknown Redis command called from script script: 5ca1, on @user_script:9.", LedgerRefusedError, "scripts"),
    ("ERR Invalid command passed to redis.acl_check_cmd()", LedgerRefusedError, "scripts"),
    ("NOPERM this user has no permissions to run the 'evalsha' command", LedgerRefusedError, "the command evalsha"),
    ("NOPERM User u has no permissions to run the 'config|get' command", LedgerRefusedError, "config|get"),
    (f"NOPERM No permissions to access the '{SECRET}' key", LedgerRefusedError, "a key"),
    ("NOAUTH Authentication required.", LedgerRefusedError, "CANCELLIST_REDIS_URL"),
    ("WRONGPASS invalid username-password pair or user is disabled.", LedgerRefusedError, "CANCELLIST_REDIS_URL"),
    ("ERR DB index is out of range", LedgerUnfitError, "no database of that number"),
    ("ERR SELECT is not allowed in cluster mode", LedgerUnfitError, "no database of that number"),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", LedgerUnfitError, "doctor"),
    ("ERR Error running script: @user_script:9: tried accessing undeclared key", LedgerUnfitError, "declared keys"),
    (f"ERR Script attempted to access a non local key '{SECRET}' in a cluster node", LedgerUnfitError, "declared keys"),
    ("ERR Script attempted to access keys that do not hash to the same slot", LedgerUnfitError, "declared keys"),
    (f"ERR Error compiling script: user_script:3: near '{SECRET}'", LedgerUnfitError, "cannot run a script"),
    (f"ERR user_script:3: attempt to index '{SECRET}' script: 5ca1ab1e", LedgerUnfitError, "cannot run a script"),
    ("MISCONF Redis can't persist on disk.", LedgerUnavailableError, "disk"),
    ("READONLY You can't write against a read only replica.", LedgerUnavailableError, "read-only replica"),
    ("LOADING Redis is loading the dataset in memory", LedgerUnavailableError, "loading"),
    ("BUSY Redis is busy running a script.", LedgerUnavailableError, "BUSY"),
    ("UNKILLABLE Sorry the script already executed write commands.", LedgerUnavailableError, "UNKILLABLE"),
    ("MASTERDOWN Link with MASTER is down.", LedgerUnavailableError, "MASTERDOWN"),
    ("NOREPLICAS Not enough good replicas to write.", LedgerUnavailableError, "NOREPLICAS"),
    ("CLUSTERDOWN The cluster is down", LedgerUnavailableError, "CLUSTERDOWN"),
    ("TRYAGAIN Multiple keys request during rehashing of slot", LedgerUnavailableError, "TRYAGAIN"),
    ("NOSCRIPT No matching script.", LedgerUnavailableError, "again"),
    (f"NOGROUP No such key '{SECRET}' or consumer group", LedgerUnavailableError, "NOGROUP"),
    ("MOVED 3999 127.0.0.1:6381", LedgerUnfitError, "Cluster"),
    ("ASK 3999 127.0.0.1:6381", LedgerUnfitError, "Cluster"),
    ("CROSSSLOT Keys in request don't hash to the same slot", LedgerUnfitError, "Cluster"),
    ("OOM command not allowed when used memory > 'maxmemory'.", LedgerFullError, "maxmemory"),
    ("ERR max number of clients reached", LedgerUnavailableError, "maxclients"),
    (f"ERR value '{SECRET}' is not an integer", LedgerError, "refuses a command"),
    (f'ERR quoted otherwise "{SECRET}" {"x" * 10_000}\r\nsecond line', LedgerError, "refuses a command"),
    ("", LedgerError, "refuses a command"),
]
# fmt: on


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize(("said", "kind", "words"), SAID)
def test_every_error_of_the_server_is_one_line_without_the_commands_arguments(said, kind, words, pipelined):
    error = BaseParser.parse_error(said)
    if pipelined and isinstance(error, ResponseError):  # as redis-py annotates it
        error.args = (f"Command # 1 (EVALSHA {SECRET}) of pipeline caused error: {error.args}",)
    ours = translate(error, "redis://host:1")
    assert ours is not None
    assert type(ours) is kind or (pipelined and isinstance(ours, LedgerError))
    text = str(ours)
    assert text.startswith("redis://host:1 ")
    assert ": " in text
    assert "\n" not in text
    assert SECRET not in text
    assert len(text) < 2 * MAX_TEXT + 100
    assert pipelined or words in text


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (RedisConnectionError("Connection closed by server."), LedgerUnavailableError, "does not answer"),
        (RedisConnectionError("Invalid Database"), LedgerUnfitError, "no database"),
        (RedisConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), LedgerUnfitError, "speak TLS"),
        (OSError(111, "refused"), LedgerUnavailableError, "does not answer"),
        (InvalidResponse("Protocol Error: b'HTTP/1.1 400 Bad Request'"), LedgerUnfitError, "Redis protocol"),
    ],
)
def test_any_trouble_with_the_connection_is_one_line(error, kind, words):
    assert words in str(translate(error))
    with pytest.raises(kind), translated():
        raise error


@pytest.mark.parametrize(
    "error", [WatchError("x"), DataError("x"), ResponseError("UNCOVERED by a script of ours"), KeyError("x")]
)
def test_errors_that_are_not_the_servers_are_not_translated(error):
    assert translate(error) is None


def test_the_command_that_a_server_repeats_is_cut_from_its_error():
    assert without_arguments(f"unknown command 'X', with args beginning with: {GIVEN}") == "unknown command 'X'"
    assert without_arguments("no such key") == "no such key"
