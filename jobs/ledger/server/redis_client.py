"""redis-py's asyncio connections, with faults of version 5.3.1 corrected. All were measured.

- Its retries nest: a command retries around a reconnect, and a sentinel's look-up around both, so n retries become n².
  In `PatientRetry` only the outermost layer retries, for a time instead of a count.
- Failures after the socket is open (AUTH, SELECT, a server that is ending) are never retried, and one slow connect
  delays every other command of the pool. `SteadyPool` connects outside of the pool's lock, and retries the whole
  connect.
- With a socket timeout it sends through `asyncio.wait_for`, which on Python 3.11 loses a cancellation that arrives
  while a command is sent (in one of two cases). `_Steady` sends under `asyncio.timeout`.
- Uvloop raises a `RuntimeError` where the connection was reset just before a command is sent. `_Steady` raises what a
  reset raises elsewhere, so that the command is repeated.
- Bytes of another protocol raise whatever the parser meets (`ValueError`, `IndexError`). A refusal at the
  start of a connection (`DENIED`) is taken for an answer to the client's first command, and is lost. `_Steady` raises
  clear errors for both.
- The text of a server's error, or of a failed pipeline, repeats the command's arguments. Here it does not: they hold
  references, and such texts reach logs.
- A unix connection greets the server twice, and hides a wrong password in a plain `ConnectionError`.

After a lost reply a command, a script or a whole pipeline is sent again (a pipeline that watches keys raises
`WatchError`). So everything that is sent must be safe to run twice.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedConnection
from redis.backoff import EqualJitterBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, InvalidResponse, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from cancellist.jobs.ledger.server.redis_errors import PROTECTED, without_arguments

T = TypeVar("T")

BACKOFF_BASE_S: Final = 0.025
BACKOFF_CAP_S: Final = 0.5
POOL_PAUSE_CAP_S: Final = 0.25
RETRY_ON: Final[tuple[type[Exception], ...]] = (
    RedisConnectionError,
    RedisTimeoutError,
    OSError,  # raised by a refused connect
    ReadOnlyError,  # the master was demoted; a new connection finds the new master
)

_inside_an_attempt: ContextVar[bool] = ContextVar("inside_an_attempt", default=False)


@contextmanager
def single_attempt() -> Iterator[None]:
    """Disables retries for a block, whose caller has a loop of its own."""
    token = _inside_an_attempt.set(True)
    try:
        yield
    finally:
        _inside_an_attempt.reset(token)


class PatientRetry(Retry):
    """Retries only in the outermost layer: at least once, then until `patience_s` have passed.

    A wrong password is not retried.
    """

    def __init__(self, patience_s: float) -> None:
        super().__init__(EqualJitterBackoff(cap=BACKOFF_CAP_S, base=BACKOFF_BASE_S), retries=-1)
        self.update_supported_errors(list(RETRY_ON))
        self._patience_s = patience_s

    def __deepcopy__(self, memo: dict[int, Any]) -> "PatientRetry":
        # Each connection takes a copy. The object never changes, so a shallow copy is enough.
        return copy.copy(self)

    async def call_with_retry(self, do: Callable[[], Awaitable[T]], fail: Callable[[Any], Any]) -> T:
        """Runs `do`. After a failure it runs `fail`, which may raise to end the retries, waits, and runs `do` again."""
        nested = _inside_an_attempt.get()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        failures = 0
        while True:
            try:
                with single_attempt():
                    return await do()
            except self._supported_errors as error:
                failures += 1
                await fail(error)
                hopeless = isinstance(error, AuthenticationError | AuthorizationError)
                if nested or hopeless or (failures > 1 and loop.time() >= deadline):
                    raise
            await asyncio.sleep(self._backoff.compute(min(failures, 16)))


class _Steady(AbstractConnection):
    """Sends without `wait_for`, so no cancellation is lost; its errors hold no arguments of commands."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Reads one reply; see `AbstractConnection`."""
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            if str(error).startswith(PROTECTED):
                raise AuthorizationError(str(error)) from None
            error.args = (without_arguments(str(error)),)
            raise
        except (ValueError, IndexError, TypeError, RecursionError) as error:
            await self.disconnect(nowait=True)
            raise InvalidResponse(f"Protocol Error: {type(error).__name__}") from None

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call] # redis-py's
        elif check_health:
            await self.check_health()  # type: ignore[no-untyped-call] # redis-py's
        if isinstance(command, str):
            command = command.encode()
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command([command] if isinstance(command, bytes) else command)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout writing to socket") from None
        except (OSError, RuntimeError) as error:
            lost = isinstance(error, OSError) or self._writer is None or self._writer.is_closing()
            await self.disconnect(nowait=True)
            if not lost:
                raise
            raise RedisConnectionError(f"Error while writing to socket: {error}") from error
        except BaseException:  # half a command may have been written
            await self.disconnect(nowait=True)
            raise


class SteadyConnection(_Steady, Connection):
    """Over TCP."""


class SteadyTlsConnection(_Steady, SSLConnection):
    """Over TLS."""


class SteadySentinelConnection(_Steady, SentinelManagedConnection):
    """Over TCP, to the master that the sentinels name at that moment."""


class SteadyUnixConnection(_Steady, UnixDomainSocketConnection):
    """Over a unix socket."""

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            self._reader, self._writer = await asyncio.open_unix_connection(path=self.path)


class _QuietPipeline(Pipeline):
    """A pipeline whose errors hold the server's text, without the command's arguments."""

    def annotate_exception(self, exception: Exception, number: int, command: Iterable[object]) -> None:
        """Leaves the error as it is."""


class QuietRedis(Redis):
    """A client whose errors hold nothing of its input."""

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline; see `Redis`."""
        return _QuietPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class SteadyPool(ConnectionPool):
    """Connects outside of the pool's lock, and retries the whole connect. During an outage one task tries for all."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._failures = 0
        self._try_at = 0.0
        self._trying: asyncio.Future[Exception | None] | None = None

    async def get_connection(self, command_name: object = None, *keys: object, **options: object) -> AbstractConnection:
        """A connection that is ready for a command."""
        del command_name, keys, options  # redis-py's signature
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call] # redis-py's
        try:
            await connection.retry.call_with_retry(
                lambda: self._make_ready(connection), lambda _error: connection.disconnect(nowait=True)
            )
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def _make_ready(self, connection: AbstractConnection) -> None:
        """Connects if needed; shares the failure of another task's attempt."""
        if self._failures and not connection.is_connected:
            if self._trying is None:
                await self._try_for_all(connection)
                return
            refusal = await asyncio.shield(self._trying)
            if refusal is not None:
                raise type(refusal)(*refusal.args)
        await self._connect(connection)

    async def _try_for_all(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        trying = self._trying = loop.create_future()
        refusal: Exception | None = None
        try:
            await asyncio.sleep(self._try_at - loop.time())
            await self._connect(connection)
        except RETRY_ON as error:
            refusal = error
            raise
        finally:
            self._trying = None
            trying.set_result(refusal)

    async def _connect(self, connection: AbstractConnection) -> None:
        try:
            await self.ensure_connection(connection)
        except RETRY_ON:
            self._failures += 1
            pause_s = min(POOL_PAUSE_CAP_S, BACKOFF_BASE_S * 2.0 ** min(self._failures, 16))
            self._try_at = asyncio.get_running_loop().time() + pause_s
            raise
        self._failures = 0


class SteadySentinelPool(SteadyPool, SentinelConnectionPool):
    """A pool for a master behind sentinels; it also closes the connections to the sentinels."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes the idle connections, or all of them with `inuse_connections`."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()
