"""One run of a command: its settings, its ledger, and the signals that end it."""

import asyncio
import logging
import os
import pwd
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import typer

from cancellist.cli.standard_streams import INTERRUPTION
from cancellist.cli.terminal import let_go, say, say_now
from cancellist.config.settings import Settings
from cancellist.jobs.access import token_of
from cancellist.jobs.errors import LedgerError, LedgerUnavailableError
from cancellist.jobs.ledger import accounts, audit
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.opening import Opened, opened_ledger
from cancellist.worker.process import start

T = TypeVar("T")

_AWAY_S = 60.0
_RETRY_S = 0.5
_ENDED_BY_SIGNAL = 128
_HEARS_WITHIN_S = 1.0
"""Seconds after a signal in which the event loop must react. Then the wait that blocks it is broken off."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work. SIGINT, SIGTERM and SIGHUP cancel it, so that it can clean up.

    Raises:
        typer.Exit: a signal ended the work. The exit status is 128 plus the signal's number.
    """
    start.collect_as_usual()
    received: list[int] = []
    # The error that ended the work is shown. What asyncio logs about abandoned tasks would only repeat it.
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
    """Records signals that arrive before the work listens for them, or after."""

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
    """Runs the work as a task that a signal cancels.

    The handlers are Python's, not the event loop's, so that they run while a blocking write waits for its reader.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(number: int, _: object) -> None:
        received.append(number)
        INTERRUPTION.asked = True
        if number == signal.SIGHUP:
            let_go()
        if number == signal.SIGINT and len(received) > 1:
            raise KeyboardInterrupt  # a second Ctrl-C skips the clean-up
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
    """Breaks off a blocking call that keeps the loop from handling a signal, such as the opening of a pipe."""
    raise KeyboardInterrupt


@asynccontextmanager
async def ledger_of(settings: Settings) -> AsyncIterator[Opened]:
    """Opens the ledger that the settings name. A message says so if its server has to be waited for."""
    async with opened_ledger(
        url=settings.redis_url.get_secret_value() if settings.redis_url else None,
        data_dir=settings.data_dir,
        fsync=settings.fsync,
        namespace=settings.namespace,
        on_wait=say,
    ) as opened:
        audit.acting(audit.Actor("cli", _user(), socket.gethostname(), _token(settings), lost=_not_recorded))
        yield opened


def _user() -> str:
    """The user of the operating system that runs this process, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _token(settings: Settings) -> str:
    """The name of the token that is given; empty without one, or where it is none that is known."""
    found = token_of(settings.tokens, settings.token.get_secret_value()) if settings.token else None
    return found.name if found else ""


def _not_recorded(act: str, error: LedgerError) -> None:
    say(f"the audit log does not hold `{act}`, which may be done all the same: {error}")


async def patiently(opened: Opened, read: Callable[[], Awaitable[T]]) -> T:
    """Calls `read`, and repeats it for up to a minute while the server is unavailable.

    A job goes on whether it is watched or not, so a short outage need not end the watching.

    Raises:
        LedgerUnavailableError: the server was unavailable for a minute.
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
    """Checks that an account is configured here or served by a worker.

    Raises:
        InputError: it is neither. The text lists the accounts that are.
    """
    await accounts.check(ledger, account, settings.account_names)
