"""`cancellist enqueue`: creates a job from files of references."""

from typing import Annotated

import typer

from cancellist.cli.arguments import Host, Override, account_name, text, when
from cancellist.cli.arguments import column as _column
from cancellist.cli.arguments import delimiter as _delimiter
from cancellist.cli.arguments import limit as _limit
from cancellist.jobs.model import DEFAULT_ACCOUNT, MOST_IN_CANARY, Priority
from cancellist.jobs.times import parse_span_s


def _key(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: give a key, or leave the option out")
    return text(value)


def _token(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: give the token that `cancellist plan` has printed")
    return text(value.strip()) if value else value


def _span(value: str | None) -> str | None:
    try:
        if value is not None:
            parse_span_s(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return value


def enqueue(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...|-", help="The files. All together become one job; - is standard input."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Instead of files: ask the platform for the consignments that match. Give it once for each filter, "
            "such as State=Allocated; all must match.",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|NUMBER",
            callback=_column,
            help="The CSV column with the references: its name, or its number from 1. For JSON: the path of the key, "
            "such as order.reference.",
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHARACTER", callback=_delimiter, help="The CSV delimiter: a character, or the word tab."),
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The CSV file has no header row.")] = False,
    skip_lines: Annotated[int, typer.Option(min=0, help="Lines to skip at the beginning of each file.")] = 0,
    max_invalid: Annotated[
        str | None,
        typer.Option(
            metavar="N|P%",
            callback=_limit,
            help="Refuse the files if more entries than this are malformed: a number, or a percentage of more than "
            "10 entries. Default: CANCELLIST_MAX_INVALID, which is 10% unless set.",
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(callback=text, help="Why they are cancelled. Stored with the job.")
    ] = None,
    requested_by: Annotated[
        str | None, typer.Option(callback=text, help="Who asked for it. Stored with the job.")
    ] = None,
    priority: Annotated[Priority, typer.Option(help="Jobs of a higher priority go first.")] = Priority.NORMAL,
    deadline: Annotated[
        str | None,
        typer.Option(metavar="WHEN", callback=when, help="References not sent by then get the result `expired`."),
    ] = None,
    start_at: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            callback=when,
            help="Do not start before. WHEN is an RFC 3339 time, or a delay such as +2h.",
        ),
    ] = None,
    account: Annotated[
        str, typer.Option(callback=account_name, help="The account (platform subscription).")
    ] = DEFAULT_ACCOUNT,
    idempotency_key: Annotated[
        str | None,
        typer.Option(callback=_key, help="Enqueueing the same content again under this key returns the first job."),
    ] = None,
    hold: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            callback=_span,
            help="Wait for so long before the job starts, such as 5m: until then `cancellist abort` takes it back "
            "whole. CANCELLIST_HOLD holds beside it.",
        ),
    ] = None,
    max_refused: Annotated[
        str | None,
        typer.Option(
            metavar="N|P%",
            callback=_limit,
            help="Halt the job once more references than this are refused: a number, or a percentage of the results. "
            "CANCELLIST_MAX_REFUSED holds beside it.",
        ),
    ] = None,
    max_unconfirmed: Annotated[
        str | None,
        typer.Option(metavar="N|P%", callback=_limit, help="The same for unconfirmed and failed references."),
    ] = None,
    canary: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=MOST_IN_CANARY,
            help="Cancel N references first, drawn from all over the input, and read each back. The rest follows only "
            "if they agree. CANCELLIST_CANARY holds beside it.",
        ),
    ] = None,
    snapshot: Annotated[
        bool,
        typer.Option(
            "--snapshot",
            help="Keep the platform's record of each reference before it is cancelled; one that cannot be kept is not "
            "cancelled. CANCELLIST_SNAPSHOT asks it of all jobs.",
        ),
    ] = False,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            callback=_token,
            help="The token of a plan (`cancellist plan`): enqueue only what was planned, and only once.",
        ),
    ] = None,
    expect_count: Annotated[
        int | None,
        typer.Option(min=0, help="Enqueue only if there are so many references, each counted once, none malformed."),
    ] = None,
    host: Host = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check the files, create no job.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --where: do not ask for confirmation.")] = False,
    override: Override = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the job has ended. See the exit status above.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Create a job from files of references, and print its id.

    A file holds CSV, JSON or one reference a line, plain or gzip. Its content decides, not its name. If it
    cannot be understood with certainty, no job is created. --dry-run shows how the files are understood.

    Example: cancellist enqueue returns.csv --column "Consignment Reference" --reason "recall 1147" --wait

    Example: cancellist enqueue monday.csv.gz tuesday.csv.gz --column 3 --no-header --delimiter tab

    Example: cancellist enqueue orders.json --column consignments.reference --dry-run

    With --where the command shows the number of consignments that match and a sample, and asks before it enqueues
    exactly those.

    Example: cancellist enqueue --where State=Allocated --where ShippingLocationReference=EDC5 --reason "depot closed"

    Exit status with --wait: 0 if all are cancelled; 3 if some were refused; 4 if some are failed, unconfirmed, expired
    or aborted; 5 if the job halted, since too many were refused or are unconfirmed. Without --wait: 5 if --plan or
    --expect-count does not hold.
    """
    from cancellist.cli.actions.enqueue import Files, enqueue_files
    from cancellist.jobs.ledger.submitting.enqueue import Wanted
    from cancellist.jobs.parsing.documents import Hints

    by_file = {"--column": column, "--delimiter": delimiter, "--no-header": no_header, "--skip-lines": skip_lines,
               "--max-invalid": max_invalid, "FILE": files}  # fmt: skip
    wanted = Wanted(
        account,
        reason,
        requested_by,
        priority,
        deadline,
        start_at,
        idempotency_key,
        hold=hold,
        max_refused=max_refused,
        max_unconfirmed=max_unconfirmed,
        canary=canary,
        snapshot=snapshot,
        override_reason=override,
        host=host,
        plan=plan,
        expect_count=expect_count,
    )
    if where:
        if clash := next((name for name, value in by_file.items() if value), None):
            raise typer.BadParameter(
                f"it cannot be given together with {clash}: filters replace files", param_hint="--where"
            )
        from cancellist.cli.actions.enqueue_where import enqueue_where

        raise typer.Exit(enqueue_where(where, wanted, sure=yes, rehearse=dry_run, wait=wait, as_json=as_json))
    if not files:
        raise typer.BadParameter("there is none: give files, - for standard input, or --where", param_hint="FILE")
    if yes:
        raise typer.BadParameter("files are enqueued without a question: leave it out", param_hint="--yes")
    raise typer.Exit(
        enqueue_files(
            Files(tuple(files), Hints(column, delimiter, not no_header, skip_lines), max_invalid),
            wanted,
            rehearse=dry_run,
            wait=wait,
            as_json=as_json,
        )
    )
