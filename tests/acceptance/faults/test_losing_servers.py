"""Where the server itself loses data: the loss stays within its window, nothing hangs, submitting again ends true."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from cancellist.jobs.errors import UnknownJobError
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from tests.acceptance.faults.harness.sentinels import watched
from tests.acceptance.faults.harness.system import SETTINGS, Rig, rigged, statuses
from tests.acceptance.faults.harness.workers import steadily
from tests.support.servers import KINDS
from tests.support.stage import Stage, agrees, all_results, ended, log_lines, platform, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

WINDOW_MS = 2_000
"""How much a server may roll back, as ARCHITECTURE.md says."""
STAGED_FOR_S = 0.5
"""What is staged starts only on word of the gate that is no older than 0.4 s."""


async def ends_true(stage: Stage, ledger: Ledger, references: Sequence[str]) -> None:
    """Submits again, and checks that every result is true of a consignment that a lost job may have cancelled."""
    job = await steadily(lambda: submit(ledger, references))
    await ended(ledger, job, 30)
    await agrees(stage, ledger, job, references, maybe=True, twice=True)


async def test_claims_that_an_emptied_server_does_not_know_are_dropped_unsent(valkey_rig: Rig) -> None:
    rig = valkey_rig
    references = rig.platform.references(8_000)
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 400})
    workers = [rig.worker(), rig.worker()]
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 1_600)
        rig.server.kill()
        rig.server.restart(empty=True)
        emptied_at = time.time()
        with pytest.raises(UnknownJobError):
            await records.get(ledger, job)
        calls = await until(lambda: _running(rig), lambda running: running == 0, 30)
        assert calls == 0
        late = [call for call in rig.platform.calls() if call["started_at"] > emptied_at + STAGED_FOR_S]
        assert not late, "what was staged was sent though the server does not know it"
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
        await ends_true(rig, ledger, references)
        entry = {"references": references[0]}
        await until(lambda: ledger.redis.exists("cancellist:intake"), bool, 30)
        await ledger.redis.xadd("cancellist:intake", entry)
        await until(lambda: ledger.redis.xlen("cancellist:intake"), lambda left: left == 0, 30)
        assert int(await ledger.redis.get("cancellist:format")) == 1
    assert statuses(workers) == [0, 0]
    assert not [line for worker in workers for line in log_lines(worker) if line["level"] == "error"]


async def test_what_a_server_rolls_back_with_everysec_is_settled_again_and_true(tmp_path: Path) -> None:
    with rigged("valkey", tmp_path, fsync="everysec") as rig:
        references = rig.platform.references(12_000)
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
        worker = rig.worker()
        async with rig.ledger() as ledger:
            job = await submit(ledger, references)
            await settled(ledger, job, 2_000)
            (file,) = (rig.server.folder / "appendonlydir").glob("*.incr.aof")
            written = file.stat().st_size  # the last that was written to the disk, which is at most two seconds behind
            at_least = (await records.get(ledger, job)).settled - 800
            await settled(ledger, job, 6_000)
            before = (await records.get(ledger, job)).settled
            entries = await _entries(ledger)
            rig.server.kill()
            with file.open("r+b") as aof:  # as a crash of the machine would
                aof.truncate(written - 7)
            rig.server.restart()
            lost_at = (await records.get(ledger, job)).settled
            kept = await _entries(ledger)
            assert at_least <= lost_at < before
            _lost_within_the_window(entries, kept)
            rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 2})
            await ended(ledger, job, 120)  # what was lost is read, one by one: some 5,000 reads, 350 a second at best
            await agrees(rig, ledger, job, references, maybe=True, twice=True)
        assert statuses([worker]) == [0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.takes(35)
async def test_a_failover_to_a_replica_that_lags_is_survived_and_every_result_is_true(
    kind: str, tmp_path: Path
) -> None:
    with (
        watched(kind, tmp_path) as both,
        platform(tmp_path, latency_ms=100) as world,
        Stage(both.servers[0], world, tmp_path, {**SETTINGS, "redis_url": both.url}) as stage,
    ):
        references = world.references(20_000)
        workers = [stage.worker(), stage.worker()]
        async with stage.ledger() as ledger:
            job = await submit(ledger, references)
            await settled(ledger, job, 3_000)
            both.cut_replica_off()
            await settled(ledger, job, 8_000)
            entries = await _entries(ledger)
        both.servers[0].kill()
        await until(lambda: asyncio.to_thread(both.primary), lambda port: port == both.ports[1], 30)
        stage.server = both.servers[1]
        async with stage.ledger() as ledger:
            _lost_within_the_window(entries, await _entries(ledger))
            world.send("PUT", "/sandbox/settings", {"latency_ms": 2})  # what is left is mostly read, one by one
            await ended(ledger, job, 120)
            found = Counter(r.reference for r in await all_results(ledger, job))
            assert found == Counter(references)
            await agrees(stage, ledger, job, references, maybe=True, twice=True)
        assert statuses(workers) == [0, 0]


async def _entries(ledger: Ledger) -> set[tuple[bytes, bytes]]:
    """Every result that the server has: its entry's id, and its reference."""
    return {(entry, fields[b"reference"]) for entry, fields in await ledger.redis.xrange("cancellist:results")}


def _lost_within_the_window(before: set[tuple[bytes, bytes]], after: set[tuple[bytes, bytes]]) -> None:
    """Checks that some results were rolled back, and none that was older than the window when the server went."""
    times = [int(entry.partition(b"-")[0]) for entry, _ in before - after]
    assert times, "nothing was lost: this has shown nothing"
    assert max(int(entry.partition(b"-")[0]) for entry, _ in before) - min(times) <= WINDOW_MS


async def _running(rig: Rig) -> int:
    return int(rig.platform.get("/sandbox/stats")["in_flight"])
