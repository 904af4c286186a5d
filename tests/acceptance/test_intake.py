"""The intake stream with real workers: any system enqueues with one XADD."""

import json
import signal

import pytest

from cancellist.jobs.ledger import records
from cancellist.jobs.model import Outcome
from tests.support.stage import LEASE_S, Stage, all_results, ended
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance
INTAKE = "cancellist:intake"


async def test_entries_of_every_size_become_jobs_and_malformed_ones_are_answered(stage: Stage) -> None:
    references = stage.platform.references(6_000)
    worker = stage.worker()
    async with stage.ledger() as ledger:
        small = [references[n : n + 1] for n in range(300)]
        for n, batch in enumerate(small):
            await ledger.redis.xadd(INTAKE, {"references": batch[0], "reason": f"recall {n}"})
        await ledger.redis.xadd(INTAKE, {"references": json.dumps(references[300:]), "priority": "urgent"})
        await ledger.redis.xadd(INTAKE, {"references": references[0], "priorty": "urgent"})
        await ledger.redis.xadd(INTAKE, {"references": "not one\n" + references[1]})
        jobs = await until(lambda: records.newest(ledger, 400), lambda found: len(found) == 302, 30)
        jobs = [await ended(ledger, job.id, 30) for job in jobs]
        assert sum(job.total for job in jobs) == 300 + 5_700 + 2
        assert all(job.intake_entry for job in jobs)
        rejected = await ledger.redis.xrange("cancellist:intake:rejected")
        assert [row[b"reason"][:13] for _, row in rejected] == [b"unknown field"]
        assert await ledger.redis.xlen(INTAKE) == 0
    assert worker.end() == 0


async def test_many_single_references_share_calls(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(1_000)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        await until(lambda: ledger.redis.exists(INTAKE), bool, 30)
        pipe = ledger.redis.pipeline(transaction=False)
        for reference in references:
            pipe.xadd(INTAKE, {"references": reference})
        await pipe.execute()
        await until(lambda: ledger.redis.xlen("cancellist:results"), lambda n: n == 1_000, 30)
        assert valkey_stage.platform.get("/sandbox/stats")["calls"]["cancellist"] <= 15
    assert worker.end() == 0


async def test_an_entry_whose_reader_died_is_taken_over_and_makes_one_job(valkey_stage: Stage) -> None:
    reference = valkey_stage.platform.references(1)[0]
    async with valkey_stage.ledger() as ledger:
        await ledger.redis.xgroup_create(INTAKE, "cancellist", id="0", mkstream=True)
        await ledger.redis.xadd(INTAKE, {"references": reference})
        taken = await ledger.redis.xreadgroup("cancellist", "dead", {INTAKE: ">"}, count=1)
        assert taken
        worker = valkey_stage.worker()
        jobs = await until(lambda: records.newest(ledger), bool, LEASE_S + 10)
        await ended(ledger, jobs[0].id, 30)
        assert [r.outcome for r in await all_results(ledger, jobs[0].id)] == [Outcome.CANCELLED]
        assert len(await records.newest(ledger)) == 1
    assert worker.end(signal.SIGINT) == 0


@pytest.mark.timed
async def test_an_entry_wakes_an_idle_worker(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 0})
    references = valkey_stage.platform.references(20)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        await until(lambda: ledger.redis.exists(INTAKE), bool, 10)
        for n, reference in enumerate(references):
            await ledger.redis.xadd(INTAKE, {"references": reference})
            await until(lambda: ledger.redis.xlen("cancellist:results"), lambda count, n=n: count == n + 1, 0.9)
    assert worker.end() == 0
