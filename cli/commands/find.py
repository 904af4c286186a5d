"""`cancellist find`: lists the jobs that named a reference."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson


def find(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The reference, in any case of letters.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many jobs to list.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List every job that named a reference, newest first, and what became of it.

    Results are looked up in a file in the data folder. It is brought up to date first, which may take a while at the
    first time. `cancellist serve` keeps it up to date.

    Example: cancellist find EC-000-05D-1NS
    """
    from cancellist.cli.actions.find import show_jobs_of

    show_jobs_of(reference, limit, as_json=as_json)
