"""The few things that asyncio does another way; the generator puts the one name in place of the other."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def async_sleep(seconds: float) -> None:
    """Waits."""
    await asyncio.sleep(seconds)


def sync_sleep(seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)


async def async_run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs what may block, such as reading a file, in a thread of its own."""
    return await asyncio.to_thread(function, *args, **kwargs)


def sync_run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs it."""
    return function(*args, **kwargs)


async def async_within(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Waits for something no longer than that; a cancellation is never lost.

    On Python 3.11, one that comes while redis-py waits with a timeout of its own is lost at times. So it is given none.

    Raises:
        TimeoutError: it took too long.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _end(task)
        raise
    if not done:
        await _end(task)
        raise TimeoutError(f"it took longer than {seconds:g} seconds")
    return task.result()


async def _end(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it is looked at, so that asyncio does not complain


def sync_within(result: T, _: float) -> T:
    """The result: here the socket minds the time."""
    return result


def async_socket_timeout(_: float) -> float | None:
    """None: `async_within` minds the time."""
    return None


def sync_socket_timeout(seconds: float) -> float:
    """Seconds without a sign of life after which a socket gives up."""
    return seconds


class Deadline:
    """A moment on this machine's steady clock; None never comes."""

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, below zero once it has passed."""
        return float("inf") if self._at is None else self._at - time.monotonic()
