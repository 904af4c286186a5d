"""What `cancellist results` does."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from functools import partial

from cli import outputs, session, words
from cli.format import Format
from cli.forms import Write, writer
from cli.session import patiently
from cli.terminal import is_terminal, say
from config.settings import load
from jobs.errors import ResultsGoneError
from jobs.ledger import records
from jobs.ledger import results as ledger_results
from jobs.ledger.opening import Opened
from jobs.model import Result
from jobs.outcomes import Outcome

_LOOK_EVERY_S = 0.3


def results(job: str, form: Format | None, outcomes: frozenset[Outcome], output: str | None, *, follow: bool) -> int:
    """Writes a job's results; answers the exit status.

    Raises:
        ResultsGoneError: some were trimmed; the others are written.
        OutputError: they cannot be written there.
    """
    drawn = output in {None, outputs.STANDARD} and is_terminal()
    chosen = form or (Format.TABLE if drawn else Format.JSONL)
    write = writer(chosen, width=shutil.get_terminal_size().columns if drawn else None)
    return session.run(_results(job, write, outcomes, output, follow=follow))


async def _results(job: str, write: Write, outcomes: frozenset[Outcome], output: str | None, *, follow: bool) -> int:
    async with session.ledger_of(load()) as opened:
        first = await records.get(opened.ledger, job)
        read = written = 0
        async with outputs.opened(output) as sink:
            async for page in _pages(opened, job, follow=follow):
                wanted = [result for result in page if result.outcome in outcomes] if outcomes else page
                await sink.write(write(wanted))
                read += len(page)
                written += len(wanted)
        now = await patiently(opened, lambda: records.get(opened.ledger, job))
    if output not in {None, outputs.STANDARD}:
        say(f"{words.count(written)} results are in {output}")
    if not now.state.ended:
        say(f"job {job} is {now.state}: {words.count(read)} of {words.references(now.total)} have a result so far")
    if read and not written:
        say("no result has such an outcome")
    missing = (now if follow else first).settled - read
    if missing > 0:
        raise ResultsGoneError(
            f"{words.count(missing)} results are gone: they were trimmed after CANCELLIST_RESULTS_KEEP"
        )
    return 0


async def _pages(opened: Opened, job: str, *, follow: bool) -> AsyncIterator[list[Result]]:
    """A job's results in pages, the first perhaps empty; with `follow` until it has ended."""
    at = 0
    yield []
    while True:
        ended = (await patiently(opened, lambda: records.get(opened.ledger, job))).state.ended
        while found := await patiently(opened, partial(_next, opened, job, at)):
            at, page = found
            yield page
        if ended or not follow:
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def _next(opened: Opened, job: str, at: int) -> tuple[int, list[Result]] | None:
    """The next page after so many runs of the index; None where there is none yet."""
    return await anext(ledger_results.of_job(opened.ledger, job, skip_runs=at), None)
