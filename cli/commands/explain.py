"""`cancellist explain`: why a reference has the result it has, and what refusals have come to mean."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import account_name, job_id


def explain(
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", callback=job_id, autocompletion=completion.jobs, help="The job's id."),
    ] = None,
    reference: Annotated[str | None, typer.Argument(metavar="[REFERENCE]", help="A reference of it.")] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Show what the platform's words of refusal have come to mean.")
    ] = False,
    account: Annotated[
        str,
        typer.Option(
            callback=account_name, autocompletion=completion.accounts, help="The account whose words to show."
        ),
    ] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what was tried for a reference, when and with what answer, and how it ended.

    Calls that did not simply succeed are kept for a while; --words shows what reads found behind refusals.

    Example: cancellist explain 6w4h0v2m1x3q EC-000-05D-1NS
    """
    from cancellist.cli.actions.explain import explain_reference, explain_texts

    if words:
        explain_texts(account, as_json=as_json)
    elif job and reference:
        explain_reference(job, reference, as_json=as_json)
    else:
        raise typer.BadParameter("name a job and a reference, or ask for --words")
