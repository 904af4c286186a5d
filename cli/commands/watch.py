"""`cancellist watch`: shows progress until jobs have ended."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import job_id


def watch(
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="JOB",
            callback=job_id,
            autocompletion=completion.jobs,
            help="The id of the job. Without it: all unfinished jobs.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each change.")] = False,
) -> None:
    """Show the progress of a job, or of all unfinished jobs.

    It ends when these jobs have ended. Ctrl-C stops only this command, not the jobs.

    Example: cancellist watch 6w4h0v2m1x3q
    """
    from cancellist.cli.actions.watch import watch_jobs

    watch_jobs(job, as_json=as_json)
