"""`cancellist audit`: who has changed what."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import AsJson, account_name, job_id, since


def audit(
    job: Annotated[
        str | None, typer.Option(callback=job_id, autocompletion=completion.jobs, help="Only of this job.")
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(callback=account_name, autocompletion=completion.accounts, help="Only of this account."),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            callback=since,
            help="Only from then on: an RFC 3339 time with an offset, or a span back such as 2h.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to list.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what was changed, by whom and from where, newest first.

    Every command, request and intake entry that changes something is recorded: jobs that are handed in, changed,
    stopped or let go on, accounts, webhooks and consumer groups. Entries are kept as long as jobs.

    Example: cancellist audit --job 6w4h0v2m1x3q
    """
    from cancellist.cli.actions.audit import show_acts

    show_acts(job, account, begin, limit, as_json=as_json)
