"""Creates a job from files and reports it, for `enqueue` and `demo`."""

import asyncio

from cancellist.cli.actions import input_file
from cancellist.cli.output import wording
from cancellist.cli.terminal import say
from cancellist.config.settings import Settings
from cancellist.jobs.ledger import enqueue
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.enqueue import Submitted
from cancellist.jobs.ledger.input_feed import Feed
from cancellist.jobs.model import JobRequest


async def submit(ledger: Ledger, wanted: JobRequest, feed: Feed, settings: Settings) -> Submitted:
    """Creates one job from all files, wakes the workers, and reports notes about the files.

    Raises:
        InputError: a file cannot be used. No job is created.
        IdempotencyConflictError: the idempotency key is bound to other content.
        LedgerError: the server refuses the job.
    """
    try:
        submission = await enqueue.fill(ledger, wanted, feed)
    except asyncio.CancelledError:
        say("interrupted: nothing was handed in")
        raise
    try:
        input_file.tell(feed)
    except BaseException:
        await asyncio.shield(submission.discard())
        raise
    per_call = settings.of(wanted.account).max_references_per_call
    submitted = await enqueue.seal(
        ledger, submission, wanted, feed, idempotency_keep_s=settings.idempotency_keep, per_call=per_call
    )
    tell_untold(submitted)
    return submitted


def tell_untold(submitted: Submitted) -> None:
    """Reports that workers could not be woken for a job, if so."""
    if submitted.untold:
        say(f"job {submitted.job} is handed in; workers could not be woken and will find it later: {submitted.untold}")


def tell_submitted(submitted: Submitted) -> None:
    """Reports the job that was created, and the entries that were left out."""
    if submitted.same:
        say(
            f"job {submitted.job} was handed in before under this idempotency key, with the same content: "
            "no new job was created"
        )
        return
    notes = [f"{wording.count(submitted.duplicates)} duplicates left out"] if submitted.duplicates else []
    notes += [f"{wording.count(submitted.invalid)} malformed, never sent"] if submitted.invalid else []
    notes += [f"{wording.count(submitted.blank)} blank, skipped"] if submitted.blank else []
    say(
        f"job {submitted.job} is {submitted.state} with {wording.references(submitted.total)}"
        + (f" ({', '.join(notes)})" if notes else "")
    )
