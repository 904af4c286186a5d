"""One run of a command: its settings, its ledger, and the signals that end it."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import typer

from cancellist.cli.standard_streams import INTERRUPTION
from cancellist.cli.terminal import let_go, say, say_now
from cancellist.config.settings import Settings
from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.opening import Opened, opened_ledger

T = TypeVar("T")

_AWAY_S = 60.0
_RETRY_S = 0.5
_ENDED_BY_SIGNAL = 128
_HEARS_WITHIN_S = 1.0
"""A loop that does not turn for so long waits for something that may never come."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work to its end; SIGINT, SIGTERM and SIGHUP cancel it, so that it cleans up.

    Raises:
        typer.Exit: a signal has ended it.
    """
    received: list[int] = []
    # what became of a task that nobody waited for is no news beside the error that ended the work
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        with _heard(received):
            return asyncio.run(_listening(work, received))
    except (asyncio.CancelledError, KeyboardInterrupt):
        if not received:
            raise
        raise typer.Exit(_ENDED_BY_SIGNAL + received[0]) from None


@contextmanager
def _heard(received: list[int]) -> Iterator[None]:
    """Notes the first signal, also where the work has not begun to listen or does no more."""

    def note(number: int, _: object) -> None:
        received.append(number)
        INTERRUPTION.asked = True
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as `nohup` asks
            signal.signal(number, note)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


async def _listening(work: Coroutine[Any, Any, T], received: list[int]) -> T:
    """Does the work as a task that a signal cancels.

    The handlers are Python's, not the loop's: they run also while a write waits for its reader.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(number: int, _: object) -> None:
        received.append(number)
        INTERRUPTION.asked = True
        if number == signal.SIGHUP:
            let_go()
        if number == signal.SIGINT and len(received) > 1:
            raise KeyboardInterrupt  # whoever presses Ctrl-C again will not wait for the cleaning up
        if task and not loop.is_closed():
            loop.call_soon_threadsafe(cancel)
            signal.setitimer(signal.ITIMER_REAL, _HEARS_WITHIN_S)

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if task:
            task.cancel()

    signal.signal(signal.SIGALRM, _break_off)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    return await work


def _break_off(*_: object) -> None:
    """Ends what keeps the loop from hearing of a signal, such as a file that cannot be opened yet."""
    raise KeyboardInterrupt


@asynccontextmanager
async def ledger_of(settings: Settings) -> AsyncIterator[Opened]:
    """The ledger that the settings name; a wait for its server is visible."""
    async with opened_ledger(
        url=settings.redis_url.get_secret_value() if settings.redis_url else None,
        data_dir=settings.data_dir,
        fsync=settings.fsync,
        namespace=settings.namespace,
        on_wait=say,
    ) as opened:
        yield opened


async def patiently(opened: Opened, read: Callable[[], Awaitable[T]]) -> T:
    """Reads, again and again while the server is away, for a minute: a job goes on without those who watch it.

    Raises:
        LedgerUnavailableError: it stayed away.
    """
    loop = asyncio.get_running_loop()
    gives_up_at: float | None = None
    while True:
        try:
            answer = await read()
        except LedgerUnavailableError as error:
            if gives_up_at is None:
                gives_up_at = loop.time() + _AWAY_S
                say_now(f"{error}; waiting for it")
            if loop.time() >= gives_up_at:
                raise
            await asyncio.sleep(_RETRY_S)
            await _revive(opened)
        else:
            if gives_up_at is not None:
                say_now("the server is back")
            return answer


async def _revive(opened: Opened) -> None:
    try:
        await opened.revive()
    except LedgerUnavailableError:
        await asyncio.sleep(_RETRY_S)


async def check_account(ledger: Ledger, settings: Settings, account: str) -> None:
    """Refuses an account that is neither configured here nor served by workers.

    Raises:
        InputError: there is none of that name; the text lists those there are.
    """
    await accounts.check(ledger, account, settings.account_names)
