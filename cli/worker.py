"""`cancellist worker`: does the work."""

import os
import signal
from typing import Annotated

import typer

from cli.terminal import let_go


def worker(
    burst: Annotated[bool, typer.Option("--burst", help="End when nothing is left.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Log a JSON object a line, on standard error.")] = False,
) -> None:
    """Run a worker until it is stopped; `arq worker.main.WorkerSettings` runs the same.

    Ctrl-C, SIGTERM and closing the terminal end it gracefully: calls in flight are finished, the rest goes back.

    Example: cancellist worker --burst
    """
    if as_json:
        os.environ["CANCELLIST_LOG_FORMAT"] = "json"
    from worker.main import WorkerSettings  # noqa: PLC0415 - only for this command; it sets up an event loop
    from worker.resilience import run  # noqa: PLC0415 - as above

    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` asks
        signal.signal(signal.SIGHUP, _hang_up)
    run(WorkerSettings, burst=burst)


def _hang_up(*_: object) -> None:
    """Ends as gracefully as by SIGTERM when the terminal is closed, of which arq knows nothing."""
    let_go()
    os.kill(os.getpid(), signal.SIGTERM)
