"""A worker that starts while something is wrong: it says what it waits for, and then what to do."""

import sys
import time

import pytest

from tests.acceptance.faults.harness.system import Rig, statuses
from tests.support import processes
from tests.support.stage import ROOT, agrees, ended, log_lines, submit, wait_for

pytestmark = pytest.mark.acceptance


def refused_start(rig: Rig, **settings: object) -> tuple[int, str, float]:
    """Exit status, the words on standard error, and how long a worker took to say so."""
    began = time.monotonic()
    words = [sys.executable, "-m", "cancellist", "worker"]
    done = processes.run(words, cwd=ROOT, env=rig.environment(**settings), text=True, timeout=40)
    return done.returncode, done.stderr, time.monotonic() - began


@pytest.mark.timed
def test_a_server_that_is_not_there_is_waited_for_and_then_named(valkey_rig: Rig) -> None:
    valkey_rig.proxy.refuse()
    status, said, took = refused_start(valkey_rig)
    valkey_rig.proxy.accept()
    lines = said.splitlines()
    assert status == 1
    assert 4 < took < 15
    assert "waiting for redis://" in lines[0]
    assert lines[-1].startswith("cancellist: redis://")
    assert "does not answer" in lines[-1]
    assert len(lines) == 2


@pytest.mark.timed
def test_a_wrong_password_is_named_at_once(valkey_rig: Rig) -> None:
    valkey_rig.server.command_line("ACL", "SETUSER", "default", "resetpass", ">right")
    status, said, took = refused_start(valkey_rig, redis_url=f"redis://:wrong@{valkey_rig.proxy.address}")
    assert status == 1
    assert took < 5
    assert said.startswith("cancellist: redis://:***@")
    assert "refuses the user name or the password" in said
    assert len(said.splitlines()) == 1


async def test_a_worker_waits_for_a_server_that_comes_up_late(valkey_rig: Rig) -> None:
    rig = valkey_rig
    rig.proxy.refuse()
    worker = rig.worker()
    wait_for(lambda: any("waiting for" in line["event"] for line in log_lines(worker)), 30)
    rig.proxy.accept()
    references = rig.platform.references(500)
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 30)
        await agrees(rig, ledger, job, references)
    assert statuses([worker]) == [0]
