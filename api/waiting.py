"""`Prefer: wait=N`: an answer that is held back until the job has ended."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from cancellist.api.context import Context
from cancellist.jobs.ledger import records
from cancellist.jobs.model import JobState

_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE | re.ASCII)
_FIRST_S: Final = 0.05
_LONGEST_S: Final = 0.5
_GROWTH: Final = 1.5


def asked_s(prefer: str | None, most_s: float) -> int | None:
    """The whole seconds that a request will wait, at most so many; None where it asks for none.

    A preference that is not understood is ignored, as RFC 7240 wants it.
    """
    found = _WAIT.search(prefer or "")
    return min(int(found[1]), int(most_s)) if found else None


async def until(context: Context, holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Asks again and again until something holds, but no longer than this, nor beyond the end of the process.

    Raises:
        LedgerError: the server does not answer.
    """
    loop = asyncio.get_running_loop()
    until, pause_s = loop.time() + within_s, _FIRST_S
    while not await holds():
        left_s = until - loop.time()
        if left_s <= 0 or context.stopping.is_set():
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(left_s, pause_s)):
                await context.stopping.wait()
        pause_s = min(_LONGEST_S, pause_s * _GROWTH)
    return True


async def until_ended(context: Context, job: str, within_s: float) -> bool:
    """Waits until a job has ended, but no longer than this, nor beyond the end of the process; says whether it has.

    A job that has halted or waits for approval is not waited for: it goes on only once somebody lets it.

    Raises:
        LedgerError: the server does not answer.
    """
    ended = False

    async def goes_on_no_more() -> bool:
        nonlocal ended
        record = await records.get(context.ledger, job)
        ended = record.state.ended
        return ended or record.state is JobState.HALTED or record.waits_for_approval

    await until(context, goes_on_no_more, within_s)
    return ended
