"""Looks through the jobs that have not ended for one reference that has no result yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import JobRecord, JobState

_MOST_JOBS: Final = 2_000
_MOST_PIECES: Final = 20_000
"""Pieces that one question reads at most; they are of 100 references each in a large job."""
_PAGE: Final = 100
_AT_ONCE: Final = 50


@dataclass(slots=True)
class Naming:
    """Jobs that name a reference, and those that could not be looked through."""

    jobs: set[str] = field(default_factory=set)
    unsearched: list[str] = field(default_factory=list)


async def naming(ledger: Ledger, reference: str, before: str | None = None) -> Naming:
    """Jobs older than `before` that have not ended and name a reference without a result.

    References move while this looks. They move from where it looks first to where it looks later, and where one goes
    back, as after a call that failed, it goes to the places that are looked at again. Who then asks for the results
    finds it there at the latest.
    """
    with translated():
        ids = [job.decode() for job in await ledger.redis.zrange(ledger.keys.open, 0, -1)]
    wanted = [job for job in ids if before is None or job < before]
    found = Naming(unsearched=wanted[_MOST_JOBS:])
    sought = b"\n" + reference.encode() + b"\n"
    left = _MOST_PIECES
    for start in range(0, len(wanted[:_MOST_JOBS]), _AT_ONCE):
        some = await records.several(ledger, wanted[:_MOST_JOBS][start : start + _AT_ONCE])
        some = [record for record in some if record.state is not JobState.SEALING]
        left = await _look(ledger, some, sought, found, left)
    return found


async def _look(ledger: Ledger, some: Sequence[JobRecord], sought: bytes, found: Naming, left: int) -> int:
    """Looks through some jobs; answers how many pieces may still be read."""
    for name in ("calls", "canary"):
        left = await _in_lists(ledger, some, name, sought, found, left)
    left = await _in_lists(ledger, await _with_canary(ledger, some), "calls", sought, found, left)
    left = await _in_lists(ledger, some, "reads", sought, found, left)
    for _ in range(2):
        for name in ("alone", "later"):
            left = await _in_hashes(ledger, some, name, sought, found, left)
        await _in_claims(ledger, some, sought, found)
        await _at_the_rear(ledger, some, sought, found)
    return left


async def _with_canary(ledger: Ledger, some: Sequence[JobRecord]) -> list[JobRecord]:
    """Those whose rest no longer waits for the canary, so that references may have gone back to be called."""
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        for record in some:
            pipe.hexists(ledger.keys.job(record.id), "canary_size")
        drawn = await pipe.execute()
    return [record for record, has in zip(some, drawn, strict=True) if has]


async def _in_lists(
    ledger: Ledger, some: Sequence[JobRecord], name: str, sought: bytes, found: Naming, left: int
) -> int:
    """Reads lists of pieces from their rear: claims take from the front, so none is passed over."""
    going, at = [record.id for record in some if record.id not in found.jobs], -1
    while going:
        with translated():
            pipe = ledger.redis.pipeline(transaction=False)
            for job in going:
                pipe.lrange(f"{ledger.keys.job(job)}:{name}", at - _PAGE + 1, at)
            pages = await pipe.execute()
        left -= sum(map(len, pages))
        found.jobs |= {job for job, pieces in zip(going, pages, strict=True) if _holds(pieces, sought)}
        longer = [job for job, pieces in zip(going, pages, strict=True) if len(pieces) == _PAGE]
        going, at = _further(longer, found, left), at - _PAGE
    return left


async def _in_hashes(
    ledger: Ledger, some: Sequence[JobRecord], name: str, sought: bytes, found: Naming, left: int
) -> int:
    cursors = {record.id: 0 for record in some if record.id not in found.jobs}
    while cursors:
        with translated():
            pipe = ledger.redis.pipeline(transaction=False)
            for job, cursor in cursors.items():
                pipe.hscan(f"{ledger.keys.job(job)}:{name}", cursor, count=_PAGE)
            pages = dict(zip(cursors, await pipe.execute(), strict=True))
        left -= sum(len(values) for _, values in pages.values())
        found.jobs |= {job for job, (_, values) in pages.items() if _holds(list(values.values()), sought)}
        longer = [job for job, (cursor, _) in pages.items() if int(cursor)]
        cursors = {job: int(pages[job][0]) for job in _further(longer, found, left)}
    return left


def _further(jobs: Sequence[str], found: Naming, left: int) -> list[str]:
    """Those of these jobs that are looked through further; what is too much now is noted."""
    going = [job for job in jobs if job not in found.jobs]
    if left > 0:
        return going
    found.unsearched += [job for job in going if job not in found.unsearched]
    return []


async def _in_claims(ledger: Ledger, some: Sequence[JobRecord], sought: bytes, found: Naming) -> None:
    """Looks through what is in flight or about to be, of all accounts that these jobs are of."""
    ids = {record.id.encode() for record in some}
    for account in dict.fromkeys(record.order.account for record in some):
        with translated():
            claimed = await ledger.redis.hgetall(ledger.keys.claimed(account))
        for packed in claimed.values():
            if sought[1:-1] in packed:
                parts: Sequence[Any] = msgpack.unpackb(packed, raw=True).get(b"parts", ())
                found.jobs |= {job.decode() for job, piece in _pairs(parts) if job in ids and _holds([piece], sought)}


def _pairs(parts: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    """Jobs and their pieces in a claim."""
    flat = [part for one in parts for part in (one if isinstance(one, list | tuple) else [one])]
    return list(zip(flat[::2], flat[1::2], strict=False))


async def _at_the_rear(ledger: Ledger, some: Sequence[JobRecord], sought: bytes, found: Naming) -> None:
    """Looks at the ends of the lists once more, where a reference goes that is to be called again."""
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        for record in some:
            for name in ("calls", "reads"):
                pipe.lrange(f"{ledger.keys.job(record.id)}:{name}", -_AT_ONCE, -1)
        lists = await pipe.execute()
    for record, calls, reads in zip(some, lists[::2], lists[1::2], strict=True):
        if _holds(calls, sought) or _holds(reads, sought):
            found.jobs.add(record.id)


def _holds(pieces: Sequence[bytes], sought: bytes) -> bool:
    """Whether one of these pieces names the reference: each has a header, then one reference a line."""
    return any(sought in piece + b"\n" for piece in pieces)
