"""Runs example sinks in copies of itself, which begin at once, and each of which kills itself where it is told to.

Each line of its input is a JSON array of lives that are lived at the same time. A life has the arguments of `sink`, and
perhaps `kill`: `[batch, share]`, where the sink gets SIGKILL in the batch of this number, when this share of its rows
was handed to the database; a share of 1 is between the commit and the acknowledgement. A life without `kill` writes
nothing before each one that has it is in the batch in which it is killed, so that none is left without a batch.

For each line of its input there are two lines of output: an array of the process ids, and, once all lives have ended,
an array of how they ended, as `subprocess` says it.
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


class Gate:
    """Holds processes until others have opened it, or have ended."""

    def __init__(self) -> None:
        """Begins closed. Whoever is to open it keeps it open for writing; everybody else must `leave` it."""
        self._reading, self._writing = os.pipe()

    def leave(self) -> None:
        """Opens it as far as this process is concerned."""
        os.close(self._writing)

    def wait(self) -> None:
        """Waits until nobody keeps it closed."""
        os.read(self._reading, 1)

    def close(self) -> None:
        """Frees what it holds in this process."""
        self.leave()
        os.close(self._reading)


def live(sink: str, arguments: list[Any], options: dict[str, Any], kill: tuple[int, float] | None, gate: Gate) -> None:
    """Runs a sink, in this process."""
    module = SINKS[sink]
    write, numbers = module.write, count()

    def write_and_die(database: Any, results: list[Any]) -> None:
        if kill is None:
            gate.wait()
            write(database, results)
        elif next(numbers) != kill[0]:
            write(database, results)
        else:
            gate.leave()
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


def begun(life: dict[str, Any], gate: Gate) -> int:
    """A copy of this process that lives it; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if life["kill"] is None:
            gate.leave()
        live(**life, gate=gate)
    except BaseException:  # noqa: BLE001 - a copy must never go on as this process does
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def tell(document: Any) -> None:
    """Writes a line of output."""
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()


for line in sys.stdin:
    gate = Gate()
    pids = [begun(life, gate) for life in json.loads(line)]
    gate.close()
    tell(pids)
    tell([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
