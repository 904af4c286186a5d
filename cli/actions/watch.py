"""What `cancellist watch` does."""

from collections.abc import Sequence
from contextlib import nullcontext

from cancellist.cli import session
from cancellist.cli.output import progress_view
from cancellist.cli.standard_streams import check_reader
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.jobs.ledger import snapshots
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.ledger.views import json_views

_RECKONED = frozenset({
    "rate", "eta_seconds", "at_risk", "calls_in_flight", "workers", "account_limit", "account_calls_per_second",
    "account_list_size",
})  # fmt: skip
"""Fields that change all the time. A change of these alone writes no line."""


class Changes:
    """Writes one JSON object a line for each change of a job."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, object]] = {}

    def show(self, seen: Sequence[Snapshot]) -> None:
        """Writes the jobs that have changed.

        Raises:
            ReaderGoneError: nobody reads what is written.
        """
        check_reader()
        for snapshot in seen:
            document = json_views.job_view(snapshot)
            essence = {name: value for name, value in document.items() if name not in _RECKONED}
            if self._last.get(snapshot.record.id) != essence:
                self._last[snapshot.record.id] = essence
                emit(document, line=True)

    def ended(self, seen: Snapshot) -> None:
        """Writes the last state of a job."""
        self.show([seen])


def watch_jobs(job: str | None, *, as_json: bool) -> None:
    """Shows one job, or all unfinished jobs, until they have ended."""
    session.run(_watch(job, as_json=as_json))


async def _watch(job: str | None, *, as_json: bool) -> None:
    async with session.ledger_of(load()) as opened:
        if job is not None:
            await snapshots.look(opened.ledger, job)
        elif not await snapshots.unfinished(opened.ledger):
            say("no job is unfinished; `cancellist jobs` lists all jobs")
            return
        with nullcontext(Changes()) if as_json else progress_view.view(err=False) as view:
            if job is None:
                await progress_view.follow_all(opened, view)
            else:
                await progress_view.follow(opened, job, view)
