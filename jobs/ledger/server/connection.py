"""Connects to a server, and checks it.

    redis = await connect(url, on_wait=print)
    facts = await check(redis)
    with translated(facts.name): await redis.evalsha(...)

A client opened here repeats a command when its connection failed or its reply was lost (redis_client.py).
Pub/sub must be read with `get_message(timeout=...)`: a plain `listen()` reconnects after `COMMAND_S` of silence, and
loses what is published in between.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, overload

from redis.asyncio import Redis, Sentinel
from redis.asyncio.connection import ConnectionPool
from redis.backoff import EqualJitterBackoff
from redis.exceptions import BusyLoadingError, ResponseError

from cancellist.jobs.errors import LedgerUnfitError, SettingsError
from cancellist.jobs.ledger.server.address import (
    Address,
    SentinelAddress,
    TcpAddress,
    Tls,
    UnixAddress,
    parse,
    redacted,
)
from cancellist.jobs.ledger.server.redis_client import (
    RETRY_ON,
    PatientRetry,
    QuietRedis,
    SteadyConnection,
    SteadyPool,
    SteadySentinelConnection,
    SteadySentinelPool,
    SteadyTlsConnection,
    SteadyUnixConnection,
    single_attempt,
)
from cancellist.jobs.ledger.server.redis_errors import THE_SERVER, refuses_login, translate, translated

__all__ = ["ServerFacts", "check", "connect", "redacted", "translated"]

ClientT = TypeVar("ClientT", bound=Redis)

WAIT_S: Final = 5.0
CONNECT_S: Final = 5.0
COMMAND_S: Final = 5.0
PATIENCE_S: Final = 2.0  # how long a command is repeated; a restart of the server takes about a second
SENTINEL_S: Final = 1.0  # the longest wait for one sentinel
IDLE_CHECK_S: Final = 15  # a connection that was idle for longer is pinged before its use
KEEPALIVE_IDLE_S: Final = 15
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3

SHOWN: Final = 5  # names of commands that a message lists

OLDEST_REDIS: Final = (7, 0)
OLDEST_VALKEY: Final = (8, 0)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's facts about itself.

    Attributes:
        name: its own name, `valkey` or `redis`.
        run_id: changes with every start of the server.
        persistent: whether it writes an append-only file or snapshots, as far as this user may know.
        max_memory_bytes: `maxmemory`, or the memory of its machine where that is 0.
    """

    name: str
    version: str
    run_id: str
    eviction_policy: str
    persistent: bool
    used_memory_bytes: int
    max_memory_bytes: int


@overload
async def connect(
    url: str,
    *,
    password: str | None = None,
    wait_s: float = WAIT_S,
    block_s: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
) -> Redis: ...


@overload
async def connect(
    url: str,
    *,
    password: str | None = None,
    wait_s: float = WAIT_S,
    block_s: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
    client_class: type[ClientT],
) -> ClientT: ...


async def connect(
    url: str,
    *,
    password: str | None = None,
    wait_s: float = WAIT_S,
    block_s: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
    client_class: type[Redis] = QuietRedis,
) -> Redis:
    """Connects, and returns the client after the server's first answer. The caller must close it.

    A server that is loading its data is waited for without a limit.

    Args:
        url: see address.py.
        password: replaces the one in `url`.
        wait_s: the longest wait for an answer.
        block_s: the longest BLOCK of this client's commands; its socket timeout is longer.
        on_wait: called once with the reason of a wait.
        client_class: the class of the client, such as arq's `ArqRedis`.

    Raises:
        SettingsError: `url` is malformed, or names a certificate file that does not exist.
        LedgerUnavailableError: no answer within `wait_s`.
        LedgerRefusedError: wrong user name or password, or PING is forbidden.
        LedgerUnfitError: another service than Redis answers.
    """
    address = parse(url)
    client = client_class.from_pool(_pool(address, password, block_s))
    try:
        with translated(address.shown):
            await _answer(client, address.shown, wait_s, on_wait)
    except BaseException:
        await client.aclose()
        raise
    return client


