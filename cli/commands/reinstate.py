"""`cancellist reinstate`: creates new consignments with the details of cancelled ones."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import file_name, job_id
from cancellist.cli.arguments import text as text_of


def reinstate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="JOB|REFERENCE",
            callback=job_id,
            autocompletion=completion.jobs,
            help="The id of a job, for all that it has cancelled; or one reference.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be created, and create nothing.")] = False,
    count: Annotated[
        int | None,
        typer.Option(min=0, help="How many would be created. Without it, the terminal asks for the number."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="NAME", callback=text_of, help="The platform's host. Without it, the terminal asks."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", callback=text_of, help="Approve what another person has planned, and create it."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Create those too that an earlier run may have created already. Look on the platform first that it "
            "has not: else there will be two.",
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", callback=file_name, help="Write old and new references to this file as CSV."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Create new consignments with the details of cancelled ones, from their snapshots: the only way back.

    It is off unless CANCELLIST_REINSTATE is on, and CANCELLIST_TOKEN must have the role approve. The command shows what
    would be created and asks for the number and the platform's host. Each consignment is created once at most: give the
    command again to go on where it was stopped. Price, label and pickup of the new ones may differ.

    Example: cancellist reinstate 6w4h0v2m1x3q --dry-run
    """
    from cancellist.cli.actions import reinstate as actions

    if dry_run and (count is not None or host is not None):
        raise typer.BadParameter("--dry-run asks for neither --count nor --host")
    asked = actions.Asked(target, dry_run, count, host, plan, again, output)
    raise typer.Exit(actions.reinstate(asked, as_json=as_json))
