"""`cancellist demo`: a complete run that needs no settings."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson


def demo(
    references: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows of the generated file.")] = 25_000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary folder: file, data and logs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a generated file at a local platform and check every result.

    Starts a server, a local platform and a worker in a temporary folder, and stops them at the end. Each result is
    compared with the platform's own record.

    Example: cancellist demo --references 5000

    Exit status: 0 if every result agrees with the record, else 1.
    """
    from cancellist.cli.actions.demo import run

    raise typer.Exit(run.demo(references, keep=keep, as_json=as_json))
