"""Reads results: one stream holds them all, and each job has a small index into it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cancellist.jobs.ledger.core import Ledger, known
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import JobRecord, Outcome, Result

_PAGE_RUNS = 20
_PAGE_RESULTS = 1000
_MOST_LOOKED_AT = 50_000
"""Results that one page looks through for those that are wanted."""


async def of_job(ledger: Ledger, job: str, *, skip_runs: int = 0) -> AsyncGenerator[tuple[int, list[Result]], None]:
    """Reads a job's results in pages, in the order in which they were written.

    Only the stretches of the stream that hold them are read. Yields (runs read so far, results). A later reading
    continues with that number as `skip_runs`. Trimmed results are left out.
    """
    at = skip_runs
    while True:
        with translated():
            runs = await ledger.redis.lrange(ledger.keys.runs(job), at, at + _PAGE_RUNS - 1)
        if not runs:
            return
        page: list[Result] = []
        for entries in await _stretches(ledger, [run.decode().split(" ")[:2] for run in runs]):
            page += [result_of(entry_id, h) for entry_id, h in entries if h[b"job"] == job.encode()]
            at += 1
            if len(page) >= _PAGE_RESULTS:
                yield at, page
                page = []
        if page:
            yield at, page


async def _stretches(ledger: Ledger, runs: Sequence[Sequence[str]]) -> list[Sequence[Any]]:
    """The stream's entries of these runs, in one round trip. A run is what one script wrote, at most 1,000 entries."""
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        for first, last in runs:
            pipe.xrange(ledger.keys.results, first, last)
        return list(await pipe.execute())


def result_of(entry_id: bytes, h: dict[bytes, bytes]) -> Result:
    """The result that an entry of the stream is."""
    status, message, state = h.get(b"status"), h.get(b"message"), h.get(b"state")
    return Result(
        job=h[b"job"].decode(),
        reference=h[b"reference"].decode(),
        outcome=known(Outcome, h[b"outcome"].decode()),
        status=int(status) if status else None,
        attempts=int(h[b"attempts"]),
        message=message.decode() if message else None,
        state=state.decode() if state else None,
        at_ms=int(entry_id.split(b"-")[0]),
    )


@dataclass(frozen=True, slots=True)
class ResultsPlace:
    """Where a reading of a job's results stands; it stays good while more are written.

    Attributes:
        run: how many runs of the job's index were read.
        after: the entry of the next run that was read last; empty where none of it was.
    """

    run: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """Results, where the next page begins, and whether nothing that was written by now follows."""

    results: list[Result]
    place: ResultsPlace
    at_end: bool


async def page(
    ledger: Ledger, job: str, place: ResultsPlace, *, limit: int, outcomes: frozenset[Outcome] = frozenset()
) -> ResultsPage:
    """The next results of a job, in the order in which they were written; those that were trimmed are left out.

    Args:
        ledger: the ledger.
        job: its id.
        place: where the page before has ended.
        limit: results at most; fewer, or none, come where many have other outcomes.
        outcomes: those that are wanted; empty for all.
    """
    found: list[Result] = []
    looked_at = 0
    async with aclosing(_entries(ledger, job, place, most=limit)) as entries:
        async for place, result in entries:  # noqa: PLR1704 - where the reading stands moves on
            looked_at += 1
            if not outcomes or result.outcome in outcomes:
                found.append(result)
            if len(found) == limit or looked_at == _MOST_LOOKED_AT:
                with translated():
                    following = await ledger.redis.lrange(ledger.keys.runs(job), place.run, place.run)
                return ResultsPage(found, place, at_end=not following)
    return ResultsPage(found, place, at_end=True)


async def gone(ledger: Ledger, record: JobRecord) -> int:
    """How many results of a job were trimmed; none are of a job that has not ended."""
    if not record.state.ended or not record.settled:
        return 0
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.lrange(ledger.keys.runs(record.id), 0, 0)
        pipe.xrange(ledger.keys.results, "-", "+", count=1)
        runs, oldest = await pipe.execute()
    if runs and oldest and _order(runs[0].split(b" ")[0]) >= _order(oldest[0][0]):
        return 0
    left = 0
    async for _, results in of_job(ledger, record.id):
        left += len(results)
    return record.settled - left


def _order(entry_id: bytes) -> tuple[int, int]:
    at_ms, _, number = entry_id.partition(b"-")
    return int(at_ms), int(number)


async def _entries(
    ledger: Ledger, job: str, place: ResultsPlace, *, most: int
) -> AsyncGenerator[tuple[ResultsPlace, Result], None]:
    """A job's results from a place on, each with the place behind it."""
    while stretches := await _next_stretches(ledger, job, place, most=most):
        for run, (last, entries) in enumerate(stretches, place.run):
            for entry_id, h in entries:
                place = ResultsPlace(run + 1) if entry_id == last else ResultsPlace(run, entry_id.decode())
                yield place, result_of(entry_id, h)
            if len(entries) == most and place.run == run:
                break  # the rest of this run comes next
            place = ResultsPlace(run + 1)


async def _next_stretches(
    ledger: Ledger, job: str, place: ResultsPlace, *, most: int
) -> list[tuple[bytes, Sequence[tuple[bytes, dict[bytes, bytes]]]]]:
    """The next runs, each as its last id and at most so many of its entries."""
    with translated():
        runs = await ledger.redis.lrange(ledger.keys.runs(job), place.run, place.run + _PAGE_RUNS - 1)
        if not runs:
            return []
        bounds = [run.split(b" ")[:2] for run in runs]
        pipe = ledger.redis.pipeline(transaction=False)
        for at, (first, last) in enumerate(bounds):
            pipe.xrange(ledger.keys.results, f"({place.after}" if at == 0 and place.after else first, last, count=most)
        entries = await pipe.execute()
    return [(last, rows) for (_, last), rows in zip(bounds, entries, strict=True)]
