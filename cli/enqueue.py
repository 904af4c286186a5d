"""`cancellist enqueue`: hands in a file of references as one job."""

import time
from typing import Annotated

import typer

from jobs.model import DEFAULT_ACCOUNT, Priority
from jobs.times import parse_when_ms

_MAX_TEXT = 500


def _text(value: str | None) -> str | None:
    if value is not None and len(value) > _MAX_TEXT:
        raise typer.BadParameter(f"it is longer than {_MAX_TEXT} characters")
    return value


def _key(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: without a key the same file is handed in twice")
    return _text(value)


def _when(value: str | None) -> str | None:
    try:
        if value is not None:
            parse_when_ms(value, now_ms=time.time_ns() // 1_000_000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None
    return value


def enqueue(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The file; - reads standard input.")],
    column: Annotated[str | None, typer.Option(help="The CSV column, or JSON key, with the references.")] = None,
    reason: Annotated[str | None, typer.Option(callback=_text, help="Why they are cancelled; kept.")] = None,
    requested_by: Annotated[str | None, typer.Option(callback=_text, help="Who wants it; kept.")] = None,
    priority: Annotated[Priority, typer.Option(help="A higher class goes first.")] = Priority.NORMAL,
    deadline: Annotated[
        str | None, typer.Option(metavar="WHEN", callback=_when, help="What is not sent by then is `expired`.")
    ] = None,
    start_at: Annotated[
        str | None, typer.Option(metavar="WHEN", callback=_when, help="Held until then. WHEN: RFC 3339, or +2h.")
    ] = None,
    account: Annotated[str, typer.Option(help="The platform subscription.")] = DEFAULT_ACCOUNT,
    idempotency_key: Annotated[
        str | None, typer.Option(callback=_key, help="The same key with the same content names the same job.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check it all, hand in nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the results; see the exit status below.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Hand in a file of references to be cancelled, and print the job's id.

    CSV, a JSON array, JSON lines or one reference a line: told apart by content.

    Example: cancellist enqueue returns.csv --column "Consignment Reference" --reason "recall 1147" --wait

    Exit status with --wait: 0 all are cancelled, 3 some were refused, 4 some are failed, unconfirmed, expired or
    aborted.
    """
    from cli import enqueueing  # noqa: PLC0415 - only for this command; the others start sooner without it
    from cli.submitting import Wanted  # noqa: PLC0415 - as above

    wanted = Wanted(account, reason, requested_by, priority, deadline, start_at, idempotency_key)
    raise typer.Exit(
        enqueueing.enqueue(file, column, wanted, rehearse=dry_run, wait=wait, as_json=as_json),
    )
