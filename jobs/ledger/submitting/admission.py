"""Admission: a queued reference grows when it becomes a result, so the server must have room for that growth."""

from dataclasses import dataclass

from cancellist.jobs.errors import LedgerFullError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.server.fitness import check

BYTES_PER_UNSETTLED = 128
"""The least bytes of a result: 70 as `cancelled` in a batch (bench/memory.py), 126 with a state that was read for it
alone. The platform's texts come on top; their size is taken from the latest results."""
_BYTES_BESIDE_VALUES = 70
"""Bytes of a result besides its values and 5% overhead: its stream entry and its place in the job's index."""
_LATEST = 32


@dataclass(frozen=True, slots=True)
class Reserve:
    """The room that the server must keep: references without a result, and bytes for each."""

    references: int
    bytes_each: int


async def reserved(ledger: Ledger) -> Reserve:
    """The room reserved now, for sealed jobs and for submissions that are not sealed yet.

    Raises:
        LedgerError: the server does not answer.
    """
    with translated():
        async with ledger.redis.pipeline(transaction=False) as pipe:
            pipe.hmget(ledger.keys.totals, ["unsettled", "unsealed"])
            pipe.xrevrange(ledger.keys.results, count=_LATEST)
            counts, latest = await pipe.execute()
    sizes = [sum(map(len, fields.values())) * 21 // 20 + _BYTES_BESIDE_VALUES for _, fields in latest]
    each = max(BYTES_PER_UNSETTLED, sum(sizes) // len(sizes) if sizes else 0)
    return Reserve(sum(int(count or 0) for count in counts), each)


async def admit(ledger: Ledger, more: int) -> None:
    """Refuses references that the server could store but not turn into results.

    Args:
        ledger: where the references would go.
        more: references that have not been sent to it yet.

    Raises:
        LedgerFullError: there is no room for `more` references to become results.
    """
    facts = await check(ledger.redis)
    reserve = await reserved(ledger)
    unsettled = reserve.references + more
    need = reserve.bytes_each * unsettled
    if facts.used_memory_bytes + need > facts.max_memory_bytes:
        raise LedgerFullError(
            f"the server has {facts.max_memory_bytes >> 20} MiB, holds {facts.used_memory_bytes >> 20} MiB and needs "
            f"{need >> 20} MiB more to finish {unsettled} references; let workers drain, trim results "
            "(CANCELLIST_RESULTS_KEEP) or raise its maxmemory"
        )
