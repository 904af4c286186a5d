"""`cancellist watch`: progress as it happens."""

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
            help="The job's id; without it, all unfinished.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line, at each change.")] = False,
) -> None:
    """Watch a job, or all that are unfinished, until they have ended.

    Ctrl-C ends only the watching.

    Example: cancellist watch 6w4h0v2m1x3q
    """
    from cancellist.cli.actions.watch import watch_jobs

    watch_jobs(job, as_json=as_json)
