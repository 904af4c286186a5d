"""`cancellist approve` and `cancellist reject`."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson, Job, reason_of


def approve(
    job: Job,
    count: Annotated[
        int | None,
        typer.Option(min=0, help="How many references it would cancel. Without it, the terminal asks for the number."),
    ] = None,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Take your approval back, as long as the job has not started.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Approve a job that waits for it. It must be another's.

    The command shows what the job would do, and asks for the number of references. CANCELLIST_TOKEN says who you are,
    and must have the role approve.

    Example: cancellist approve 6w4h0v2m1x3q
    """
    from cancellist.cli.actions import approve

    if take_back and count is not None:
        raise typer.BadParameter("give either --count or --take-back, not both")
    if take_back:
        approve.take_back(job, as_json=as_json)
    else:
        approve.approve(job, count, as_json=as_json)


def reject(
    job: Job,
    reason: Annotated[str, typer.Option(callback=reason_of, help="Why. Stored with the job and its results.")],
    as_json: AsJson = False,
) -> None:
    """Reject a job that waits for approval, or has it and has not started: it is aborted.

    Example: cancellist reject 6w4h0v2m1x3q --reason "wrong file"
    """
    from cancellist.cli.actions import approve

    approve.reject(job, reason, as_json=as_json)
