"""`cancellist demo`: the whole of it, with nothing to configure."""

from typing import Annotated

import typer


def demo(
    references: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Rows of the file that is made up and handed in.")
    ] = 25_000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with the file, the data and the logs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Cancel a realistic file at a local platform, and check every result against that platform's own record.

    Starts a server, the local platform and a worker, all in a temporary folder, and ends them.

    Example: cancellist demo --references 5000

    Exit status: 0 only where every result agrees with the record.
    """
    from cancellist.cli.actions.demo import run

    raise typer.Exit(run.demo(references, keep=keep, as_json=as_json))
