"""What the platform sees: never a call more than is allowed, over all workers together."""

import signal
from itertools import pairwise

import pytest

from cancellist.jobs.ledger import accounts, records
from cancellist.jobs.model import Outcome
from tests.support.stage import Stage, agrees, all_results, ended, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance


@pytest.mark.takes(35)
async def test_four_workers_never_pass_the_limit_through_start_kills_and_takeovers(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
    references = valkey_stage.platform.references(9_000)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        workers = [valkey_stage.worker() for _ in range(4)]
        for n in range(3):
            await settled(ledger, job, 1_500 * (n + 1))
            workers[n].end(signal.SIGKILL)
            workers.append(valkey_stage.worker())
        await ended(ledger, job, 60)
        await agrees(valkey_stage, ledger, job, references, maybe=True)
    stats = valkey_stage.platform.get("/sandbox/stats")
    assert 6 <= stats["peak_in_flight"] <= 8
    closed = [call for call in valkey_stage.platform.calls() if call["status"] is None]
    assert closed  # calls were in flight as their worker was killed
    assert [worker.end() for worker in workers[3:]] == [0] * 4


@pytest.mark.timed
async def test_calls_a_second_obey_the_rate_over_two_workers(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(8_000)
    workers = [valkey_stage.worker(max_calls_per_second=25) for _ in range(2)]
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 3_500)
        record = await records.get(ledger, job)
        assert record.started_at_ms
    starts = sorted(call["started_at"] for call in valkey_stage.platform.calls())
    assert len(starts) >= 60
    busiest = max(sum(at <= other < at + 1 for other in starts) for at in starts)
    assert 20 <= busiest <= 28
    assert max(later - sooner for sooner, later in pairwise(starts)) < 1
    assert [worker.end() for worker in workers] == [0, 0]


async def test_a_refused_key_burns_nothing_and_a_mended_one_drains_all(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(500)
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"api_key": "right"})
    worker = valkey_stage.worker(api_key="wrong-and-secret")
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        gate = await until(lambda: accounts.gate(ledger, "default"), lambda g: bool(g.breaker), 30)
        assert gate.breaker
        assert "CANCELLIST_API_KEY" in gate.breaker.why
        assert worker.end() == 0
        record = await records.get(ledger, job)
        assert (record.pending, record.in_flight, record.settled) == (500, 0, 0)
        second = valkey_stage.worker(api_key="right")
        await ended(ledger, job, 20)
        assert {r.outcome for r in await all_results(ledger, job)} >= {Outcome.CANCELLED}
        keys = [key async for key in ledger.redis.scan_iter()]
    assert second.end() == 0
    assert keys
    assert "wrong-and-secret" not in worker.log.read_text()


async def test_allocated_consignments_are_deallocated_first_where_the_account_wants_that(valkey_stage: Stage) -> None:
    wanted = {"deallocate_first": True, "faults": {"deallocate:503-before": 0.1}}
    valkey_stage.platform.send("PUT", "/sandbox/settings", wanted)
    references = valkey_stage.platform.references(1_000)
    worker = valkey_stage.worker(deallocate_first=True)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 30)
        outcomes = await agrees(valkey_stage, ledger, job, references)
    assert outcomes[Outcome.CANCELLED] > 900
    assert worker.end() == 0


async def test_a_wrong_base_path_burns_nothing_and_says_what_to_check(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(300)
    worker = valkey_stage.worker(api_url=valkey_stage.platform.url + "/v2")
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        gate = await until(lambda: accounts.gate(ledger, "default"), lambda g: bool(g.breaker), 30)
        assert gate.breaker
        assert "CANCELLIST_API_URL" in gate.breaker.why
        assert worker.end() == 0
        record = await records.get(ledger, job)
        assert (record.pending, record.settled) == (300, 0)
        second = valkey_stage.worker()
        await ended(ledger, job, 20)
        await agrees(valkey_stage, ledger, job, references)
    assert second.end() == 0


@pytest.mark.parametrize(
    "fault", ["503-before", "503-after", "429-after", "close-after", "timeout-after", "half-list", "huge"]
)
async def test_whole_call_failures_are_retried_and_every_result_is_true(valkey_stage: Stage, fault: str) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": {fault: 0.2}, "latency_ms": 2})
    references = valkey_stage.platform.references(3_000)
    worker = valkey_stage.worker(call_timeout=1, retry_cap=1)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 60)
        outcomes = await agrees(valkey_stage, ledger, job, references, maybe=True)
    assert outcomes[Outcome.CANCELLED] > 2_000
    assert worker.end() == 0


@pytest.mark.timed
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_retry_after_holds_the_whole_account(valkey_stage: Stage, as_date: bool) -> None:
    references = valkey_stage.platform.references(4_000)
    workers = [valkey_stage.worker() for _ in range(2)]
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 1_000)
        overload = {"faults": {"429-before": 1.0}, "retry_after_s": 3, "retry_after_date": as_date}
        valkey_stage.platform.send("PUT", "/sandbox/settings", overload)
        await until(lambda: _refused(valkey_stage), bool, 5)
        await until(lambda: records.get(ledger, job), lambda r: r.in_flight == 0, 2)
        refused = await _refused(valkey_stage)
        valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": {}})
        record = await ended(ledger, job, 30)
        assert {r.attempts for r in await all_results(ledger, job)} <= {1, 2, 3}
    assert record.outcomes[Outcome.CANCELLED] > 3_500
    told = max(call["started_at"] for call in refused)
    calls = valkey_stage.platform.calls()
    resumed = min(call["started_at"] for call in calls if call["started_at"] > told + 0.3)  # beside it were others
    assert resumed >= told + (1.5 if as_date else 2.9)
    assert sum(call["status"] == 429 for call in calls) <= 16
    assert [worker.end() for worker in workers] == [0, 0]


async def _refused(stage: Stage) -> list[dict[str, object]]:
    return [call for call in stage.platform.calls() if call["status"] == 429]
