"""Reads results: one stream holds them all, and each job has a small index into it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from cancellist.jobs.ledger.core import Ledger, known
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import Outcome, Result

_PAGE_RUNS = 20
_PAGE_RESULTS = 1000


async def of_job(ledger: Ledger, job: str, *, skip_runs: int = 0) -> AsyncIterator[tuple[int, list[Result]]]:
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
            page += [_result(entry_id, h) for entry_id, h in entries if h[b"job"] == job.encode()]
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


def _result(entry_id: bytes, h: dict[bytes, bytes]) -> Result:
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
