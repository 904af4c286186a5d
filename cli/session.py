"""One run of a command: its settings, its ledger, and the signals that end it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import typer

from cli.terminal import let_go, say
from config.settings import Settings
from jobs.errors import InputError, LedgerUnavailableError
from jobs.ledger import control
from jobs.ledger.core import Ledger
from jobs.ledger.opening import Opened, opened_ledger

T = TypeVar("T")

_AWAY_S = 60.0
_RETRY_S = 0.5
_ENDED_BY_SIGNAL = 128


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work to its end; SIGTERM and SIGHUP cancel it as Ctrl-C does, so that it cleans up."""
    received: list[int] = []

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(number: int) -> None:
            received.append(number)
            if number == signal.SIGHUP:
                let_go()
            if task:
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` asks
                loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if not received:
            raise
        raise typer.Exit(_ENDED_BY_SIGNAL + received[0]) from None


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
                say(f"{error}; waiting for it")
            if loop.time() >= gives_up_at:
                raise
            await asyncio.sleep(_RETRY_S)
            await _revive(opened)
        else:
            if gives_up_at is not None:
                say("the server is back")
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
    if account in settings.account_names:
        return
    there = {*settings.account_names, *await control.served(ledger)}
    if account not in there:
        raise InputError(f"no account {account!r} is configured; there is {', '.join(sorted(there))}")
