"""redis-py's asyncio connections, with what was measured to be wrong in 5.3.1 put right.

- Its retries nest: a command around a reconnect, a sentinel's look-up around both; n retries become n². `PatientRetry`
  lets only the outermost layer retry, and by time instead of by count.
- What fails after the socket is open (AUTH, SELECT, a server that is just going) is never retried, and one slow connect
  holds up every other command of the pool. `SteadyPool` connects outside the pool's lock and retries the whole of it.
- With a socket timeout it sends through `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that arrives
  while a command is being sent (measured: one in two). `_Steady` sends under `asyncio.timeout`.
- What is no Redis protocol ends in whatever the parser meets (`ValueError`, `IndexError`); a refusal as a connection
  opens (`DENIED`) is taken for an answer to the client's introduction, and is lost. `_Steady` tells both.
- The text of a server's error, or of a failed pipeline, repeats the command's arguments. Here it does not: they hold
  references, and such texts reach logs.
- A unix connection greets the server twice, and hides a wrong password in a plain `ConnectionError`.

A command, a script or a whole pipeline (unless it watches keys: then `WatchError`) is sent again after a lost reply:
what is sent must bear being done twice.
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
    OSError,  # a refused connect is a bare one
    ReadOnlyError,  # the master was demoted: a new connection finds the new one
)

_inside_an_attempt: ContextVar[bool] = ContextVar("inside_an_attempt", default=False)


@contextmanager
def single_attempt() -> Iterator[None]:
    """Within it, no command is retried: the caller has a loop of its own."""
    token = _inside_an_attempt.set(True)
    try:
        yield
    finally:
        _inside_an_attempt.reset(token)


class PatientRetry(Retry):
    """Retries in the outermost layer only: at least once, then until `patience_s` have passed.

    A wrong password is not retried.
    """

    def __init__(self, patience_s: float) -> None:
        super().__init__(EqualJitterBackoff(cap=BACKOFF_CAP_S, base=BACKOFF_BASE_S), retries=-1)
        self.update_supported_errors(list(RETRY_ON))
        self._patience_s = patience_s

    def __deepcopy__(self, memo: dict[int, Any]) -> "PatientRetry":
        # each connection takes a copy; there is nothing in it that changes
        return copy.copy(self)

    async def call_with_retry(self, do: Callable[[], Awaitable[T]], fail: Callable[[Any], Any]) -> T:
        """Run `do`; after a failure run `fail`, which may raise to end it, wait, and run `do` again."""
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
    """Sends without `wait_for`: a cancellation meanwhile is not lost. Tells errors without a command's arguments."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read one reply; see `AbstractConnection`."""
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
        except OSError as error:
            await self.disconnect(nowait=True)
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
    """Says of a failed command what the server said of it, without its arguments."""

    def annotate_exception(self, exception: Exception, number: int, command: Iterable[object]) -> None:
        """Leave it as it is."""


class QuietRedis(Redis):
    """A client whose errors hold nothing of what it was given."""

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return a pipeline; see `Redis`."""
        return _QuietPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class SteadyPool(ConnectionPool):
    """Connects outside the pool's lock, and retries all of it; while the server is away, one tries for all."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._failures = 0
        self._try_at = 0.0
        self._trying: asyncio.Future[Exception | None] | None = None

    async def get_connection(self, command_name: object = None, *keys: object, **options: object) -> AbstractConnection:
        """Return a connection that is ready for a command."""
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
        """Connect where need be; what another has just been refused is not asked for again."""
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
    """The same for a master behind sentinels; closing it closes the connections to the sentinels too."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the idle connections, and with `inuse_connections` all of them."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()
