"""What `cancellist jobs` and `cancellist status` do."""

from cancellist.cli import session
from cancellist.cli.output import status_card
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.jobs.ledger import snapshots
from cancellist.jobs.ledger.snapshots import Snapshot


def show_jobs(limit: int, *, as_json: bool) -> None:
    """Prints the newest jobs."""
    found = session.run(_newest(limit))
    if as_json:
        from cancellist.jobs.ledger import json_views  # noqa: PLC0415 - only for JSON

        emit({"jobs": [json_views.job_view(snapshot) for snapshot in found]})
    elif found:
        from cancellist.cli.output import tables  # noqa: PLC0415 - rich is slow to import, for this alone

        tables.show_jobs(found)
    else:
        say("there is no job yet: `cancellist enqueue FILE` hands one in")


def show_status(job: str, *, as_json: bool) -> None:
    """Prints one job."""
    found = session.run(_look(job))
    if as_json:
        from cancellist.jobs.ledger import json_views  # noqa: PLC0415 - only for JSON

        emit(json_views.job_view(found))
    else:
        status_card.show(found)


async def _newest(limit: int) -> list[Snapshot]:
    async with session.ledger_of(load()) as opened:
        return await snapshots.newest(opened.ledger, limit)


async def _look(job: str) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        return await snapshots.look(opened.ledger, job)
