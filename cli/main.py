"""The command `cancellist`: all its subcommands in one application."""

import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Final

import typer

from cancellist.cli import error_report, standard_streams, terminal
from cancellist.cli.arguments import Command
from cancellist.cli.error_report import NAME
from cancellist.cli.standard_streams import ReaderGoneError

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "demo", "plan": "plan", "enqueue": "enqueue", "worker": "worker", "jobs": "jobs", "status": "jobs",
    "watch": "watch", "results": "results", "find": "find", "explain": "explain", "pause": "control",
    "resume": "control", "continue": "control", "abort": "control", "stop": "stop", "update": "update",
    "retry": "retry", "approve": "approve", "reject": "approve", "snapshots": "snapshots",
    "reinstate": "reinstate", "receipt": "receipt",
    "verify": "verify", "audit": "audit", "accounts": "accounts", "consumers": "consumers",
    "webhooks": "webhooks", "serve": "serve", "token": "token", "doctor": "doctor", "sandbox": "sandbox",
}  # fmt: skip
"""Each command, and its module in `commands/`; `--help` lists them in this order."""


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


def _top(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Cancel consignments in bulk: give a file of references, get one result for each.

    Example: cancellist demo
    """


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The program with the command that is asked for first; with all of them where none is, as for help.

    A command takes its time to import and to build, so that the others would more than double a quick one's.
    """
    app = typer.Typer(
        name=NAME,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_top)
    asked = arguments[0] if arguments else ""
    for name in [asked] if asked in COMMANDS else COMMANDS:
        module = import_module(f"cancellist.cli.commands.{COMMANDS[name]}")
        command = getattr(module, f"{name}_" if iskeyword(name) else name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=Command)(command)
    return app


def main() -> None:
    """Runs a command. Every error becomes one line on standard error, and an exit status."""
    standard_streams.mend()
    arguments = sys.argv[1:]
    if error_report.wants_json(arguments) and not terminal.is_terminal(err=True):
        terminal.MESSAGES.hold()
    status = _run(arguments)
    gc.freeze()  # the interpreter looks through all objects at its end, three times over: none of them matters any more
    sys.exit(status)


def _run(arguments: list[str]) -> int | str | None:
    """Runs a command, flushes its output, and returns the exit status."""
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
    command = typer.main.get_command(app_for(arguments))
    try:
        ended: int | None = command.main(arguments or ["--help"], prog_name=NAME, standalone_mode=False)
    except SystemExit as left:  # completion, and the worker
        return left.code
    return ended if arguments else error_report.USAGE
