"""Waiting on a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], within_s: float, every_s: float = 0.02
) -> T:
    """Looks again and again until it holds; fails with what was last seen."""
    deadline = time.monotonic() + within_s
    while True:
        seen = await look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen {seen}"
        await asyncio.sleep(every_s)
