"""The few things that asyncio does another way; the generator puts the one name in place of the other."""

import asyncio
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

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


class Deadline:
    """A moment on this machine's steady clock; None never comes."""

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, below zero once it has passed."""
        return float("inf") if self._at is None else self._at - time.monotonic()
