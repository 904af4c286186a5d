"""`cancellist`: the commands put together."""

import sys
from typing import Annotated

import typer

from cancellist.cli import error_report, standard_streams, terminal
from cancellist.cli.arguments import Command
from cancellist.cli.commands.accounts import accounts
from cancellist.cli.commands.control import abort, pause, resume
from cancellist.cli.commands.demo import demo
from cancellist.cli.commands.doctor import doctor
from cancellist.cli.commands.enqueue import enqueue
from cancellist.cli.commands.explain import explain
from cancellist.cli.commands.jobs import jobs, status
from cancellist.cli.commands.results import results
from cancellist.cli.commands.sandbox import sandbox
from cancellist.cli.commands.serve import serve
from cancellist.cli.commands.token import token
from cancellist.cli.commands.watch import watch
from cancellist.cli.commands.worker import worker
from cancellist.cli.error_report import NAME
from cancellist.cli.standard_streams import ReaderGoneError

app = typer.Typer(
    name=NAME,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to import, for this alone

    try:
        number = version(NAME)
    except PackageNotFoundError:
        number = "of a source tree that is not installed"
    typer.echo(f"{NAME} {number}")
    raise typer.Exit


@app.callback()
def _top(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Cancel consignments in bulk: hand in a file of references, get one true result for each.

    Example: cancellist demo
    """


COMMANDS = (
    demo, enqueue, worker, jobs, status, watch, results, explain, pause, resume, abort, accounts, serve, token,
    doctor, sandbox,
)  # fmt: skip
for command in COMMANDS:
    app.command(cls=Command)(command)


def main() -> None:
    """Runs a command; whatever goes wrong is one line on standard error, and an exit status."""
    standard_streams.mend()
    arguments = sys.argv[1:]
    if error_report.wants_json(arguments) and not terminal.is_terminal(err=True):
        terminal.MESSAGES.hold()
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int | str | None:
    """Runs a command until all that it wrote is out; answers the exit status."""
    try:
        status = _invoked(arguments)
        standard_streams.INTERRUPTION.asked |= status == error_report.INTERRUPTED
        sys.stdout.flush()
        terminal.MESSAGES.release()
    except ReaderGoneError:
        standard_streams.abandon()
        return 0
    except KeyboardInterrupt:
        standard_streams.abandon()
        return error_report.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: no user is shown a traceback
        standard_streams.abandon()
        return error_report.tell(error, arguments)
    return status


def _invoked(arguments: list[str]) -> int | str | None:
    command = typer.main.get_command(app)
    try:
        ended: int | None = command.main(arguments or ["--help"], prog_name=NAME, standalone_mode=False)
    except SystemExit as left:  # completion, and the worker
        return left.code
    return ended if arguments else error_report.USAGE
