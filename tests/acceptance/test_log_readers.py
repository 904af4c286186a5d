"""Nothing that becomes of a worker's log stops its work, keeps it from starting or ending, or spoils its status."""

import contextlib
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.support import processes
from tests.support.stage import ROOT, Stage, Worker, agrees, ended, settled, submit

pytestmark = pytest.mark.acceptance

REFERENCES = 1_000
ENDS_WITHIN_S = 15
COMMANDS = {"ours": ("cli", "worker"), "arq": ("arq", "cancellist.worker.main.WorkerSettings")}


@dataclass
class Log:
    """Where a worker's log goes.

    Attributes:
        fd: the descriptor, as its process is given it.
        redirection: what a shell does with it first.
        midway: what becomes of it while the work is under way.
    """

    fd: int
    redirection: str = ""
    midway: Callable[[], None] = field(default=lambda: None)


@contextlib.contextmanager
def gone_reader() -> Iterator[Log]:
    read, write = os.pipe()
    os.close(read)
    yield Log(write)
    os.close(write)


@contextlib.contextmanager
def reader_that_goes() -> Iterator[Log]:
    read, write = os.pipe()
    yield Log(write, midway=lambda: os.close(read))
    os.close(write)


@contextlib.contextmanager
def reader_that_does_not_read() -> Iterator[Log]:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * fcntl.fcntl(write, fcntl.F_GETPIPE_SZ))
    os.set_blocking(write, True)
    yield Log(write)
    os.close(write)
    os.close(read)


@contextlib.contextmanager
def full_disk() -> Iterator[Log]:
    full = os.open("/dev/full", os.O_WRONLY)
    yield Log(full)
    os.close(full)


@contextlib.contextmanager
def closed() -> Iterator[Log]:
    null = os.open(os.devnull, os.O_WRONLY)
    yield Log(null, "2>&-")
    os.close(null)


@contextlib.contextmanager
def all_closed() -> Iterator[Log]:
    null = os.open(os.devnull, os.O_WRONLY)
    yield Log(null, "<&- >&- 2>&-")
    os.close(null)


LOGS = [gone_reader, reader_that_goes, reader_that_does_not_read, full_disk, closed, all_closed]


def started(log: Log, command: tuple[str, ...], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", *command]
    if log.redirection:
        words = ["bash", "-c", f"exec {shlex.join(words)} {log.redirection}"]
    return processes.Popen(
        words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log.fd,
        start_new_session=True,
    )  # fmt: skip


def begin(stage: Stage, log: Log, command: tuple[str, ...], **settings: object) -> Worker:
    worker = Worker(started(log, command, stage.environment(**settings)), stage.folder / "none")
    stage.workers.append(worker)
    return worker


@pytest.mark.parametrize(
    ("kind", "command"), [*((kind, "ours") for kind in LOGS), (gone_reader, "arq"), (all_closed, "arq")]
)
async def test_everything_is_settled_and_the_worker_ends_when_it_is_told_to(
    valkey_stage: Stage, kind: Callable[[], contextlib.AbstractContextManager[Log]], command: str
) -> None:
    references = valkey_stage.platform.references(REFERENCES)
    with kind() as log:
        worker = begin(valkey_stage, log, COMMANDS[command], log_level="debug", max_references_per_call=5)
        async with valkey_stage.ledger() as ledger:
            job = await submit(ledger, references)
            await settled(ledger, job, REFERENCES // 4)
            log.midway()
            await ended(ledger, job, 40)
            await agrees(valkey_stage, ledger, job, references)
        assert worker.end(timeout=ENDS_WITHIN_S) == 0


@pytest.mark.parametrize("kind", LOGS)
def test_a_wrong_setting_has_the_same_status(kind: Callable[[], contextlib.AbstractContextManager[Log]]) -> None:
    with kind() as log:
        log.midway()
        wrong = started(log, COMMANDS["ours"], {**os.environ, "CANCELLIST_BURST": "many"})
        assert wrong.wait(30) == 1


async def test_a_reader_that_comes_back_is_told_how_much_was_lost(valkey_stage: Stage) -> None:
    path = valkey_stage.folder / "log"
    os.mkfifo(path)
    read = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write = os.open(path, os.O_WRONLY)
    worker = begin(valkey_stage, Log(write), COMMANDS["ours"], log_format="json")
    os.close(write)
    os.close(read)  # before the worker says anything
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, valkey_stage.platform.references(100))
        await ended(ledger, job, 40)
    back = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(ENDS_WITHIN_S) == 0
    lines = [json.loads(line) for line in os.read(back, 1 << 20).splitlines()]
    os.close(back)
    assert lines[0]["event"] == "log lines were lost"
    assert lines[0]["number"] > 0
    assert lines[-1]["event"] == "worker stopped"
