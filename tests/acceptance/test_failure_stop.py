"""The failure stop with real workers: at the halt not one more call starts, and the count is exact."""

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from cancellist.jobs.ledger import control, drains, records
from cancellist.jobs.model import REFUSED, JobRequest, JobState, Outcome
from cancellist.jobs.safety.failure_stop import halt_of
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, agrees, all_results, ended, platform, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

SEEDS = int(os.environ.get("FAILURE_STOP_SEEDS", "2"))
LIMIT, LIST, CALLS = 50, 20, 8
ON_ITS_WAY_MS = 50
"""A call that was allowed before the halt has arrived at the platform by then."""


@pytest.fixture
def stage(tmp_path: Path):
    with running("valkey", tmp_path) as server, platform(tmp_path, latency_ms=20, consignments=20_000) as world:
        settings = {
            "max_concurrent_calls": CALLS, "max_references_per_call": LIST, "lease_seconds": LEASE_S, "call_timeout": 1,
        }  # fmt: skip
        with Stage(server, world, tmp_path, {name: str(value) for name, value in settings.items()}) as made:
            yield made


@pytest.mark.timed
@pytest.mark.takes(15)
@pytest.mark.parametrize("seed", [random.randrange(2**32) for _ in range(SEEDS)] if SEEDS > 2 else [1, 2])
async def test_at_the_halt_no_call_starts_and_the_count_is_exact_though_workers_are_killed(
    stage: Stage, seed: int
) -> None:
    chance = random.Random(seed)
    stage.worker()
    stage.worker()
    references = stage.platform.references(6_000)
    async with stage.ledger() as ledger:
        job = await submit(ledger, references, JobRequest(max_refused=str(LIMIT)))
        await until(lambda: records.get(ledger, job), lambda r: r.settled > chance.randrange(300), 30)
        stage.workers[chance.randrange(2)].end(signal.SIGKILL)
        stage.worker()
        halted = await until(lambda: records.get(ledger, job), lambda r: r.state is JobState.HALTED, 60, every_s=0.002)
        if chance.random() < 0.5:
            stage.workers[-1].end(signal.SIGKILL)
            stage.worker()
        halt = halt_of(halted)
        assert halt
        assert halt.found > LIMIT
        quiet = await until(lambda: records.get(ledger, job), lambda r: r.in_flight == 0, LEASE_S + 10)
        await asyncio.sleep(0.5)  # for longer than any worker goes by what it knows of the gate
        late = [c for c in stage.platform.calls() if c["started_at"] * 1000 > halt.at_ms + ON_ITS_WAY_MS]
        assert not late
        counts = Counter(result.outcome for result in await all_results(ledger, job))
        quiet = await records.get(ledger, job)
        assert counts == quiet.outcomes
        refused = sum(quiet.outcomes.get(outcome, 0) for outcome in REFUSED)
        assert LIMIT < refused <= LIMIT + CALLS * LIST
        assert quiet.state is JobState.HALTED
        while (await records.get(ledger, job)).state is not JobState.COMPLETED:
            _, names = await control.continue_job(ledger, job, LIST)
            await drains.schedule(ledger, "default", names)
            await until(
                lambda: records.get(ledger, job),
                lambda r: r.state in {JobState.HALTED, JobState.COMPLETED} and r.in_flight == 0,
                60,
            )
        await ended(ledger, job, 5)
        outcomes = await agrees(stage, ledger, job, references, maybe=True, also=frozenset({Outcome.UNCONFIRMED}))
        assert outcomes[Outcome.MANIFESTED] > LIMIT
