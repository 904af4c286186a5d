"""`cancellist update`: changes the priority or the deadline of a job."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson, Job, when
from cancellist.jobs.model import Priority


def update(
    job: Job,
    priority: Annotated[Priority | None, typer.Option(help="Jobs of a higher priority go first.")] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            callback=when,
            help="References not sent by then get the result `expired`. WHEN is an RFC 3339 time, or a span such as "
            "+2h.",
        ),
    ] = None,
    no_deadline: Annotated[bool, typer.Option("--no-deadline", help="Take the deadline back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change the priority or the deadline of a job that has not ended.

    References that wait take their new place at once. Calls in flight end normally. A deadline that has passed cannot
    be changed.

    Example: cancellist update 6w4h0v2m1x3q --priority urgent --deadline +2h
    """
    from cancellist.cli.actions.update import update_job
    from cancellist.jobs.ledger.changes import Change

    if deadline is not None and no_deadline:
        raise typer.BadParameter("give either --deadline or --no-deadline, not both")
    if priority is None and deadline is None and not no_deadline:
        raise typer.BadParameter("nothing is to be changed: give --priority, --deadline or --no-deadline")
    update_job(job, Change(priority, deadline, no_deadline), as_json=as_json)
