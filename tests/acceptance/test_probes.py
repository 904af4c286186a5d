"""`cancellist worker --check` and `arq --check` say truly whether a worker lives here, without server and platform."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cancellist.jobs.ledger import control
from cancellist.worker.process.heartbeat import ALIVE_S
from tests.support import processes
from tests.support.stage import ROOT, Stage, Worker, log_lines, wait_for

pytestmark = pytest.mark.acceptance

OURS, ARQ = ("cli", "worker", "--check"), ("arq", "--check", "cancellist.worker.main.WorkerSettings")
LOOK_EVERY_S = 0.25  # each look is a process
NOTICED_WITHIN_S = ALIVE_S + 10  # and what the check itself takes, on a busy machine

WEDGES = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(600))  # in the event loop's own thread
"""


class Probed:
    """A stage whose workers are looked for."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.folder = stage.folder / "beats"
        self.stage.settings["heartbeat_dir"] = str(self.folder)

    def check(self, command: tuple[str, ...] = OURS, **settings: object) -> "subprocess.CompletedProcess[str]":
        environment = self.stage.environment(**settings)
        return processes.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, text=True, timeout=60)

    def alive(self, command: tuple[str, ...] = OURS, **settings: object) -> bool:
        done = self.check(command, **settings)
        assert done.returncode in {0, 1}, done.stderr
        assert len((done.stdout + done.stderr).splitlines()) == 1
        return done.returncode == 0

    def worker(self, **options: object) -> Worker:
        """A worker that has begun its work."""
        worker = self.stage.worker(**options)  # type: ignore[arg-type]
        wait_for(lambda: any(line["event"] == "account served" for line in log_lines(worker)), 30)
        return worker


@pytest.fixture
def probed(valkey_stage: Stage) -> Probed:
    return Probed(valkey_stage)


@pytest.mark.parametrize("command", [("cli", "worker"), ("arq", "cancellist.worker.main.WorkerSettings")])
def test_a_worker_lives_from_its_start_to_its_end(probed: Probed, command: tuple[str, ...]) -> None:
    assert not probed.alive()
    worker = probed.worker(command=command)
    assert probed.alive()
    assert probed.alive(ARQ)
    assert worker.end() == 0
    assert not probed.alive()
    assert not probed.alive(ARQ)
    assert list(probed.folder.iterdir()) == []


def test_one_that_was_killed_is_dead_at_once_and_leaves_nothing(probed: Probed) -> None:
    worker = probed.worker()
    assert probed.alive()
    worker.end(signal.SIGKILL)
    assert len(list(probed.folder.iterdir())) == 1
    assert not probed.alive()
    assert list(probed.folder.iterdir()) == []
    assert not probed.alive(ARQ)


@pytest.mark.parametrize("how", ["frozen", "its event loop wedged"])
def test_one_that_does_not_tick_is_not_alive(probed: Probed, how: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WEDGES, encoding="utf-8")
    os_path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = probed.stage.environment
    probed.stage.environment = lambda **settings: {**environment(**settings), "PYTHONPATH": os_path}  # type: ignore[method-assign]
    worker = probed.worker()
    probed.stage.environment = environment  # type: ignore[method-assign]
    assert probed.alive()
    worker.process.send_signal(signal.SIGSTOP if how == "frozen" else signal.SIGUSR1)
    wait_for(lambda: not probed.alive(), NOTICED_WITHIN_S, LOOK_EVERY_S)
    assert not probed.alive(ARQ)
    told = json.loads(probed.check((*OURS, "--json")).stdout)
    assert told == {"alive": False, "workers": [{"pid": worker.process.pid, "alive": False}]}
    if how == "frozen":
        worker.process.send_signal(signal.SIGCONT)
        wait_for(probed.alive, 30, LOOK_EVERY_S)
    else:
        worker.process.kill()


async def test_neither_server_nor_platform_nor_a_pause_has_a_part_in_it(probed: Probed) -> None:
    worker = probed.worker()
    async with probed.stage.ledger() as ledger:
        await control.pause_account(ledger, "default")
    assert probed.alive()
    probed.stage.platform.process.kill()
    probed.stage.server.kill()
    wait_for(lambda: any(line["event"].startswith("server away") for line in log_lines(worker)), 30)
    away_since = time.monotonic()
    wait_for(lambda: time.monotonic() - away_since > ALIVE_S + 1 or not probed.alive(), 30, LOOK_EVERY_S)
    assert probed.alive()
    assert probed.alive(ARQ)
    assert worker.process.poll() is None


def test_of_several_the_living_count_and_the_wedged_are_named(probed: Probed) -> None:
    workers = [probed.worker() for _ in range(3)]
    workers[0].end(signal.SIGKILL)
    workers[1].process.send_signal(signal.SIGSTOP)
    wait_for(lambda: str(workers[1].process.pid) in probed.check().stdout, NOTICED_WITHIN_S, LOOK_EVERY_S)
    done = probed.check()
    assert done.returncode == 0
    assert done.stdout.startswith("1 worker lives here; without a tick for 10 s: process ")
    workers[1].process.send_signal(signal.SIGCONT)


def test_another_deployments_worker_on_the_same_machine_does_not_count(probed: Probed) -> None:
    probed.worker()
    assert probed.alive()
    assert not probed.alive(namespace="other")
    assert not probed.alive(redis_url="redis://127.0.0.1:1")
    assert probed.alive(api_url="http://127.0.0.1:1", max_attempts="3")


def test_a_folder_that_was_cleaned_up_is_filled_again(probed: Probed) -> None:
    probed.worker()
    for file in probed.folder.iterdir():
        file.unlink()
    probed.folder.rmdir()
    wait_for(probed.alive, 30, LOOK_EVERY_S)


def test_without_a_setting_it_is_in_a_folder_of_this_user_alone(
    probed: Probed, monkeypatch: pytest.MonkeyPatch
) -> None:
    del probed.stage.settings["heartbeat_dir"]
    monkeypatch.setenv("TMPDIR", str(probed.stage.folder))
    own = probed.stage.folder / f"cancellist-{os.getuid()}"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    worker = probed.worker()
    refused = probed.check()
    assert refused.returncode == 1
    assert "set CANCELLIST_HEARTBEAT_DIR" in refused.stderr
    assert any("CANCELLIST_HEARTBEAT_DIR" in line["event"] for line in log_lines(worker))
    own.rmdir()
    wait_for(lambda: probed.alive() and probed.alive(ARQ), 30, LOOK_EVERY_S)
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_worker_cleans_up_after_dead_ones_of_other_servers(probed: Probed) -> None:
    probed.folder.mkdir()
    stale, foreign = probed.folder / f"{'0' * 12}.1.{'0' * 8}", probed.folder / "notes.txt"
    stale.touch()
    foreign.touch()
    probed.worker()
    assert not stale.exists()
    assert foreign.exists()


def test_a_folder_that_cannot_be_made_holds_up_no_work(probed: Probed) -> None:
    probed.stage.settings["heartbeat_dir"] = "/proc/nowhere"
    worker = probed.worker()
    assert not probed.alive()
    assert sum("CANCELLIST_HEARTBEAT_DIR" in line["event"] for line in log_lines(worker)) == 1
    assert worker.end() == 0


def test_a_wrong_setting_is_one_line(probed: Probed) -> None:
    for command in (OURS, ARQ):
        done = probed.check(command, burst="many")
        assert done.returncode == 1
        assert done.stderr.startswith("cancellist: CANCELLIST_BURST: ")
        assert len(done.stderr.splitlines()) == 1


def test_arqs_own_key_is_renewed_and_passes_soon_after_the_worker(probed: Probed) -> None:
    worker = probed.worker()

    def keys() -> list[str]:
        return probed.stage.server.command_line("KEYS", "cancellist:drains:health-check:*")  # type: ignore[return-value]

    wait_for(lambda: len(keys()) == 1, 30)
    assert 0 < probed.stage.server.command_line("PTTL", keys()[0]) <= 11_000  # type: ignore[operator]
    worker.end(signal.SIGKILL)
    wait_for(lambda: keys() == [], 15)
