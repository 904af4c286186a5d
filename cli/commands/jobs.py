"""`cancellist jobs` and `cancellist status`: show jobs and their state."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import Job, account_name, since, states, text

_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def jobs(
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", autocompletion=completion.states, help="Only jobs in one of these states."),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(callback=account_name, autocompletion=completion.accounts, help="Only jobs of this account."),
    ] = None,
    requested_by: Annotated[
        str | None, typer.Option(callback=text, help="Only jobs that this person or system asked for.")
    ] = None,
    since_: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            callback=since,
            help="Only jobs made then or later. WHEN is an RFC 3339 time, or a span back such as 2h.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many jobs to list.")] = 20,
    as_json: _AsJson = False,
) -> None:
    """List the jobs, newest first.

    Example: cancellist jobs --state running,paused --since 2h --limit 5
    """
    from cancellist.cli.actions.jobs import JobFilters, show_jobs

    show_jobs(JobFilters(states(state), account, requested_by, since_), limit, as_json=as_json)


def status(job: Job, as_json: _AsJson = False) -> None:
    """Show the state and the counts of a job.

    Example: cancellist status 6w4h0v2m1x3q --json
    """
    from cancellist.cli.actions.jobs import show_status

    show_status(job, as_json=as_json)
