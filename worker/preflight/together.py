"""Does several things at once; the first error ends them all, and is raised as it is."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order. No work goes on once this has returned or raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if not task.cancelling():  # a second time would stop what it does at its end, such as giving back a slot
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
