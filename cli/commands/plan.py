"""`cancellist plan`: says what would come of a job, before it is enqueued."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson, when
from cancellist.cli.file_options import Column, Delimiter, MaxInvalid, NoHeader, SkipLines
from cancellist.cli.job_options import JobAccount
from cancellist.jobs.model import DEFAULT_ACCOUNT


def plan(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...|-", help="The files, as for `enqueue`; - is standard input.")
    ],
    column: Column = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    skip_lines: SkipLines = 0,
    max_invalid: MaxInvalid = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="WHEN", callback=when, help="Say whether the job will be done by then.")
    ] = None,
    account: JobAccount = DEFAULT_ACCOUNT,
    as_json: AsJson = False,
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
