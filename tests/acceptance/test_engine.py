"""The main job with real processes, through what happens to them."""

import asyncio
import signal
import time

import pytest

from cancellist.jobs.ledger import accounts, changes, control, records
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.model import JobRequest, JobState, Outcome, Priority
from tests.support.stage import LEASE_S, Stage, agrees, all_results, ended, log_lines, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance


async def test_two_workers_drain_25_000_references_and_every_result_is_true(stage: Stage) -> None:
    references = stage.platform.references(24_900, unknown=100)
    workers = [stage.worker(), stage.worker(command=("cli", "worker"))]
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 60)
        outcomes = await agrees(stage, ledger, job, references)
    assert set(outcomes) == {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED, Outcome.MANIFESTED, Outcome.NOT_FOUND}
    assert stage.platform.get("/sandbox/stats")["peak_in_flight"] <= 8
    assert [worker.end() for worker in workers] == [0, 0]


@pytest.mark.parametrize("count", [1, 99, 100, 101])
async def test_a_job_of_any_size_is_drained(valkey_stage: Stage, count: int) -> None:
    references = valkey_stage.platform.references(count)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)  # before the worker: a burst ends where it finds nothing
        worker = valkey_stage.worker(command=("arq", "cancellist.worker.main.WorkerSettings", "--burst"))
        await ended(ledger, job, 30)
        await agrees(valkey_stage, ledger, job, references)
        assert worker.process.wait(20) == 0


async def test_sigterm_in_mid_drain_finishes_calls_and_burns_no_attempt(valkey_stage: Stage) -> None:
    _slow_down(valkey_stage)
    references = valkey_stage.platform.references(10_000)
    first = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 2_000)
        assert first.end(signal.SIGTERM) == 0
        record = await records.get(ledger, job)
        assert record.in_flight == 0
        assert record.pending > 0
        _slow_down(valkey_stage, 20)
        second = valkey_stage.worker()
        await ended(ledger, job, 40)
        await agrees(valkey_stage, ledger, job, references)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert second.end(signal.SIGINT) == 0


@pytest.mark.timed
@pytest.mark.takes(20)
async def test_kill_9_in_mid_drain_loses_nothing_and_is_taken_over_within_the_lease(stage: Stage) -> None:
    _slow_down(stage)
    references = stage.platform.references(25_000)
    first, second = stage.worker(), stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 3_000)
        _slow_down(stage, 500)
        await until(lambda: _claims_of(ledger, first), bool, 10)
        first.end(signal.SIGKILL)
        died = time.monotonic()
        held = await _claims_of(ledger, first)
        assert held
        await until(lambda: _claims_of(ledger, first), lambda claims: not claims, LEASE_S + 1)
        assert time.monotonic() - died <= LEASE_S + 1
        _slow_down(stage, 5)
        await ended(ledger, job, 60)
        await agrees(stage, ledger, job, references, maybe=True)
    assert second.end() == 0


async def test_the_server_killed_and_restarted_in_mid_drain_loses_nothing(stage: Stage) -> None:
    references = stage.platform.references(20_000)
    workers = [stage.worker(), stage.worker()]
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 3_000)
        stage.server.kill()
        stage.server.restart()
    async with stage.ledger() as ledger:
        await ended(ledger, job, 60)
        await agrees(stage, ledger, job, references)
    assert [worker.end() for worker in workers] == [0, 0]
    assert not [line for worker in workers for line in log_lines(worker) if "taken over" in line["event"]]


@pytest.mark.takes(25)
async def test_a_server_away_for_15_s_costs_no_live_worker_its_claims(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(8_000)
    workers = [valkey_stage.worker(), valkey_stage.worker()]
    async with valkey_stage.ledger() as ledger:
        await until(lambda: accounts.gate(ledger, "default"), lambda gate: gate.workers == 2, 30)
        job = await submit(ledger, references)
        await settled(ledger, job, 1_000)
    valkey_stage.server.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(15)  # five leases: time itself is what costs claims
    valkey_stage.server.process.send_signal(signal.SIGCONT)
    async with valkey_stage.ledger() as ledger:
        await ended(ledger, job, 40)
        await agrees(valkey_stage, ledger, job, references)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert [worker.end() for worker in workers] == [0, 0]
    assert not [line for worker in workers for line in log_lines(worker) if "taken over" in line["event"]]


@pytest.mark.timed
async def test_after_pause_no_call_starts_later_than_half_a_second_and_resume_goes_on(valkey_stage: Stage) -> None:
    _slow_down(valkey_stage)
    references = valkey_stage.platform.references(5_000)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 1_000)
        await control.pause_job(ledger, job)
        answered = time.time()
        record = await until(lambda: records.get(ledger, job), lambda r: r.in_flight == 0, 5)
        assert record.state is JobState.PAUSED
        assert _latest_start(valkey_stage) <= answered + 0.5
        _slow_down(valkey_stage, 10)
        await control.resume_job(ledger, job, 100)
        await ended(ledger, job, 30)
        await agrees(valkey_stage, ledger, job, references)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert worker.end() == 0


