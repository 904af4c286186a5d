"""`cancellist jobs` and `cancellist status`: show jobs and their state."""

from typing import Annotated

import typer

from cancellist.cli.arguments import Job

_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def jobs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many jobs to list.")] = 20, as_json: _AsJson = False
) -> None:
    """List the jobs, newest first.

    Example: cancellist jobs --limit 5
    """
    from cancellist.cli.actions.jobs import show_jobs

    show_jobs(limit, as_json=as_json)


def status(job: Job, as_json: _AsJson = False) -> None:
    """Show the state and the counts of a job.

    Example: cancellist status 6w4h0v2m1x3q --json
    """
    from cancellist.cli.actions.jobs import show_status

    show_status(job, as_json=as_json)
