"""Waits for a condition with a deadline, instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def soon(look: Callable[[], T], holds: Callable[[T], object] = bool, within_s: float = 30.0) -> T:
    """What is seen once it holds: once there is anything, unless `holds` says otherwise."""
    deadline = time.monotonic() + within_s
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen {seen}"
        time.sleep(0.02)
    return seen


async def until(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], within_s: float, every_s: float = 0.02
) -> T:
    """Repeats a check until it holds. After the deadline it fails with the last value."""
    deadline = time.monotonic() + within_s
    while True:
        seen = await look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen {seen}"
        await asyncio.sleep(every_s)
