"""The canary with real workers: no call names anything else until each of its references was read back."""

import signal
from pathlib import Path

import pytest

from cancellist.jobs.ledger import control, drains, records
from cancellist.jobs.model import JobRequest, JobState, Outcome
from cancellist.jobs.safety.failure_stop import HaltCause, HaltPlace, halt_of
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, agrees, all_results, ended, platform, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

COUNT, CANARY, LIST = 2_000, 20, 50


def stage_of(server, world, folder, **settings):
    usual = {"max_references_per_call": LIST, "lease_seconds": LEASE_S, "call_timeout": 1, "retry_cap": 0.3}
    return Stage(server, world, folder, {name: str(value) for name, value in (usual | settings).items()})


def cancelled(stage: Stage, references: list[str]) -> set[str]:
    return {name for name, found in stage.platform.record(references).items() if found["state"] == "Cancelled"}


@pytest.mark.takes(8)
async def test_the_rest_follows_a_canary_that_was_read_back_though_a_worker_is_killed(tmp_path: Path) -> None:
    with (
        running("valkey", tmp_path) as server,
        platform(tmp_path, latency_ms=400, consignments=5_000) as world,
        stage_of(server, world, tmp_path, max_concurrent_calls=2) as stage,  # its canary takes seconds to be read back
    ):
        stage.worker()
        stage.worker()
        references = stage.platform.open_references(COUNT)
        async with stage.ledger() as ledger:
            job = await submit(ledger, references, JobRequest(canary=CANARY, max_refused="50%"))
            await until(lambda: records.get(ledger, job), lambda r: r.settled >= 3, 30)
            stage.workers[0].end(signal.SIGKILL)
            before = await records.get(ledger, job)
            done = cancelled(stage, references)
            world.send("PUT", "/sandbox/settings", {"latency_ms": 20})
            stage.worker()
            assert before.canary
            assert before.canary.under_way
            assert 0 < len(done) <= CANARY
            await ended(ledger, job, 60)
            after = await records.get(ledger, job)
            assert after.canary
            assert after.canary.passed_at_ms
            await agrees(stage, ledger, job, references)
            first = (await all_results(ledger, job))[:CANARY]
            assert [r.state for r in first if r.outcome is Outcome.CANCELLED] == ["Cancelled"] * len(done)


@pytest.mark.takes(10)
async def test_a_platform_that_confirms_and_does_not_show_it_halts_the_job_after_its_canary(tmp_path: Path) -> None:
    with (
        running("valkey", tmp_path) as server,
        platform(tmp_path, latency_ms=5, consignments=5_000, fault="reads:state-unknown=1.0") as world,
        stage_of(server, world, tmp_path, max_attempts=3, canary=CANARY, canary_above=1_000) as stage,
    ):
        stage.worker()
        references = stage.platform.open_references(COUNT)
        async with stage.ledger() as ledger:
            job = await submit(ledger, references, JobRequest())
            halted = await until(lambda: records.get(ledger, job), lambda r: r.state is JobState.HALTED, 60)
            halt = halt_of(halted)
            assert halt
            assert (halt.cause, halt.place, halt.results) == (HaltCause.UNCONFIRMED, HaltPlace.CANARY, CANARY)
            assert halted.pending == COUNT - CANARY
            assert len(cancelled(stage, references)) == CANARY
            _, names = await control.continue_job(ledger, job, LIST)
            await drains.schedule(ledger, "default", names)
            await ended(ledger, job, 60)
            assert len(await all_results(ledger, job)) == COUNT
