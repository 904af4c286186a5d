"""The options that say what a job is to be: `enqueue` has them all, and other commands share some."""

from typing import Annotated

import typer

from cancellist.cli.arguments import account_name, limit, text, when
from cancellist.jobs.escaping import says_nothing
from cancellist.jobs.model import MOST_IN_CANARY, Priority
from cancellist.jobs.times import parse_span_s


def _key(value: str | None) -> str | None:
    if value is not None and says_nothing(value):
        raise typer.BadParameter("it is empty: give a key, or leave the option out")
    return text(value)


def _token(value: str | None) -> str | None:
    if value is not None and says_nothing(value):
        raise typer.BadParameter("it is empty: give the token that `cancellist plan` has printed")
    return text(value.strip()) if value else value


def _span(value: str | None) -> str | None:
    try:
        if value is not None:
            parse_span_s(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return value


Reason = Annotated[str | None, typer.Option(callback=text, help="Why they are cancelled. Stored with the job.")]
RequestedBy = Annotated[str | None, typer.Option(callback=text, help="Who asked for it. Stored with the job.")]
JobPriority = Annotated[Priority, typer.Option("--priority", help="Jobs of a higher priority go first.")]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="WHEN", callback=when, help="References not sent by then get the result `expired`."),
]
StartAt = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        callback=when,
        help="Do not start before. WHEN is an RFC 3339 time, or a delay such as +2h.",
    ),
]
JobAccount = Annotated[
    str, typer.Option("--account", callback=account_name, help="The account (platform subscription).")
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(callback=_key, help="Enqueueing the same content again under this key returns the first job."),
]
Hold = Annotated[
    str | None,
    typer.Option(
        metavar="SPAN",
        callback=_span,
        help="Wait for so long before the job starts, such as 5m: until then `cancellist abort` takes it back "
        "whole. CANCELLIST_HOLD holds beside it.",
    ),
]
MaxRefused = Annotated[
    str | None,
    typer.Option(
        metavar="N|P%",
        callback=limit,
        help="Halt the job once more references than this are refused: a number, or a percentage of the results. "
        "CANCELLIST_MAX_REFUSED holds beside it.",
    ),
]
MaxUnconfirmed = Annotated[
    str | None,
    typer.Option(metavar="N|P%", callback=limit, help="The same for unconfirmed and failed references."),
]
Canary = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=MOST_IN_CANARY,
        help="Cancel N references first, drawn from all over the input, and read each back. The rest follows only "
        "if they agree. CANCELLIST_CANARY holds beside it.",
    ),
]
KeepSnapshot = Annotated[
    bool,
    typer.Option(
        "--snapshot",
        help="Keep the platform's record of each reference before it is cancelled; one that cannot be kept is not "
        "cancelled. CANCELLIST_SNAPSHOT asks it of all jobs.",
    ),
]
PlanToken = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="TOKEN",
        callback=_token,
        help="The token of a plan (`cancellist plan`): enqueue only what was planned, and only once.",
    ),
]
ExpectCount = Annotated[
    int | None,
    typer.Option(min=0, help="Enqueue only if there are so many references, each counted once, none malformed."),
]
