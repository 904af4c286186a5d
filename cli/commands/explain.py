"""`cancellist explain`: shows why a reference has its result, and what refusal texts were found to mean."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import AsJson, account_name, job_id


def explain(
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", callback=job_id, autocompletion=completion.jobs, help="The id of the job."),
    ] = None,
    reference: Annotated[str | None, typer.Argument(metavar="[REFERENCE]", help="A reference of that job.")] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Show which states the platform's refusal texts were found to mean.")
    ] = False,
    account: Annotated[
        str,
        typer.Option(
            callback=account_name,
            autocompletion=completion.accounts,
            help="With --words: the account whose texts to show.",
        ),
    ] = "default",
    as_json: AsJson = False,
) -> None:
    """Show the failed calls and the result of a reference.

    For each call it shows the time and the platform's answer. Calls that succeeded are not kept, and failed ones for a
    limited time.

    Example: cancellist explain 6w4h0v2m1x3q EC-000-05D-1NS
    """
    from cancellist.cli.actions.explain import explain_reference, explain_texts

    if words:
        explain_texts(account, as_json=as_json)
    elif job and reference:
        explain_reference(job, reference, as_json=as_json)
    else:
        raise typer.BadParameter("give a JOB and a REFERENCE, or --words")
