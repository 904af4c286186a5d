"""`cancellist`: the commands put together."""

import sys
from typing import Annotated

import typer

from cli import failing, streams, terminal
from cli.accounts import accounts
from cli.arguments import Command
from cli.control import abort, pause, resume
from cli.demo import demo
from cli.doctor import doctor
from cli.enqueue import enqueue
from cli.explain import explain
from cli.failing import NAME
from cli.jobs import jobs, status
from cli.results import results
from cli.sandbox import sandbox
from cli.streams import ReaderGoneError
from cli.watch import watch
from cli.worker import worker

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
    demo, enqueue, worker, jobs, status, watch, results, explain, pause, resume, abort, accounts, doctor, sandbox,
)  # fmt: skip
for command in COMMANDS:
    app.command(cls=Command)(command)


def main() -> None:
    """Runs a command; whatever goes wrong is one line on standard error, and an exit status."""
    streams.mend()
    arguments = sys.argv[1:]
    if failing.wants_json(arguments) and not terminal.is_terminal(err=True):
        terminal.MESSAGES.hold()
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int | str | None:
    """Runs a command until all that it wrote is out; answers the exit status."""
    try:
        status = _invoked(arguments)
        streams.INTERRUPTION.asked |= status == failing.INTERRUPTED
        sys.stdout.flush()
        terminal.MESSAGES.release()
    except ReaderGoneError:
        streams.abandon()
        return 0
    except KeyboardInterrupt:
        streams.abandon()
        return failing.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: no user is shown a traceback
        streams.abandon()
        return failing.tell(error, arguments)
    return status


def _invoked(arguments: list[str]) -> int | str | None:
    command = typer.main.get_command(app)
    try:
        ended: int | None = command.main(arguments or ["--help"], prog_name=NAME, standalone_mode=False)
    except SystemExit as left:  # completion, and the worker
        return left.code
    return ended if arguments else failing.USAGE
