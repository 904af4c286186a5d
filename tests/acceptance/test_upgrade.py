"""A rolling upgrade: workers of two versions at once."""

import shutil
import signal
from pathlib import Path

import msgpack
import pytest

from jobs.ledger import control
from tests.acceptance.stage import ROOT, Stage, agrees, ended, settled, submit
from tests.waiting import until

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("killed", ["older", "newer"])
async def test_workers_of_two_versions_drain_one_job_though_one_is_killed(
    valkey_stage: Stage, tmp_path: Path, killed: str
) -> None:
    stage = valkey_stage
    workers = {"older": stage.worker(), "newer": stage.worker(source=a_later_version(tmp_path / "later"))}
    references = stage.platform.references(8_000)
    async with stage.ledger() as ledger:
        await until(lambda: control.gate(ledger, "default"), lambda gate: gate.workers == 2, 10)
        job = await submit(ledger, references)
        await settled(ledger, job, 500)
        stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 400})
        held = await until(lambda: _claims(ledger, workers), lambda held: all(held.values()), 10)
        assert {name: {"added" in claim for claim in claims} for name, claims in held.items()} == {
            "older": {False},
            "newer": {True},
        }
        workers[killed].end(signal.SIGKILL)
        stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
        await ended(ledger, job, 30)
        await agrees(stage, ledger, job, references, maybe=True)
        assert await ledger.redis.hvals(ledger.keys.claimed("default")) == []
    (survivor,) = workers.keys() - {killed}
    assert workers[survivor].end() == 0


def a_later_version(folder: Path) -> Path:
    """A copy of the sources of which every script has another digest, and which notes more in its claims."""
    for package in ("cli", "config", "jobs", "sandbox", "worker"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    lua = folder / "jobs" / "ledger" / "lua"
    for script in lua.rglob("*.lua"):
        script.write_text(f"{script.read_text()}-- of a later version\n")
    granting = lua / "shared" / "claims.lua"
    text = granting.read_text()
    assert text.count("cmsgpack.pack({ v = FORMAT,") == 1
    granting.write_text(text.replace("cmsgpack.pack({ v = FORMAT,", "cmsgpack.pack({ v = FORMAT, added = { 'x' },"))
    return folder


async def _claims(ledger, workers) -> dict[str, list[dict[str, object]]]:
    """What is on the books for each worker's process."""
    books = await ledger.redis.hgetall(ledger.keys.claimed("default"))
    return {
        name: [
            msgpack.unpackb(packed) for claim, packed in books.items() if f"-{worker.process.pid}-".encode() in claim
        ]
        for name, worker in workers.items()
    }
