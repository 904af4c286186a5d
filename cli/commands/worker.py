"""`cancellist worker`: does the work."""

import os
import signal
from typing import Annotated

import typer

from cancellist.cli.terminal import emit, say


def worker(
    burst: Annotated[
        bool,
        typer.Option("--burst", help="End when nothing is left; with exit 1 where the server refuses what that needs."),
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Say whether a worker lives here, and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Log a JSON object a line, on standard error; with --check, print one.")
    ] = False,
) -> None:
    """Run a worker until it is stopped; `arq cancellist.worker.main.WorkerSettings` runs the same.

    Ctrl-C, SIGTERM and closing the terminal end it gracefully: calls in flight are finished, the rest goes back.

    Example: cancellist worker --burst
    """
    if check:
        raise typer.Exit(_check(as_json=as_json))
    if as_json:
        os.environ["CANCELLIST_LOG_FORMAT"] = "json"
    from cancellist.worker import process_start
    from cancellist.worker.entry_points import run
    from cancellist.worker.main import WorkerSettings

    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` asks
        signal.signal(signal.SIGHUP, _hang_up)
    process_start.collect_as_usual()
    run(WorkerSettings, burst=burst)


def _check(*, as_json: bool) -> int:
    """Whether a worker of these settings lives on this machine: 0, else 1."""
    from cancellist.config.loading import load
    from cancellist.worker import heartbeat

    found = heartbeat.look(load())
    alive = any(pulse.alive for pulse in found)
    if as_json:
        emit({"alive": alive, "workers": [{"pid": pulse.pid, "alive": pulse.alive} for pulse in found]})
    elif alive:
        typer.echo(heartbeat.told(found))
    else:
        say(f"cancellist: {heartbeat.told(found)}")
    return 0 if alive else 1


def _hang_up(*_: object) -> None:
    """Ends as gracefully as by SIGTERM when the terminal is closed, of which arq knows nothing."""
    os.kill(os.getpid(), signal.SIGTERM)
