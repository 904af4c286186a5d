"""`cancellist demo`: its summary is true, and it leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.commands import Desk
from tests.support.stage import ROOT, Platform


@pytest.fixture
def desk(tmp_path):
    """A desk whose settings lead nowhere: the demo must not heed them."""
    (tmp_path / ".env").write_text("CANCELLIST_REDIS_URL=redis://127.0.0.1:2\nCANCELLIST_MAX_REFERENCES_PER_CALL=1\n")
    settings = {"redis_url": "redis://127.0.0.1:1", "api_url": "https://platform.invalid", "config": "/nowhere.toml"}
    return Desk(tmp_path, Platform("", None, 0), "", settings)


def left_behind(folder: Path) -> list[str]:
    """Processes that have to do with the folder, and demo folders in it."""
    left = [path.name for path in folder.glob("cancellist-demo-*")]
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        words = " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        if str(folder) in words and process.pid != os.getpid():
            left.append(f"{process.pid} {words}")
    return left


def test_every_result_agrees_with_the_platforms_record_and_the_folder_stays_where_asked(desk: Desk):
    done = desk.ok("demo", "--references", "3000", "--json", "--keep")
    found = done.document
    assert found["agrees"] is True
    assert (found["rows"], found["total"], found["duplicates"], found["invalid"]) == (3000, 2940, 60, 6)
    assert {name: row["results"] for name, row in found["outcomes"].items()} == {
        "cancelled": 2859, "already_cancelled": 18, "manifested": 45, "not_found": 12, "invalid": 6,
    }  # fmt: skip
    assert all(row["results"] == row["record"] for row in found["outcomes"].values())
    assert 8 < found["peak_calls_in_flight"] <= 16
    [folder] = desk.folder.glob("cancellist-demo-*")
    assert str(folder) == found["folder"]
    lines = (folder / "export.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Order Number,Customer,Consignment Reference,Warehouse,Created,Weight (kg),Carrier Service"
    assert len(lines) == 3001
    assert left_behind(desk.folder) == [folder.name]


def test_a_demo_that_is_stopped_ends_its_processes_and_removes_its_folder(desk: Desk):
    with desk.started("demo", "--references", "200000") as demo:
        for line in demo.stderr:
            if re.search(r" with 19\d,\d{3} references", line):  # queued, or running already
                break
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 130
        assert "Traceback" not in demo.stderr.read()
    assert left_behind(desk.folder) == []


def test_a_demo_whose_worker_dies_says_so_and_leaves_nothing(desk: Desk):
    with desk.started("demo", "--references", "200000") as demo:
        for line in demo.stderr:
            if re.search(r" with 19\d,\d{3} references", line):  # queued, or running already
                break
        worker = next(child for child in psutil.Process(demo.pid).children() if "worker" in child.cmdline())
        worker.kill()
        assert demo.wait(20) == 1
        assert "the demo's worker ended with -9" in demo.stderr.read()
    assert left_behind(desk.folder) == []


def test_python_m_cli_is_the_command(desk: Desk):
    done = subprocess.run([sys.executable, "-m", "cancellist"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Usage: cancellist" in done.stdout + done.stderr
