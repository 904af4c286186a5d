"""`cancellist verify`: checks receipts, without the server."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson


def verify(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE|-", help="Receipts or proofs, or folders of such files; - is standard input."),
    ],
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A public key in PEM by which each receipt must be signed; repeatable."),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The job's results, as `results --format jsonl` writes them; of a reinstatement its file.",
        ),
    ] = None,
    result: Annotated[
        str | None,
        typer.Option(metavar="REFERENCE", help="Check that this reference's result is covered, and show it."),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="The digest that the last receipt must have, as the log told it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that receipts were not altered. The server is not asked.

    Exit status 0: all agrees. Exit status 1: something does not, and standard error says what. Several receipts must
    follow each other without a gap. Without --key, a receipt that somebody else has made anew agrees with itself too.

    Example: cancellist verify receipt.json --key receipt.pem.pub --results results.jsonl
    """
    from cancellist.cli.actions import verify as actions

    actions.verify(files, actions.Against(tuple(key or ()), results, result, head), as_json=as_json)
