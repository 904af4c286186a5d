"""Which jobs of the last days name some of many references: those that go on, and those whose results are known."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references.reference_index import Progress, ReferenceIndex
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import JobRecord, JobState
from cancellist.jobs.safety.preflight import Overlap, Overlapping

LAST_MS: Final = 7 * 86_400_000
_TOLD: Final = 20
_MOST_JOBS: Final = 2_000
_MOST_PIECES: Final = 20_000
"""Pieces that are read at most; they are of 100 references each in a large job."""
_PAGE: Final = 200


async def overlap(
    ledger: Ledger, index: ReferenceIndex, references: Collection[str], *, progress: Progress | None = None
) -> Overlap:
    """The jobs of the last seven days that name some of these references; those that go on, however old they are.

    Raises:
        ReferenceIndexError: the file of results cannot be used.
        LedgerError: the server does not answer.
    """
    going, unsearched = await _going_on(ledger, frozenset(reference.encode() for reference in references))
    since_ms = await ledger.now_ms() - LAST_MS
    ended, gap = await index.jobs_of(references, since_ms=since_ms, progress=progress)
    named: dict[str, set[str]] = defaultdict(set, going)
    for job, reference in ended:
        named[job].add(reference)
    missing = "results were trimmed before they were read" if gap else None
    if unsearched:
        missing = f"{unsearched:,} jobs that go on are too large to look through"
    return Overlap(
        jobs=await _told(ledger, named),
        references=len(set().union(*named.values())),
        compared=len(references),
        gap=missing,
    )


async def _told(ledger: Ledger, named: Mapping[str, set[str]]) -> list[Overlapping]:
    """The jobs with most references."""
    first = sorted(named, key=lambda job: (-len(named[job]), job))[:_TOLD]
    known = {record.id: record for record in await records.several(ledger, first)}
    return [_overlapping(job, len(named[job]), known.get(job)) for job in first]


def _overlapping(job: str, references: int, record: JobRecord | None) -> Overlapping:
    if record is None:
        return Overlapping(job, references, None, None)
    return Overlapping(job, references, record.state, record.created_at_ms)


async def _going_on(ledger: Ledger, sought: frozenset[bytes]) -> tuple[dict[str, set[str]], int]:
    """The references that jobs have which have not ended and had no result yet, and how many jobs were not searched.

    References move meanwhile; one that is just being called may be missed here, and then has a result soon.
    """
    with translated():
        ids = [job.decode() for job in await ledger.redis.zrange(ledger.keys.open, 0, -1, desc=True)]
    found: dict[str, set[str]] = {}
    left, searched = _MOST_PIECES, 0
    for record in await records.several(ledger, ids[:_MOST_JOBS]):
        if left <= 0:
            break
        searched += 1
        if record.state is not JobState.SEALING:
            pieces = await _pieces(ledger, record.id, left)
            left -= len(pieces)
            if named := _named(pieces, sought):
                found[record.id] = named
    return found, len(ids) - searched


async def _pieces(ledger: Ledger, job: str, most: int) -> list[bytes]:
    key, found = ledger.keys.job(job), list[bytes]()
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        for name in ("alone", "later"):
            pipe.hgetall(f"{key}:{name}")
        for values in await pipe.execute():
            found += values.values()
        for name in ("calls", "reads"):
            at = 0
            while len(found) < most and (page := await ledger.redis.lrange(f"{key}:{name}", at, at + _PAGE - 1)):
                found += page
                at += _PAGE
    return found


def _named(pieces: Sequence[bytes], sought: frozenset[bytes]) -> set[str]:
    """Those of the references that pieces hold: each piece has a header, then one reference a line."""
    return {reference.decode() for piece in pieces for reference in sought.intersection(piece.split(b"\n"))}
