"""What `cancellist update` does."""

from cancellist.cli import session
from cancellist.cli.actions.control import show_job
from cancellist.cli.output import wording
from cancellist.cli.terminal import say
from cancellist.config.loading import load
from cancellist.jobs.ledger import changes, snapshots
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.snapshots import Snapshot


def update_job(job: str, change: Change, *, as_json: bool) -> None:
    """Changes the priority or the deadline of a job."""
    seen = session.run(_update(job, change))
    order = seen.record.order
    by = f"its deadline is {wording.clock(order.deadline_ms)}" if order.deadline_ms else "it has no deadline"
    say(f"job {seen.record.id} has the priority {order.priority}; {by}")
    show_job(seen, as_json=as_json)


async def _update(job: str, change: Change) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        await changes.update(opened.ledger, job, change)
        return await snapshots.look(opened.ledger, job)
