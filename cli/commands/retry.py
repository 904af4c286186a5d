"""`cancellist retry`: creates a new job from references of an ended one."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import AsJson, Host, Job, Override, outcomes, text, when
from cancellist.cli.job_options import StartAt
from cancellist.jobs.model import Priority

_Outcome = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B",
        autocompletion=completion.outcomes,
        help="Retry references with these outcomes. Default: unconfirmed, failed, expired, aborted; "
        "also possible: not_found, rejected.",
    ),
]
_Reason = Annotated[
    str | None, typer.Option(callback=text, help="Why they are cancelled. Default: the reason of the old job.")
]
_RequestedBy = Annotated[str | None, typer.Option(callback=text, help="Who asked for it. Default: as the old job.")]
_Priority = Annotated[Priority | None, typer.Option(help="Default: the priority of the old job.")]
_Deadline = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        callback=when,
        help="References not sent by then get the result `expired`. Default: no deadline.",
    ),
]
_Snapshot = Annotated[
    bool,
    typer.Option(
        "--snapshot",
        help="Keep the platform's record of each reference before it is cancelled; one that cannot be kept is not "
        "cancelled. Also where the old job has it.",
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
_Wait = Annotated[bool, typer.Option("--wait", help="Wait until the new job has ended. See the exit status above.")]


def retry(
    job: Job,
    outcome: _Outcome = None,
    reason: _Reason = None,
    requested_by: _RequestedBy = None,
    priority: _Priority = None,
    deadline: _Deadline = None,
    start_at: StartAt = None,
    snapshot: _Snapshot = False,
    host: Host = None,
    yes: _Yes = False,
    override: Override = None,
    wait: _Wait = False,
    as_json: AsJson = False,
) -> None:
    """Create a new job from references of an ended job, and print its id.

    By default it has those that are unconfirmed, failed, expired or aborted. Each job names the other: see status
    --json. The same references are handed in again once: the same command prints the same job.

    On a terminal the command asks first; a script needs --yes.

    Example: cancellist retry 6w4h0v2m1x3q --yes --wait

    Example: cancellist retry 6w4h0v2m1x3q --outcome rejected,not_found --reason "created late" --priority bulk

    Exit status with --wait: 0 if all are cancelled; 3 if some were refused; 4 if some are failed, unconfirmed, expired
    or aborted.
    """
    from cancellist.cli.actions.retry import retry_job
    from cancellist.jobs.ledger.submitting.retry import Asked

    asked = Asked(
        reason, requested_by, priority, deadline, start_at, override_reason=override, host=host, snapshot=snapshot
    )
    raise typer.Exit(retry_job(job, outcomes(outcome), asked, sure=yes, wait=wait, as_json=as_json))
