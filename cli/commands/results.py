"""`cancellist results`: prints the result of each reference."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import Job, OutputFile, outcomes
from cancellist.cli.output.format import Format
from cancellist.jobs.model import Outcome


def results(
    job: Job,
    form: Annotated[Format | None, typer.Option("--format", help="Default: table on a terminal, else jsonl.")] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            autocompletion=completion.outcomes,
            help=f"Only results with these outcomes: {', '.join(Outcome)}.",
        ),
    ] = None,
    output: OutputFile = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print further results until the job has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Print the results of a job, one for each reference.

    The oldest result comes first.

    Example: cancellist results 6w4h0v2m1x3q --outcome rejected,failed --format csv --output refused.csv
    """
    from cancellist.cli.actions.results import write_results

    if as_json and form not in {None, Format.JSONL}:
        raise typer.BadParameter(f"--json means --format jsonl: leave out --json or --format {form}")
    if follow and form is Format.PARQUET:
        raise typer.BadParameter(
            "nothing of a Parquet file can be read before its end: leave out --follow, or give --format jsonl"
        )
    chosen = Format.JSONL if as_json else form
    raise typer.Exit(write_results(job, chosen, outcomes(outcome), output, follow=follow))
