"""A rolling upgrade: workers of two versions at once."""

import shutil
import signal
from collections import Counter
from itertools import chain
from pathlib import Path

import msgpack
import pytest

from cancellist.jobs.ledger import accounts as ledger_accounts
from cancellist.jobs.ledger import control, records
from cancellist.jobs.ledger.core import READS
from cancellist.jobs.model import JobState
from tests.contract.format import recorded
from tests.support.stage import ROOT, Stage, agrees, all_results, ended, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance


async def test_workers_of_two_versions_drain_one_job_and_the_older_takes_over_from_the_newer(
    valkey_stage: Stage, tmp_path: Path
) -> None:
    stage = valkey_stage
    stage.settings |= {"lease_seconds": "2", "call_timeout": "2"}
    workers = {"older": stage.worker(), "newer": stage.worker(source=a_later_version(tmp_path / "later"))}
    references = stage.platform.references(5_000)
    stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 300})
    async with stage.ledger() as ledger:
        await until(lambda: ledger_accounts.gate(ledger, "default"), lambda gate: gate.workers == 2, 30)
        job = await submit(ledger, references)
        held = await until(lambda: _claims(ledger, workers), lambda held: all(held.values()), 30)
        assert {name: {"added" in claim for claim in claims} for name, claims in held.items()} == {
            "older": {False},
            "newer": {True},
        }
        workers["newer"].end(signal.SIGKILL)
        stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
        await ended(ledger, job, 30)
        await agrees(stage, ledger, job, references, maybe=True)
        assert await ledger.redis.hvals(ledger.keys.claimed("default")) == []
    assert workers["older"].end() == 0


@pytest.mark.parametrize("number", sorted(READS))
async def test_a_worker_drains_what_a_format_has_written(valkey_stage: Stage, number: int) -> None:
    stage = valkey_stage
    expected, commands = recorded.load(number)
    accounts = {f"accounts__{name}__api_url": stage.platform.url for name in ("paused", "broken")}
    async with stage.ledger() as ledger:
        await ledger.redis.flushall()
        await recorded.replay(ledger.redis, commands)
        await control.resume_account(ledger, "paused", 100)
        for job in await records.unfinished(ledger):
            if job.state is JobState.PAUSED:
                await control.resume_job(ledger, job.id, 100)
        # What is recorded is old by now, and would be trimmed as soon as all has ended.
        worker = stage.worker(results_keep="9999d", jobs_keep="9999d", call_timeout=1, **accounts)
        await until(lambda: ledger.redis.xlen(ledger.keys.intake), lambda entries: not entries, 30)
        await until(lambda: records.unfinished(ledger), lambda jobs: not jobs, 30)
        found = {job.id: await all_results(ledger, job.id) for job in await records.newest(ledger, 100)}
        assert set(await ledger.redis.hvals(ledger.keys.totals)) == {b"0"}
    assert Counter(r.reference for results in found.values() for r in results) == Counter(chain(*expected.values()))
    for job, texts in expected.items():
        assert job == "entries" or Counter(r.reference for r in found[job]) == Counter(texts)
    assert worker.end() == 0


def a_later_version(folder: Path) -> Path:
    """A copy of the sources of which every script has another digest, and which notes more in its claims."""
    shutil.copytree(ROOT / "cancellist", folder / "cancellist", ignore=shutil.ignore_patterns("__pycache__"))
    lua = folder / "cancellist" / "jobs" / "ledger" / "scripts" / "lua"
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
