"""`cancellist`: the commands put together, and how their errors are told."""

import os
import sys
from typing import Annotated

import typer

from cli.accounts import accounts
from cli.control import abort, pause, resume
from cli.demo import demo
from cli.doctor import doctor
from cli.enqueue import enqueue
from cli.explain import explain
from cli.jobs import jobs, status
from cli.results import results
from cli.sandbox import sandbox
from cli.watch import watch
from cli.worker import worker
from jobs.errors import CancellistError
from jobs.printable import plain

NAME = "cancellist"
_INTERRUPTED = 130

app = typer.Typer(
    name=NAME,
    no_args_is_help=True,
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
    app.command()(command)


def main() -> None:
    """Runs a command; whatever a user can mend is one line on standard error, and exit status 1."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # one that was closed is not there
        stream.reconfigure(errors="backslashreplace")  # a terminal may know few characters
    try:
        app(prog_name=NAME)
    except CancellistError as error:
        sys.stderr.write(f"{NAME}: {plain(str(error))}\n")
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does. What is buffered must not be written at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
