"""Keeps the index of references near the stream's end while nobody asks, for a small share of the time."""

import asyncio
from typing import Final

import structlog

from cancellist.jobs.errors import CancellistError
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex

log = structlog.get_logger()

_EVERY_S: Final = 1.0
"""Seconds between two looks at a stream that was read to its end."""
_TIMES_A_BATCH: Final = 4
"""How much longer than a batch took the next one is waited for: so it is at work a fifth of the time."""
_AGAIN_S: Final = 10.0
"""Seconds after a fault."""


async def follow(index: ReferenceIndex) -> None:
    """Copies results into the index until this is cancelled. A fault is told once, and tried again."""
    loop = asyncio.get_running_loop()
    told = ""
    while True:
        began_s = loop.time()
        try:
            more = await index.step()
        except CancellistError as error:
            if told != str(error):
                told = str(error)
                log.warning("the index of references cannot follow the results", code=error.code, reason=told)
            await asyncio.sleep(_AGAIN_S)
            continue
        except Exception:
            log.exception("the index of references failed")
            await asyncio.sleep(_AGAIN_S)
            continue
        if told:
            told = ""
            log.info("the index of references follows the results again")
        pause_s = _TIMES_A_BATCH * (loop.time() - began_s)
        await asyncio.sleep(pause_s if more else max(_EVERY_S, pause_s))
