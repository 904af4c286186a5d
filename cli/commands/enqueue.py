"""`cancellist enqueue`: creates a job from files of references."""

from collections.abc import Mapping
from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson, Host, Override
from cancellist.cli.file_options import Column, Delimiter, MaxInvalid, NoHeader, SkipLines
from cancellist.cli.job_options import (
    Canary,
    Deadline,
    ExpectCount,
    Hold,
    IdempotencyKey,
    JobAccount,
    JobPriority,
    KeepSnapshot,
    MaxRefused,
    MaxUnconfirmed,
    PlanToken,
    Reason,
    RequestedBy,
    StartAt,
)
from cancellist.jobs.model import DEFAULT_ACCOUNT, Priority

_Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE...|-", help="The files. All together become one job; - is standard input."),
]
_Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Instead of files: ask the platform for the consignments that match. Give it once for each filter, "
        "such as State=Allocated; all must match.",
    ),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and check the files, create no job.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --where: do not ask for confirmation.")]
_Wait = Annotated[bool, typer.Option("--wait", help="Wait until the job has ended. See the exit status above.")]


def enqueue(
    files: _Files = None,
    where: _Where = None,
    column: Column = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    skip_lines: SkipLines = 0,
    max_invalid: MaxInvalid = None,
    reason: Reason = None,
    requested_by: RequestedBy = None,
    priority: JobPriority = Priority.NORMAL,
    deadline: Deadline = None,
    start_at: StartAt = None,
    account: JobAccount = DEFAULT_ACCOUNT,
    idempotency_key: IdempotencyKey = None,
    hold: Hold = None,
    max_refused: MaxRefused = None,
    max_unconfirmed: MaxUnconfirmed = None,
    canary: Canary = None,
    snapshot: KeepSnapshot = False,
    plan: PlanToken = None,
    expect_count: ExpectCount = None,
    host: Host = None,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    override: Override = None,
    wait: _Wait = False,
    as_json: AsJson = False,
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
    from cancellist.jobs.ledger.submitting.enqueue import Wanted
    from cancellist.jobs.parsing.documents import Hints

    wanted = Wanted(
        account, reason, requested_by, priority, deadline, start_at, idempotency_key, hold=hold,
        max_refused=max_refused, max_unconfirmed=max_unconfirmed, canary=canary, snapshot=snapshot,
        override_reason=override, host=host, plan=plan, expect_count=expect_count,
    )  # fmt: skip
    if where:
        by_file = {"--column": column, "--delimiter": delimiter, "--no-header": no_header, "--skip-lines": skip_lines,
                   "--max-invalid": max_invalid, "FILE": files}  # fmt: skip
        _refuse_together(by_file)
        from cancellist.cli.actions.enqueue_where import enqueue_where

        raise typer.Exit(enqueue_where(where, wanted, sure=yes, rehearse=dry_run, wait=wait, as_json=as_json))
    if not files:
        raise typer.BadParameter("there is none: give files, - for standard input, or --where", param_hint="FILE")
    if yes:
        raise typer.BadParameter("files are enqueued without a question: leave it out", param_hint="--yes")
    from cancellist.cli.actions.enqueue import Files, enqueue_files

    chosen = Files(tuple(files), Hints(column, delimiter, not no_header, skip_lines), max_invalid)
    raise typer.Exit(enqueue_files(chosen, wanted, rehearse=dry_run, wait=wait, as_json=as_json))


def _refuse_together(by_file: Mapping[str, object]) -> None:
    """Refuses what only files can have beside --where."""
    if clash := next((name for name, value in by_file.items() if value), None):
        raise typer.BadParameter(
            f"it cannot be given together with {clash}: filters replace files", param_hint="--where"
        )