@pytest.mark.timed
async def test_abort_with_calls_staged_and_in_flight_aborts_what_was_never_sent(valkey_stage: Stage) -> None:
    _slow_down(valkey_stage)
    references = valkey_stage.platform.references(20_000)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 1_000)
        await control.abort_job(ledger, job)
        answered = time.time()
        record = await ended(ledger, job, 15)
        assert record.state is JobState.ABORTED
        assert _latest_start(valkey_stage) <= answered + 0.5
        outcomes = await agrees(valkey_stage, ledger, job, references, also=frozenset({Outcome.ABORTED}))
        assert outcomes[Outcome.ABORTED] > 10_000
        assert outcomes[Outcome.CANCELLED] > 500
    assert worker.end() == 0


async def test_two_jobs_that_share_references_each_get_their_own_true_results(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(3_000)
    async with valkey_stage.ledger() as ledger:
        one = await submit(ledger, references[:2_000])
        two = await submit(ledger, references[1_000:])
        worker = valkey_stage.worker()
        await ended(ledger, one, 40)
        await ended(ledger, two, 40)
        first = {r.reference: r.outcome for r in await all_results(ledger, one)}
        second = {r.reference: r.outcome for r in await all_results(ledger, two)}
        record = valkey_stage.platform.record(references)
    assert set(first) == set(references[:2_000])
    assert set(second) == set(references[1_000:])
    done = {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED}
    for reference in references:
        said = {outcomes[reference] for outcomes in (first, second) if reference in outcomes}
        if record[reference]["cancelled_by_call"] is not None:
            assert Outcome.CANCELLED in said, reference
            assert said <= done
        elif record[reference]["state"] == "Cancelled":
            assert said == {Outcome.ALREADY_CANCELLED}
        else:
            assert said == {Outcome.MANIFESTED}
    assert valkey_stage.platform.get("/sandbox/stats")["duplicates_in_lists"] == 0
    assert worker.end() == 0


async def test_an_urgent_job_overtakes_a_backlog(valkey_stage: Stage) -> None:
    _slow_down(valkey_stage)
    references = valkey_stage.platform.references(30_050)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        backlog = await submit(ledger, references[50:])
        await settled(ledger, backlog, 1_000)
        urgent = await submit(ledger, references[:50], JobRequest(priority=Priority.URGENT))
        await ended(ledger, urgent, 30)
        assert (await records.get(ledger, backlog)).pending > 10_000
        _slow_down(valkey_stage, 20)
        await control.abort_job(ledger, backlog)
        await ended(ledger, backlog, 30)
    assert worker.end() == 0


async def test_a_bulk_job_that_is_made_urgent_overtakes_and_a_nearer_deadline_ends_the_backlog(
    valkey_stage: Stage,
) -> None:
    _slow_down(valkey_stage)
    references = valkey_stage.platform.open_references(31_000)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        bulk = await submit(ledger, references[:5_000], JobRequest(priority=Priority.BULK))
        await settled(ledger, bulk, 1)
        backlog = await submit(ledger, references[5_000:])
        await settled(ledger, backlog, 500)
        assert (await records.get(ledger, bulk)).pending > 1_000
        await changes.update(ledger, bulk, Change(Priority.URGENT))
        await ended(ledger, bulk, 30)
        assert (await records.get(ledger, backlog)).pending > 10_000
        await changes.update(ledger, backlog, Change(deadline="+0.2s"))
        record = await ended(ledger, backlog, 30)
        assert record.outcomes[Outcome.EXPIRED] > 10_000
        await agrees(valkey_stage, ledger, bulk, references[:5_000])
        await agrees(valkey_stage, ledger, backlog, references[5_000:], also=frozenset({Outcome.EXPIRED}))
    assert worker.end() == 0


def _slow_down(stage: Stage, latency_ms: int = 300) -> None:
    """Has a call take so long that a job of thousands is under way for seconds, however late the test looks."""
    stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": latency_ms})


async def _claims_of(ledger, worker) -> list[str]:
    """Claims on the books that a worker process holds."""
    claims = await ledger.redis.zrange("cancellist:account:default:claims", 0, -1)
    return [c.decode() for c in claims if f"-{worker.process.pid}-" in c.decode()]


def _latest_start(stage: Stage) -> float:
    """When the platform saw its last cancelling call begin."""
    return max(call["started_at"] for call in stage.platform.calls() if call["endpoint"] == "cancellist")
