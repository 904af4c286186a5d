"""Runs example sinks in copies of itself, which begin at once, and each of which kills itself where it is told to.

Each line of its input is a JSON array of lives that are lived at the same time. A life has the arguments of `sink`, and
perhaps `kill`: `[batch, share]`, where the sink gets SIGKILL in the batch of this number, when this share of its rows
was handed to the database; a share of 1 is between the commit and the acknowledgement. Each line of its output is an
array of how the lives ended, as `subprocess` says it.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
SINKS = {name: importlib.import_module(f"{name}_sink") for name in ("sqlite", "postgresql")}


def live(sink: str, arguments: list[Any], options: dict[str, Any], kill: tuple[int, float] | None) -> None:
    """Runs a sink, in this process."""
    module = SINKS[sink]
    write, numbers = module.write, count()

    def write_and_die(database: Any, results: list[Any]) -> None:
        if kill is None or next(numbers) != kill[0]:
            write(database, results)
            return
        write(database, until_death(results, int(len(results) * kill[1])))
        os.kill(os.getpid(), signal.SIGKILL)

    module.write = write_and_die
    module.sink(*arguments, **options)


def until_death(results: list[Any], row: int) -> Iterator[Any]:
    """Results up to a row, at which the process is killed."""
    for number, result in enumerate(results):
        if number == row:
            os.kill(os.getpid(), signal.SIGKILL)
        yield result


def begun(life: dict[str, Any]) -> int:
    """A copy of this process that lives it; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        live(**life)
    except BaseException:  # noqa: BLE001 - a copy must never go on as this process does
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


for line in sys.stdin:
    pids = [begun(life) for life in json.loads(line)]
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    sys.stdout.write(f"{json.dumps(ends)}\n")
    sys.stdout.flush()
