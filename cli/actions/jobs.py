"""What `cancellist jobs` and `cancellist status` do."""

from dataclasses import dataclass

from cancellist.cli import session
from cancellist.cli.output import status_card
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.jobs.ledger import job_pages, snapshots
from cancellist.jobs.ledger.job_pages import JobFilter
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import JobState
from cancellist.jobs.times import parse_since_ms


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Which jobs to list. What is left out may be anything; `since` is the user's text."""

    states: frozenset[JobState]
    account: str | None
    requested_by: str | None
    since: str | None

    def filter(self, now_ms: int) -> JobFilter:
        """Returns the same for the ledger."""
        since_ms = parse_since_ms(self.since, now_ms=now_ms) if self.since else None
        return JobFilter(self.states, self.account, self.requested_by, since_ms)


def show_jobs(asked: JobFilters, limit: int, *, as_json: bool) -> None:
    """Prints the newest jobs."""
    found = session.run(_newest(asked, limit))
    if as_json:
        from cancellist.jobs.ledger.views import json_views  # noqa: PLC0415 - only for JSON

        emit({"jobs": [json_views.job_view(snapshot) for snapshot in found]})
    elif found:
        from cancellist.cli.output import tables  # noqa: PLC0415 - rich is slow to import, for this alone

        tables.show_jobs(found)
    elif asked == JobFilters(frozenset(), None, None, None):
        say("there is no job yet: `cancellist enqueue FILE` hands one in")
    else:
        say("there is no such job: `cancellist jobs` lists all of them")


def show_status(job: str, *, as_json: bool) -> None:
    """Prints one job."""
    found = session.run(_look(job))
    if as_json:
        from cancellist.jobs.ledger.views import json_views  # noqa: PLC0415 - only for JSON

        emit(json_views.job_view(found))
    else:
        status_card.show(found)


async def _newest(asked: JobFilters, limit: int) -> list[Snapshot]:
    async with session.ledger_of(load()) as opened:
        wanted = asked.filter(await opened.ledger.now_ms())
        return await snapshots.look_at(opened.ledger, await job_pages.first(opened.ledger, wanted, limit))


async def _look(job: str) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        return await snapshots.look(opened.ledger, job)
