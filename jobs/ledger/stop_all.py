"""Stops all accounts at once, and lets them go on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.errors import StopFileError
from cancellist.jobs.ledger import audit
from cancellist.jobs.ledger.audit import Act
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import DEFAULT_ACCOUNT

QUIET_S: Final = 0.5
"""No call starts later than this after the stop is in the ledger: no worker goes by an older answer about its gate."""
FIELDS: Final = ("stopped_at", "stopped_by", "stopped_why")
_GONE_WITHIN_S: Final = 1.0
"""How long a worker may take to notice that its stop file is gone."""
_LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class AllStopped:
    """All accounts are stopped: since when, by whom, and why."""

    since_ms: int
    by: str
    why: str


def read(values: Sequence[bytes | None]) -> AllStopped | None:
    """The stop by its fields in the totals, in the order of `FIELDS`; None where nothing is stopped."""
    since, by, why = values
    if since is None:
        return None
    return AllStopped(int(since), (by or b"").decode(errors="replace"), (why or b"").decode(errors="replace"))


async def standing(ledger: Ledger) -> AllStopped | None:
    """The stop that stands now; None where there is none."""
    with translated():
        return read(await ledger.redis.hmget(ledger.keys.totals, list(FIELDS)))


async def stop(ledger: Ledger, by: str, why: str) -> bool:
    """Stops all accounts, also those whose first job comes later. No call starts once this has returned.

    Returns:
        Whether they were not stopped before. An earlier stop keeps its time, person and reason.
    """
    async with audit.recorded(ledger, "stop", about="all accounts"):
        fresh = bool(await ledger.run("stop_all", DEFAULT_ACCOUNT, by, why))
    await asyncio.sleep(QUIET_S)
    return fresh


async def note_file(ledger: Ledger, worker: str, where: str, by: str = "", why: str = "") -> bool:
    """Notes that a worker sees a stop file there, or none (''); stops all accounts where it does.

    Returns:
        Whether this has stopped them.
    """
    fresh = bool(await ledger.run("stop_file", DEFAULT_ACCOUNT, worker, where, by, why))
    if fresh:
        await audit.record(ledger, Act("stop", about=f"stop file {where}"))
    return fresh


async def resume(ledger: Ledger) -> AllStopped | None:
    """Lets all accounts go on that are not paused on their own; returns the stop that stood, None without one.

    Raises:
        StopFileError: a live worker sees its stop file.
    """
    stood = await standing(ledger)
    loop = asyncio.get_running_loop()
    until = loop.time() + _GONE_WITHIN_S
    async with audit.recorded(ledger, "resume", about="all accounts"):
        while where := (await ledger.run("resume_all", DEFAULT_ACCOUNT)).decode(errors="replace"):
            if loop.time() > until:
                raise StopFileError(where)
            await asyncio.sleep(_LOOK_EVERY_S)
    return stood
