"""SIGTERM is heard from the first instant, as the first process of a container too, and answered in time."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from cancellist.jobs.model import Outcome
from tests.support.stage import ROOT, Stage, agrees, all_results, ended, log_lines, settled, submit, wait_for

pytestmark = pytest.mark.acceptance

AS_FIRST = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
OURS, ARQ = ("-m", "cancellist", "worker"), ("-m", "arq", "cancellist.worker.main.WorkerSettings")
SIGNALLED = 128 + signal.SIGTERM

SIGNALS_ITSELF = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["SIGNAL_AT"]:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Finder())
"""

SIGNALS_ITSELF_IN_A_CALL = """
import os, sys

def called(frame, event, _):
    if event == "call" and frame.f_code.co_qualname == os.environ["SIGNAL_IN"]:
        sys.setprofile(None)
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "uvloop":  # the last of the imports
            sys.setprofile(called)

sys.meta_path.insert(0, Finder())
"""


@pytest.fixture(params=["an ordinary process", "the first process"])
def before(request: pytest.FixtureRequest) -> Sequence[str]:
    """What makes a process the first one of its container, or does not."""
    if request.param == "an ordinary process":
        return ()
    if subprocess.run([*AS_FIRST, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no process namespaces")
    return AS_FIRST


def environment(**settings: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}
    return {**own, "PYTHONPATH": str(ROOT), **{f"CANCELLIST_{name.upper()}": text for name, text in settings.items()}}


@contextlib.contextmanager
def running(words: Sequence[str], env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*words], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def inmost(process: "subprocess.Popen[bytes]") -> psutil.Process:
    """The worker's process, behind what has made a namespace for it."""
    found = psutil.Process(process.pid)
    children = found.children()
    return children[0] if children and found.name() == "unshare" else found


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (OURS, "typer"), (OURS, "cancellist.cli.commands.worker"), (OURS, "pydantic"), (OURS, "arq"), (OURS, "uvloop"),
        (OURS, "cancellist.worker.platform.client"), (ARQ, "cancellist.worker.service"), (ARQ, "uvloop"),
    ],
)  # fmt: skip
def test_a_signal_that_comes_while_modules_are_imported_ends_it(
    before: Sequence[str], command: Sequence[str], module: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SIGNALS_ITSELF, encoding="utf-8")
    env = environment(redis_url="redis://127.0.0.1:1") | {"SIGNAL_AT": module}
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{ROOT}"
    with running([*before, sys.executable, *command], env, tmp_path / "log") as process:
        assert process.wait(30) == SIGNALLED
    assert (tmp_path / "log").read_bytes() == b""


@pytest.mark.parametrize(
    ("function", "number"),
    [
        ("ResilientWorker.run", signal.SIGTERM),
        ("ResilientWorker.run", signal.SIGINT),
        ("ResilientWorker.main", signal.SIGTERM),
    ],
)
def test_a_signal_that_comes_as_the_event_loop_starts_ends_it(function: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SIGNALS_ITSELF_IN_A_CALL, encoding="utf-8")
    env = environment(redis_url="redis://127.0.0.1:1") | {"SIGNAL_IN": function, "SIGNAL": str(int(number))}
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{ROOT}"
    with running([sys.executable, *ARQ], env, tmp_path / "log") as process:
        assert process.wait(30) == 0  # without the signal it ends with 1, since the server is away
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


@contextlib.contextmanager
def swallowing() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.mark.parametrize("command", [OURS, ARQ])
def test_a_signal_that_comes_while_the_server_does_not_answer_at_the_start_ends_it(
    before: Sequence[str], command: Sequence[str], tmp_path: Path
) -> None:
    with swallowing() as server:
        env = environment(redis_url=f"redis://127.0.0.1:{server.getsockname()[1]}", data_dir=str(tmp_path))
        with running([*before, sys.executable, *command], env, tmp_path / "log") as process:
            connection, _ = server.accept()
            began = time.monotonic()
            inmost(process).send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert time.monotonic() - began < 10
            connection.close()
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def test_a_signal_that_comes_while_a_thread_waits_for_the_embedded_server_ends_it(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # for a minute it would wait for this
    log = tmp_path / "log"
    with running([sys.executable, *OURS], environment(data_dir=str(tmp_path)), log) as process:
        wait_for(lambda: b"waiting for another command" in log.read_bytes(), 30)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.monotonic() - began < 15
    os.close(lock)


async def test_calls_under_way_are_finished_where_the_server_answers(
    valkey_stage: Stage, before: Sequence[str]
) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 3_000})
    references = valkey_stage.platform.open_references(400)
    env = valkey_stage.environment(call_timeout="10", max_references_per_call=50)
    with running([*before, sys.executable, *OURS], env, valkey_stage.folder / "log") as process:
        async with valkey_stage.ledger() as ledger:
            job = await submit(ledger, references)
            wait_for(lambda: valkey_stage.platform.get("/sandbox/stats")["in_flight"] > 0, 20)
            inmost(process).send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0
            calls = valkey_stage.platform.calls()
            assert calls
            found = await all_results(ledger, job)
            assert len(found) == sum(call["references"] for call in calls)
            assert {result.outcome for result in found} == {Outcome.CANCELLED}


async def test_a_worker_whose_server_is_frozen_ends_within_half_a_minute_and_loses_nothing(
    valkey_stage: Stage,
) -> None:
    stage = valkey_stage
    references = stage.platform.references(20_000)
    frozen = stage.worker(command=OURS[1:])
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 500)
    stage.server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        frozen.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(frozen.process.wait, 40) == 0
        assert time.monotonic() - began < 30
    finally:
        stage.server.process.send_signal(signal.SIGCONT)
    assert any(line["event"].startswith("worker stopping") for line in log_lines(frozen))
    stage.worker()
    async with stage.ledger() as ledger:
        await ended(ledger, job, 60)
        await agrees(stage, ledger, job, references, maybe=True)
