"""The ways to run a worker under arq: arq's own commands, and `cancellist worker`."""

import sys
from typing import Any

import arq.worker

from cancellist.config.loading import load
from cancellist.jobs.errors import CancellistError
from cancellist.jobs.escaping import plain
from cancellist.worker.process import heartbeat
from cancellist.worker.process.arq_worker import ResilientWorker


def install() -> None:
    """Makes arq's own commands run and check this worker.

    The commands are `arq cancellist.worker.main.WorkerSettings`, and the same with `--check`.
    """
    arq.worker.Worker = ResilientWorker  # type: ignore[misc]
    if command := sys.modules.get("arq.cli"):
        command.check_health = check_health  # type: ignore[attr-defined]


def check_health(_settings_class: type) -> int:
    """The exit status of `arq --check`: 0 where a worker is alive on this machine."""
    try:
        found = heartbeat.look(load())
    except CancellistError as error:
        sys.stderr.write(f"cancellist: {plain(str(error))}\n")
        return 1
    sys.stderr.write(f"cancellist: {heartbeat.told(found)}\n")
    return 0 if any(pulse.alive for pulse in found) else 1


def run(settings_class: type, *, burst: bool | None = None) -> None:
    """Runs the worker until it ends.

    Raises:
        CancellistError: the worker could not start.
    """
    install()
    ResilientWorker.raises = True
    options: dict[str, Any] = {} if burst is None else {"burst": burst}
    arq.worker.run_worker(settings_class, **options)
