"""`cancellist pause`, `resume`, `continue` and `abort`."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import Job, account_name, job_id, text
from cancellist.jobs.model import DEFAULT_ACCOUNT

_Job = Annotated[
    str | None,
    typer.Argument(
        metavar="JOB",
        callback=job_id,
        autocompletion=completion.jobs,
        help="The id of the job. Without it: the whole account.",
    ),
]
_Account = Annotated[
    str | None,
    typer.Option(
        callback=account_name,
        autocompletion=completion.accounts,
        help=f"The account, if no JOB is given. Default: {DEFAULT_ACCOUNT}.",
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def pause(job: _Job = None, account: _Account = None, as_json: _AsJson = False) -> None:
    """Pause a job, or all jobs of an account.

    Workers start no new call. Calls in flight end normally.

    Example: cancellist pause 6w4h0v2m1x3q
    """
    from cancellist.cli.actions import control

    control.pause(job, _of(job, account), as_json=as_json)


def resume(
    job: _Job = None,
    account: _Account = None,
    all_: Annotated[
        bool, typer.Option("--all", help="All accounts, after `cancellist stop` or a stop file. Paused ones stay so.")
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=text,
            help="Confirm the account's platform, which was never called before, by its host.",
        ),
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Resume a paused or halted job, an account, or all accounts that were stopped at once.

    Example: cancellist resume 6w4h0v2m1x3q
    """
    if all_:
        if job is not None or account is not None or host is not None:
            raise typer.BadParameter("--all is for all accounts: give no JOB, --account or --host with it")
        from cancellist.cli.actions import stop

        stop.resume_all(as_json=as_json)
        return
    from cancellist.cli.actions import control

    if job is not None and host is not None:
        raise typer.BadParameter("--host is for an account: give no JOB with it")
    control.resume(job, _of(job, account), host, as_json=as_json)


def continue_(job: Job, as_json: _AsJson = False) -> None:
    """Continue a halted job. Its limits of refused and unconfirmed references count from here on.

    Example: cancellist continue 6w4h0v2m1x3q
    """
    from cancellist.cli.actions import control

    control.continue_(job, as_json=as_json)


def abort(
    job: Job,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Abort a job: references that were not sent yet are never sent.

    They get the result `aborted`. Calls in flight end normally.

    On a terminal the command asks first. Otherwise it reads the first line of standard input: y or yes aborts the job;
    n or an empty line changes nothing (exit status 1). If there is no line, or none within 3 s, nothing changes (exit
    status 2). With --yes it reads nothing: a script needs it.

    Example: cancellist abort 6w4h0v2m1x3q --yes
    """
    from cancellist.cli.actions import control

    control.abort(job, sure=yes, as_json=as_json)


def _of(job: str | None, account: str | None) -> str:
    if job is not None and account is not None:
        raise typer.BadParameter("give either a JOB or an --account, not both")
    return account or DEFAULT_ACCOUNT
