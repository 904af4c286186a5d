"""`cancellist enqueue`: hands in a file of references as one job."""

import time
from typing import Annotated

import typer

from cancellist.jobs.model import DEFAULT_ACCOUNT, Priority
from cancellist.jobs.parsing.shares import parse_limit
from cancellist.jobs.times import parse_when_ms

_MAX_TEXT = 500
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


def _text(value: str | None) -> str | None:
    if value is not None and len(value) > _MAX_TEXT:
        raise typer.BadParameter(f"it is longer than {_MAX_TEXT} characters")
    return value


def _key(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: without a key the same file is handed in twice")
    return _text(value)


def _column(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: give the column's name or number")
    return value


def _delimiter(value: str | None) -> str | None:
    if value is None:
        return None
    found = _DELIMITERS.get(value.lower(), value)
    if len(found) != 1 or found.isalnum() or found in "\"'\r\n\0":
        raise typer.BadParameter(f"it is one character, such as ; or |, or one of {', '.join(_DELIMITERS)}")
    return found


def _limit(value: str | None) -> str | None:
    try:
        if value is not None:
            parse_limit(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return value


def _when(value: str | None) -> str | None:
    try:
        if value is not None:
            parse_when_ms(value, now_ms=time.time_ns() // 1_000_000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None
    return value


def enqueue(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...|-", help="The files, which become one job; - is standard input.")
    ],
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|NUMBER",
            callback=_column,
            help="The CSV column, by its name or its number from 1; or the JSON array or key, such as "
            "consignment.reference.",
        ),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHARACTER", callback=_delimiter, help="What parts the cells of CSV; or tab.")
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first row of CSV holds no names.")] = False,
    skip_lines: Annotated[int, typer.Option(min=0, help="Lines at the beginning that are passed over.")] = 0,
    max_invalid: Annotated[
        str | None,
        typer.Option(
            metavar="N|P%",
            callback=_limit,
            help="Malformed entries, or their share of more than 10, above which a file is refused; else 10%.",
        ),
    ] = None,
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
    """Hand in files of references to be cancelled, as one job, and print its id.

    CSV, JSON or one reference a line, gzip or plain: told apart by content. A file that is not surely understood is
    refused, and then nothing is handed in; --dry-run says how it is understood.

    Example: cancellist enqueue returns.csv --column "Consignment Reference" --reason "recall 1147" --wait

    Example: cancellist enqueue monday.csv.gz tuesday.csv.gz --column 3 --no-header --delimiter tab

    Example: cancellist enqueue orders.json --column consignments.reference --dry-run

    Exit status with --wait: 0 all are cancelled, 3 some were refused, 4 some are failed, unconfirmed, expired or
    aborted.
    """
    from cancellist.cli.actions.enqueue import Files, enqueue_files
    from cancellist.jobs.ledger.enqueue import Wanted
    from cancellist.jobs.parsing.documents import Hints

    wanted = Wanted(account, reason, requested_by, priority, deadline, start_at, idempotency_key)
    raise typer.Exit(
        enqueue_files(
            Files(tuple(files), Hints(column, delimiter, not no_header, skip_lines), max_invalid),
            wanted,
            rehearse=dry_run,
            wait=wait,
            as_json=as_json,
        )
    )
