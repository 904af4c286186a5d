"""`cancellist plan`: says what would come of a job, before it is enqueued."""

from typing import Annotated

import typer

from cancellist.cli.arguments import account_name, when
from cancellist.cli.arguments import column as column_of
from cancellist.cli.arguments import delimiter as delimiter_of
from cancellist.cli.arguments import limit as limit_of
from cancellist.jobs.model import DEFAULT_ACCOUNT


def plan(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...|-", help="The files, as for `enqueue`; - is standard input.")
    ],
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME|NUMBER", callback=column_of, help="The column or key, as for `enqueue`."),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            metavar="CHARACTER", callback=delimiter_of, help="The CSV delimiter: a character, or the word tab."
        ),
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The CSV file has no header row.")] = False,
    skip_lines: Annotated[int, typer.Option(min=0, help="Lines to skip at the beginning of each file.")] = 0,
    max_invalid: Annotated[
        str | None,
        typer.Option(metavar="N|P%", callback=limit_of, help="Refuse the files if more entries are malformed."),
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="WHEN", callback=when, help="Say whether the job will be done by then.")
    ] = None,
    account: Annotated[
        str, typer.Option(callback=account_name, help="The account (platform subscription).")
    ] = DEFAULT_ACCOUNT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what would come of a job: how many consignments are open, who gets them, which jobs name them too.

    Nothing is cancelled and no job is created. The platform is asked for the state of each reference, or of a random
    sample of many (CANCELLIST_PLAN_READ_ALL). The report ends with a token, by which exactly these references can be
    enqueued, once: cancellist enqueue FILE --plan TOKEN.

    Example: cancellist plan returns.csv --column "Consignment Reference" --deadline +2h
    """
    from cancellist.cli.actions.enqueue import Files
    from cancellist.cli.actions.plan import plan_files
    from cancellist.jobs.parsing.documents import Hints

    hints = Hints(column, delimiter, not no_header, skip_lines)
    plan_files(Files(tuple(files), hints, max_invalid), account, deadline, as_json=as_json)
