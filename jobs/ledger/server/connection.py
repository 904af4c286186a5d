"""Connects to a server; `fitness` checks it.

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
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, overload

from redis.asyncio import Redis, Sentinel
from redis.asyncio.connection import ConnectionPool
from redis.backoff import EqualJitterBackoff
from redis.exceptions import BusyLoadingError

from cancellist.jobs.errors import SettingsError
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
from cancellist.jobs.ledger.server.redis_errors import refuses_login, translated

__all__ = ["connect", "later", "redacted", "translated"]

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


def later(url: str, *, block_s: float) -> Redis:
    """Return a client that connects when it is first used, to a server that has answered; closing it is the caller's.

    Args:
        url: see `address`.
        block_s: as for `connect`.

    Raises:
        SettingsError: as `connect`.
    """
    return QuietRedis.from_pool(_pool(parse(url), None, block_s))


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
