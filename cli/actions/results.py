"""What `cancellist results` does."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from functools import partial

from cancellist.cli import session
from cancellist.cli.output import destination, wording
from cancellist.cli.output.format import Format
from cancellist.cli.output.result_formats import Write, end_of, writer
from cancellist.cli.session import patiently
from cancellist.cli.standard_streams import check_reader
from cancellist.cli.terminal import is_terminal, say
from cancellist.config.loading import load
from cancellist.jobs.errors import OutputError, ResultsGoneError
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger import results as ledger_results
from cancellist.jobs.ledger.opening import Opened
from cancellist.jobs.model import Outcome, Result

_LOOK_EVERY_S = 0.3


def write_results(
    job: str, form: Format | None, outcomes: frozenset[Outcome], output: str | None, *, follow: bool
) -> int:
    """Writes a job's results, oldest first, and returns the exit status.

    Raises:
        ResultsGoneError: some results were trimmed. The others are written.
        OutputError: the results cannot be written.
    """
    drawn = output in {None, destination.STANDARD} and is_terminal()
    if form is Format.PARQUET and drawn:
        raise OutputError("Parquet is not for a terminal", hint="give --output FILE")
    chosen = form or (Format.TABLE if drawn else Format.JSONL)
    write = writer(chosen, width=shutil.get_terminal_size().columns if drawn else None)
    return session.run(_results(job, write, outcomes, output, follow=follow))


async def _results(job: str, write: Write, outcomes: frozenset[Outcome], output: str | None, *, follow: bool) -> int:
    async with session.ledger_of(load()) as opened:
        first = await records.get(opened.ledger, job)
        read = written = 0
        async with destination.opened(output) as sink:
            look = check_reader if output in {None, destination.STANDARD} else lambda: None
            async for page in _pages(opened, job, look, follow=follow):
                wanted = [result for result in page if result.outcome in outcomes] if outcomes else page
                await sink.write(write(wanted))
                read += len(page)
                written += len(wanted)
            await sink.write(end_of(write))
        now = await patiently(opened, lambda: records.get(opened.ledger, job))
    if output not in {None, destination.STANDARD}:
        say(f"1 result is in {output}" if written == 1 else f"{wording.count(written)} results are in {output}")
    if not now.state.ended:
        say(f"job {job} is {now.state}: {wording.count(read)} of {wording.references(now.total)} have a result so far")
    if read and not written:
        say("no result has one of these outcomes")
    missing = (now if follow else first).settled - read
    if missing > 0:
        raise ResultsGoneError(
            f"{wording.count(missing)} results are gone: they were trimmed after CANCELLIST_RESULTS_KEEP"
        )
    return 0


async def _pages(opened: Opened, job: str, look: Callable[[], None], *, follow: bool) -> AsyncIterator[list[Result]]:
    """Yields a job's results in pages; the first page is empty. With `follow` it goes on until the job has ended."""
    at = 0
    yield []
    while True:
        ended = (await patiently(opened, lambda: records.get(opened.ledger, job))).state.ended
        while found := await patiently(opened, partial(_next, opened, job, at)):
            at, page = found
            yield page
        if ended or not follow:
            return
        look()
        await asyncio.sleep(_LOOK_EVERY_S)


async def _next(opened: Opened, job: str, at: int) -> tuple[int, list[Result]] | None:
    """Returns the next page after `at` runs of the index, and the new `at`; None if there is none yet."""
    return await anext(ledger_results.of_job(opened.ledger, job, skip_runs=at), None)