async def _answer(client: Redis, where: str, wait_s: float, on_wait: Callable[[str], None] | None) -> None:
    """Pings until the server answers; the socket's timeouts bound each attempt."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    backoff = EqualJitterBackoff(cap=0.5, base=0.025)
    failures = 0
    while True:
        try:
            with single_attempt():
                await client.ping()
        except RETRY_ON as error:
            loading = isinstance(error, BusyLoadingError)
            if refuses_login(error) or (loop.time() >= deadline and not loading):
                raise
            if on_wait is not None and failures == 0:
                on_wait(f"{where} is loading its data; waiting" if loading else f"waiting for {where} to answer")
            failures += 1
        else:
            return
        await asyncio.sleep(backoff.compute(min(failures, 16)))


def _pool(address: Address, password: str | None, block_s: float) -> ConnectionPool:
    options: dict[str, Any] = {
        "db": address.db,
        "username": address.username,
        "password": password or address.password,
        "socket_timeout": COMMAND_S + block_s,
        "socket_connect_timeout": CONNECT_S,
        "health_check_interval": IDLE_CHECK_S,
        "retry": PatientRetry(PATIENCE_S),
        "retry_on_error": list(RETRY_ON),
    }
    match address:
        case UnixAddress(path=path):
            return SteadyPool(SteadyUnixConnection, path=path, **options)
        case SentinelAddress():
            return _sentinel_pool(address, options)
        case TcpAddress(host=host, port=port, tls=None):
            return SteadyPool(SteadyConnection, host=host, port=port, **_keepalive(), **options)
        case TcpAddress(host=host, port=port, tls=Tls() as tls):
            return SteadyPool(SteadyTlsConnection, host=host, port=port, **_keepalive(), **_tls(tls), **options)
        case _:
            raise TypeError(address)


def _sentinel_pool(address: SentinelAddress, options: dict[str, Any]) -> ConnectionPool:
    login: dict[str, Any] = {"username": address.sentinel_username, "password": address.sentinel_password}
    sentinels = Sentinel([])  # type: ignore[no-untyped-call] # redis-py's
    sentinels.sentinels = [
        Redis.from_pool(
            SteadyPool(
                SteadyConnection,
                host=host,
                port=port,
                socket_timeout=SENTINEL_S,
                socket_connect_timeout=SENTINEL_S,
                **_keepalive(),
                **login,
            )
        )
        for host, port in address.sentinels
    ]
    return SteadySentinelPool(
        address.service, sentinels, connection_class=SteadySentinelConnection, **_keepalive(), **options
    )


def _keepalive() -> dict[str, Any]:
    if sys.platform != "linux":  # redis-py sets the options by SOL_TCP, which only Linux has
        return {"socket_keepalive": True}
    return {
        "socket_keepalive": True,
        "socket_keepalive_options": {
            socket.TCP_KEEPIDLE: KEEPALIVE_IDLE_S,
            socket.TCP_KEEPINTVL: KEEPALIVE_INTERVAL_S,
            socket.TCP_KEEPCNT: KEEPALIVE_PROBES,
        },
    }


def _tls(tls: Tls) -> dict[str, Any]:
    for file in (tls.ca_certs, tls.certfile, tls.keyfile):
        if file is not None and not Path(file).is_file():
            raise SettingsError(f"CANCELLIST_REDIS_URL names the file {file}, which does not exist")
    return {
        "ssl_ca_certs": tls.ca_certs,
        "ssl_certfile": tls.certfile,
        "ssl_keyfile": tls.keyfile,
        "ssl_cert_reqs": "required" if tls.verified else "none",
        "ssl_check_hostname": tls.check_hostname,
    }


async def check(redis: Redis, where: str = THE_SERVER) -> ServerFacts:
    """Checks, in one round trip, whether the server can hold the ledger.

    A server without persistence passes; `ServerFacts.persistent` says so.

    Raises:
        LedgerUnfitError: it evicts keys, is too old, or is a replica, a sentinel or a cluster.
        LedgerRefusedError: INFO is forbidden.
        LedgerUnavailableError: it does not answer.
    """
    with translated(where):
        async with redis.pipeline(transaction=False) as pipe:
            pipe.info()
            pipe.config_get("save")
            info, saves = await pipe.execute(raise_on_error=False)
    if isinstance(info, Exception):
        raise translate(info, where) or info
    if not isinstance(info, dict):
        raise LedgerUnfitError(f"{where} answers INFO strangely: is it a Redis or Valkey server?")
    _must_be_a_primary(info, where)
    name = str(info.get("server_name", "redis"))
    version = str(info.get("valkey_version" if name == "valkey" else "redis_version", "0"))
    _must_be_new_enough(name, version, where)
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        how = (
            "run `CONFIG SET maxmemory-policy noeviction` there, and set the same in its configuration file"
            if isinstance(saves, dict)
            else "set its parameter maxmemory-policy to noeviction where its provider keeps it"
        )
        raise LedgerUnfitError(f"{where} evicts data when its memory is full (maxmemory-policy {policy}): {how}")
    return ServerFacts(
        name=name,
        version=version,
        run_id=str(info.get("run_id", "")),
        eviction_policy=policy,
        persistent=bool(info.get("aof_enabled")) or (isinstance(saves, dict) and bool(saves.get("save"))),
        used_memory_bytes=int(info.get("used_memory", 0)),
        max_memory_bytes=int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)),
    )


async def check_commands(redis: Redis, names: Iterable[str], where: str = THE_SERVER) -> None:
    """Checks, in one round trip, that the server has these commands; passes where the server does not say.

    Raises:
        LedgerUnfitError: some are switched off or renamed.
        LedgerUnavailableError: it does not answer.
    """
    client: Any = redis
    wanted = sorted(set(names))
    with translated(where):
        try:
            # The command is bytes: for a `str` that it knows, redis-py parses the reply in its own way.
            found = await client.execute_command(b"COMMAND", "INFO", *wanted)
        except ResponseError:
            return
    if isinstance(found, list) and len(found) == len(wanted):
        missing = [name for name, facts in zip(wanted, found, strict=True) if facts is None]
        if missing:
            raise LedgerUnfitError(lacks(missing, where))


def lacks(missing: Sequence[str], where: str = THE_SERVER) -> str:
    """A message about commands that a server lacks."""
    shown = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
    one = len(missing) == 1
    return (
        f"{where} does not have the {'command' if one else 'commands'} {shown}: "
        f"enable {'it' if one else 'them'} (rename-command), or use another server"
    )


def _must_be_a_primary(info: dict[str, Any], where: str) -> None:
    mode = info.get("server_mode", info.get("redis_mode"))
    if mode == "sentinel":
        raise LedgerUnfitError(f"{where} is a sentinel: use redis+sentinel://host:port/service in CANCELLIST_REDIS_URL")
    if mode == "cluster":
        raise LedgerUnfitError(f"{where} is a Redis Cluster, which is not supported: use one server or sentinels")
    if info.get("role") == "slave":
        raise LedgerUnfitError(f"{where} is a read-only replica: name the primary in CANCELLIST_REDIS_URL")


def _must_be_new_enough(name: str, version: str, where: str) -> None:
    oldest = OLDEST_VALKEY if name == "valkey" else OLDEST_REDIS
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    parts = (int(major) if major.isdecimal() else 0, int(minor) if minor.isdecimal() else 0)
    if parts < oldest:
        raise LedgerUnfitError(f"{where} is {name} {version}: Redis 7.0 or newer or Valkey 8 or newer is needed")
