"""Creates a job from files and reports it, for `enqueue` and `demo`."""

import asyncio
from typing import Final

from cancellist.cli.actions import input_file
from cancellist.cli.output import wording
from cancellist.cli.terminal import say
from cancellist.config.settings import Settings
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting import enqueue
from cancellist.jobs.ledger.submitting.enqueue import Submitted
from cancellist.jobs.ledger.submitting.input_feed import Feed
from cancellist.jobs.model import JobRequest

BY_KEY: Final = "under this idempotency key, with the same content"
"""By what a job was found that had been handed in before."""


async def submit(ledger: Ledger, wanted: JobRequest, feed: Feed, settings: Settings) -> Submitted:
    """Creates one job from all files, wakes the workers, and reports notes about the files.

    Raises:
        InputError: a file cannot be used. No job is created.
        IdempotencyConflictError: the idempotency key is bound to other content.
        LedgerError: the server refuses the job.
    """
    own = settings.of(wanted.account)
    try:
        submission = await enqueue.fill(ledger, wanted, feed, own.safeguards)
    except asyncio.CancelledError:
        say("interrupted: nothing was handed in")
        raise
    try:
        input_file.tell(feed)
    except BaseException:
        await asyncio.shield(submission.discard())
        raise
    submitted = await enqueue.seal(
        ledger,
        submission,
        wanted,
        feed,
        idempotency_keep_s=settings.idempotency_keep,
        per_call=own.max_references_per_call,
    )
    tell_untold(submitted)
    return submitted


def tell_untold(submitted: Submitted) -> None:
    """Reports that workers were not woken, if they were not."""
    if submitted.untold:
        say(f"job {submitted.job} is handed in; workers could not be woken and will find it later: {submitted.untold}")


def tell_submitted(submitted: Submitted, before: str = BY_KEY) -> None:
    """Reports the job that was created, and the entries that were left out.

    `before` says by what a job was found that had been handed in before.
    """
    if submitted.same:
        say(f"job {submitted.job} was handed in before {before}: no new job was created")
        return
    notes = [f"{wording.count(submitted.duplicates)} duplicates left out"] if submitted.duplicates else []
    notes += [f"{wording.count(submitted.invalid)} malformed, never sent"] if submitted.invalid else []
    notes += [f"{wording.count(submitted.blank)} blank, skipped"] if submitted.blank else []
    say(
        f"job {submitted.job} is {submitted.state} with {wording.references(submitted.total - submitted.invalid)}"
        + (f" ({', '.join(notes)})" if notes else "")
    )
