"""`cancellist pause`, `resume` and `abort`."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import Job, account_name, job_id
from cancellist.jobs.model import DEFAULT_ACCOUNT

_Job = Annotated[
    str | None,
    typer.Argument(
        metavar="JOB",
        callback=job_id,
        autocompletion=completion.jobs,
        help="The job's id; without it, the whole account.",
    ),
]
_Account = Annotated[
    str | None,
    typer.Option(
        callback=account_name,
        autocompletion=completion.accounts,
        help=f"Which account, where no JOB is named; {DEFAULT_ACCOUNT} unless given.",
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def pause(job: _Job = None, account: _Account = None, as_json: _AsJson = False) -> None:
    """Pause a job, or a whole account: nothing more is sent, calls in flight end.

    Example: cancellist pause 6w4h0v2m1x3q
    """
    from cancellist.cli.actions import control

    control.pause(job, _of(job, account), as_json=as_json)


def resume(job: _Job = None, account: _Account = None, as_json: _AsJson = False) -> None:
    """Let a paused job, or a paused account, go on.

    Example: cancellist resume 6w4h0v2m1x3q
    """
    from cancellist.cli.actions import control

    control.resume(job, _of(job, account), as_json=as_json)


def abort(
    job: Job,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Abort a job: what was never sent is `aborted`, what is in flight ends as it ends.

    On a terminal it asks first. Elsewhere the first line of standard input answers, where there is one: y or yes
    aborts, n or an empty line does nothing, exit 1. Where standard input is closed or empty, as in a script, it aborts.
    Where a pipe stays open and no line comes within 3 s, nothing is done, exit 2: give --yes, which reads nothing.

    Example: cancellist abort 6w4h0v2m1x3q --yes
    """
    from cancellist.cli.actions import control

    control.abort(job, sure=yes, as_json=as_json)


def _of(job: str | None, account: str | None) -> str:
    if job is not None and account is not None:
        raise typer.BadParameter("name either a JOB or an --account")
    return account or DEFAULT_ACCOUNT
