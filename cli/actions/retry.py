"""What `cancellist retry` does."""

import asyncio
from dataclasses import replace

from cancellist.cli import session
from cancellist.cli.actions import enqueue_report, submitter
from cancellist.cli.actions.confirmation import agreed
from cancellist.cli.actions.enqueue import conclude
from cancellist.cli.actions.whereabouts import admit, whereabouts
from cancellist.cli.error_report import DeclinedError
from cancellist.cli.output import wording
from cancellist.cli.output.environment import Whereabouts, banner
from cancellist.cli.terminal import say
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.ledger import hosts
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.ledger.submitting.retry import Asked, Retry
from cancellist.jobs.model import Outcome


def retry_job(job: str, outcomes: frozenset[Outcome], asked: Asked, *, sure: bool, wait: bool, as_json: bool) -> int:
    """Hands in references of an ended job again, after the user has confirmed it; returns the exit status."""
    settings = load()
    asked = submitter.signed(asked, settings)
    if not sure:
        planned = session.run(_plan(job, outcomes, asked, settings))
        if planned is not None:
            _make_sure(*planned)
    return session.run(_retry(job, outcomes, asked, settings, wait=wait, as_json=as_json))


def _make_sure(planned: Retry, place: Whereabouts) -> None:
    """Asks for confirmation.

    Raises:
        DeclinedError: the user did not confirm.
    """
    job, counts = planned.record.id, planned.counts
    number = wording.references(sum(counts.values()))
    try:
        counted = ", ".join(wording.outcomes(counts))
        sure = agreed(f"Cancel {number} of job {job} ({counted}) by a new job?", above=banner(place))
    except KeyboardInterrupt:
        say("\nnothing was handed in")
        raise
    if not sure:
        raise DeclinedError(f"nothing was handed in: job {job} was not retried")


async def _plan(
    job: str, outcomes: frozenset[Outcome], asked: Asked, settings: Settings
) -> tuple[Retry, Whereabouts] | None:
    """What would be retried, and where; None where that was done before."""
    async with session.ledger_of(settings) as opened:
        planned = await _checked(opened.ledger, job, outcomes, asked, settings)
        if await retry.made_before(opened.ledger, planned):
            return None
        account = planned.record.order.account
        return planned, whereabouts(account, await hosts.called(opened.ledger, account), settings)


async def _checked(ledger: Ledger, job: str, outcomes: frozenset[Outcome], asked: Asked, settings: Settings) -> Retry:
    planned = await retry.plan(ledger, job, outcomes, asked)
    await session.check_account(ledger, settings, planned.record.order.account)
    return planned


async def _retry(
    job: str, outcomes: frozenset[Outcome], asked: Asked, settings: Settings, *, wait: bool, as_json: bool
) -> int:
    async with session.ledger_of(settings) as opened:
        planned = await _checked(opened.ledger, job, outcomes, asked, settings)
        own = settings.of(planned.record.order.account)
        host = await admit(opened.ledger, planned.record.order.account, settings, asked.host)
        planned = replace(planned, asked=replace(asked, host=host))
        try:
            submitted = await retry.make(
                opened.ledger,
                planned,
                own.safeguards,
                idempotency_keep_s=settings.idempotency_keep,
                per_call=own.max_references_per_call,
            )
        except asyncio.CancelledError:
            say("interrupted: if the job was made, the same command shows it")
            raise
        enqueue_report.tell_untold(submitted)
        return await conclude(
            opened, submitted, wait=wait, as_json=as_json, before=f"as a retry of job {planned.record.id}"
        )
