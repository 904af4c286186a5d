"""`cancellist worker`: runs a worker."""

import os
import signal
from typing import Annotated

import typer

from cancellist.cli.terminal import emit, say


def worker(
    burst: Annotated[
        bool,
        typer.Option(
            "--burst", help="Exit when no work is left. Exit status 1 if the Redis server forbids a command it needs."
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Say whether a worker with these settings runs on this machine, and exit: 0 if so, else 1."
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Log one JSON object a line to standard error. With --check: print one JSON document."
        ),
    ] = False,
) -> None:
    """Run a worker until it is stopped.

    Ctrl-C, SIGTERM and closing the terminal stop it gracefully: it finishes the calls in flight and returns all other
    references to the queue. `arq cancellist.worker.main.WorkerSettings` runs the same worker.

    Example: cancellist worker --burst
    """
    if check:
        raise typer.Exit(_check(as_json=as_json))
    if as_json:
        os.environ["CANCELLIST_LOG_FORMAT"] = "json"
    from cancellist.worker.main import WorkerSettings
    from cancellist.worker.process import start
    from cancellist.worker.process.entry_points import run

    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` asks
        signal.signal(signal.SIGHUP, _hang_up)
    start.collect_as_usual()
    run(WorkerSettings, burst=burst)


def _check(*, as_json: bool) -> int:
    """Prints whether a worker with these settings runs on this machine; returns 0 if so, else 1."""
    from cancellist.config.loading import load
    from cancellist.worker.process import heartbeat

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
    """Turns SIGHUP, which arq does not handle, into SIGTERM, which it does."""
    os.kill(os.getpid(), signal.SIGTERM)
