"""Flow control with real processes: as fast as the platform allows, and never faster."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cancellist.jobs.ledger import accounts, control, flow_state, records
from cancellist.jobs.ledger.flow_state import Move
from cancellist.jobs.model import JobRequest, Priority
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, agrees, ended, log_lines, platform, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

LATENCY_S = 0.1
PHASES = (4, 12, 4)
PHASE_S, SETTLING_S = 30, 10
CEILING, PER_CALL = 32, 5
EFFICIENCY, MOST_REFUSED = 0.85, 0.03
RATE, LEARNING_S, PACED_S, RATE_EFFICIENCY = 20, 15.0, 20.0, 0.9


@contextmanager
def a_stage(folder: Path, **options: object) -> Iterator[Stage]:
    with running("valkey", folder) as server, platform(folder, **options) as world:
        settings = {"lease_seconds": str(LEASE_S), "call_timeout": "5"}
        with Stage(server, world, folder, settings) as stage:
            yield stage


async def phases_played(stage: Stage, workers: int) -> list[Counter[int]]:
    """Answers by status in the counted part of each phase, with so many workers."""
    total = round(sum(capacity * PHASE_S / LATENCY_S for capacity in PHASES)) * PER_CALL
    for _ in range(workers):
        stage.worker(max_concurrent_calls=CEILING, max_references_per_call=PER_CALL)
    answers = []
    async with stage.ledger() as ledger:
        job = await submit(ledger, stage.platform.references(total))
        await settled(ledger, job, 1)
        for capacity in PHASES:
            stage.platform.send("PUT", "/sandbox/settings", {"capacity": capacity})
            began = time.time()
            await asyncio.sleep(PHASE_S)  # the span in which calls are counted
            counted = [
                c for c in stage.platform.calls() if began + SETTLING_S <= c["started_at"] < began + PHASE_S - 0.2
            ]
            answers.append(Counter(call["status"] for call in counted))
        await control.abort_job(ledger, job)
        await ended(ledger, job, 30)
    return answers


@pytest.mark.timed
@pytest.mark.takes(110)
async def test_the_capacity_is_found_and_followed_by_one_worker_and_by_three(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stages = [
            stack.enter_context(
                a_stage(tmp_path / str(n), consignments=200_000, latency_ms=LATENCY_S * 1000, capacity=4)
            )
            for n in (1, 3)
        ]
        played = await asyncio.gather(*(phases_played(stage, n) for stage, n in zip(stages, (1, 3), strict=True)))
        for answers in played:
            for capacity, seen in zip(PHASES, answers, strict=True):
                oracle = capacity / LATENCY_S * (PHASE_S - SETTLING_S - 0.2)
                assert seen[200] >= EFFICIENCY * oracle, (capacity, seen, oracle)
                assert seen[429] <= MOST_REFUSED * seen.total(), (capacity, seen)
        assert [w.end() for stage in stages for w in stage.workers] == [0] * 4


async def paced(stage: Stage, workers: int) -> Counter[int]:
    """Answers by status while so many workers go at a rate that they have had time to learn."""
    for _ in range(workers):
        stage.worker(max_concurrent_calls=16, max_references_per_call=PER_CALL)
    async with stage.ledger() as ledger:
        job = await submit(ledger, stage.platform.references(2 * RATE * round(LEARNING_S + PACED_S) * PER_CALL))
        await settled(ledger, job, 1)
        began = time.time() + LEARNING_S
        await asyncio.sleep(LEARNING_S + PACED_S + 0.2)  # the span in which answers are counted
        await control.abort_job(ledger, job)
        await ended(ledger, job, 30)
    counted = [c for c in stage.platform.calls() if began <= c["started_at"] < began + PACED_S]
    return Counter(call["status"] for call in counted)


@pytest.mark.timed
@pytest.mark.takes(45)
async def test_a_rate_is_learnt_and_used_whether_the_platform_tells_how_long_to_wait_or_not(tmp_path: Path) -> None:
    platforms = ({"retry_after_s": 1}, {"retry_after_s": 1}, {})
    with ExitStack() as stack:
        stages = [
            stack.enter_context(a_stage(tmp_path / str(n), latency_ms=80, rate=RATE, **told))
            for n, told in enumerate(platforms)
        ]
        for answers in await asyncio.gather(*(paced(stage, n) for stage, n in zip(stages, (1, 3, 1), strict=True))):
            assert answers[200] >= RATE_EFFICIENCY * RATE * PACED_S, answers
            assert answers[429] <= 0.02 * answers.total(), answers


@pytest.mark.timed
async def test_no_window_of_a_second_has_more_than_three_calls_over_the_rate(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=20) as stage:
        workers = [stage.worker(max_calls_per_second=50, max_concurrent_calls=8) for _ in range(3)]
        async with stage.ledger() as ledger:
            # One that still starts takes the processor from the others, so that their calls come late and together.
            await until(lambda: accounts.gate(ledger, "default"), lambda gate: gate.workers == 3, 20)
            job = await submit(ledger, stage.platform.open_references(40_000))
            await settled(ledger, job, 35_000)
            await control.abort_job(ledger, job)
            await ended(ledger, job, 10)
        at = [call["started_at"] for call in stage.platform.calls()]
        busiest = max(sum(1 for other in at[n : n + 80] if other < start + 1) for n, start in enumerate(at))
        assert busiest <= 53
        assert (len(at) - 1) / (at[-1] - at[0]) >= 0.9 * 50
        assert [worker.end() for worker in workers] == [0, 0, 0]


@pytest.mark.timed
async def test_a_wrong_key_costs_a_handful_of_probes_and_burns_nothing_until_it_is_mended(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=20, api_key="right") as stage:
        worker = stage.worker(api_key="wrong", max_concurrent_calls=4)
        references = stage.platform.references(3_000)
        async with stage.ledger() as ledger:
            job = await submit(ledger, references)
            gate = await until(lambda: accounts.gate(ledger, "default"), lambda g: g.breaker is not None, 10)
            assert gate.breaker
            assert "CANCELLIST_API_KEY" in gate.breaker.why
            await asyncio.sleep(8)  # the span in which probes are counted
            calls = stage.platform.calls()
            assert 5 <= len(calls) <= 12
            assert {call["status"] for call in calls} == {401}
            assert (await records.get(ledger, job)).settled == 0
            assert worker.end() == 0
            mended = stage.worker(api_key="right")
            began = time.monotonic()
            await ended(ledger, job, 20)
            assert time.monotonic() - began < 12
            outcomes = await agrees(stage, ledger, job, references)
            assert outcomes.total() == 3_000
            assert (await accounts.gate(ledger, "default")).breaker is None
        assert mended.end() == 0


@pytest.mark.timed
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.takes(25)
async def test_urgent_jobs_behind_a_long_backlog_are_done_within_three_calls_time_whenever_they_come(
    tmp_path: Path, workers: int
) -> None:
    latency_s, moments = 1.0, (0.02, 0.6, 0.02)
    with a_stage(tmp_path, consignments=200_300, latency_ms=latency_s * 1000) as stage:
        started = [stage.worker() for _ in range(workers)]
        references = stage.platform.references(200_200)
        async with stage.ledger() as ledger:
            backlog = await submit(ledger, references[:200_000])
            took = []
            for n, moment in enumerate(moments):
                await settled(ledger, backlog, (await records.get(ledger, backlog)).settled + 1)
                await asyncio.sleep(moment * latency_s)
                began, first = time.monotonic(), 200_000 + 50 * n
                urgent = await submit(ledger, references[first : first + 50], JobRequest(priority=Priority.URGENT))
                await ended(ledger, urgent, 15)
                took.append(time.monotonic() - began)
            assert max(took) <= 3 * latency_s + 0.3, took
            await control.abort_job(ledger, backlog)
            stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})  # each refusal so far has its state read
            await ended(ledger, backlog, 90)
        assert [worker.end() for worker in started] == [0] * workers


async def test_ten_jobs_of_unequal_size_get_equal_turns(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=50) as stage:
        sizes = [1_000 * n for n in range(1, 11)]
        references = stage.platform.references(sum(sizes))
        async with stage.ledger() as ledger:
            jobs = []
            for n, size in enumerate(sizes):
                first = sum(sizes[:n])
                jobs.append(await submit(ledger, references[first : first + size]))
            worker = stage.worker(max_concurrent_calls=5)
            await settled(ledger, jobs[-1], 500)
            await control.pause_account(ledger, "default")
            taken = [(await records.get(ledger, job)) for job in jobs]
            counts = [record.settled + record.in_flight for record in taken]
            assert max(counts) - min(counts) <= 300, counts
            stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})  # what is left only has to end
            await control.resume_account(ledger, "default", 100)
            for job in jobs:
                await ended(ledger, job, 30)
        assert worker.end() == 0


async def test_the_earliest_deadline_goes_first_within_a_class(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=50) as stage:
        references = stage.platform.references(6_000)
        async with stage.ledger() as ledger:
            now_ms = await ledger.now_ms()
            late, none, soon = [
                await submit(ledger, references[n * 2_000 : (n + 1) * 2_000], JobRequest(deadline_ms=deadline))
                for n, deadline in enumerate((now_ms + 7_200_000, None, now_ms + 3_600_000))
            ]
            worker = stage.worker(max_concurrent_calls=4)
            finished = [(await ended(ledger, job, 30)).finished_at_ms for job in (soon, late, none)]
            assert finished == sorted(finished, key=lambda at: at or 0)
        assert worker.end() == 0


@pytest.mark.timed
async def test_after_a_lowered_limit_no_call_above_it_starts_later_than_half_a_second(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=900) as stage:
        workers = [stage.worker(max_concurrent_calls=12) for _ in range(2)]
        async with stage.ledger() as ledger:
            job = await submit(ledger, stage.platform.open_references(20_000))
            await settled(ledger, job, 2_400)
            for _ in range(20):  # a worker may move it in between
                seen = await flow_state.share(ledger, "default")
                assert seen.state
                limiter = replace(seen.state.limiter, limit=2.0, refused_at=3, credit=-200.0)
                step = Move(seen.version, replace(seen.state, limiter=limiter), shut=True)
                if (await flow_state.share(ledger, "default", move=step)).moved:
                    break
            answered = time.time()
            await asyncio.sleep(4)  # the span in which calls are counted
            await control.abort_job(ledger, job)
            await ended(ledger, job, 20)
        calls = stage.platform.calls()
        late = [c for c in calls if c["endpoint"] == "cancellist" and answered + 0.5 < c["started_at"] < answered + 4]
        assert len(late) >= 4
        for call in late:
            beside = [c for c in calls if c["started_s"] <= call["started_s"] < (c["ended_s"] or call["started_s"] + 1)]
            assert len(beside) <= 2, [(c["number"], c["started_at"] - answered) for c in beside]
        assert [worker.end() for worker in workers] == [0, 0]


@pytest.mark.timed
@pytest.mark.takes(20)
async def test_after_the_breaker_has_opened_only_probes_start(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=100) as stage:
        workers = [stage.worker(max_concurrent_calls=8) for _ in range(2)]
        references = stage.platform.references(20_000)
        async with stage.ledger() as ledger:
            job = await submit(ledger, references)
            await settled(ledger, job, 2_000)
            stage.platform.send("PUT", "/sandbox/settings", {"api_key": "another"})
            gate = await until(lambda: accounts.gate(ledger, "default"), lambda g: g.breaker is not None, 5)
            assert gate.breaker
            opened = time.time()
            before = (await records.get(ledger, job)).settled
            await asyncio.sleep(4)  # the span in which only probes may start
            late = [c for c in stage.platform.calls() if c["started_at"] > opened + 0.5]
            assert 1 <= len(late) <= 5
            assert (await records.get(ledger, job)).settled <= before + 8 * 100
            stage.platform.send("PUT", "/sandbox/settings", {"api_key": None, "latency_ms": 5})
            await control.resume_account(ledger, "default", 100)
            await ended(ledger, job, 90)
            await agrees(stage, ledger, job, references)
        told = [
            line["event"] for worker in workers for line in log_lines(worker) if line["event"].startswith("breaker")
        ]
        assert told.count("breaker opened") == told.count("breaker closed") == 1
        assert [worker.end() for worker in workers] == [0, 0]


async def test_a_burst_under_a_wrong_key_ends_with_the_reason_and_burns_nothing(tmp_path: Path) -> None:
    with a_stage(tmp_path, latency_ms=20, api_key="right") as stage:
        async with stage.ledger() as ledger:
            job = await submit(ledger, stage.platform.references(500))
            worker = stage.worker(command=("cli", "worker", "--burst"), api_key="wrong")
            assert worker.process.wait(20) == 1
            assert "CANCELLIST_API_KEY" in worker.log.read_text()
            record = await records.get(ledger, job)
            assert (record.pending, record.in_flight, record.settled) == (500, 0, 0)


@pytest.mark.timed
@pytest.mark.takes(15)
async def test_lists_get_shorter_where_long_ones_are_dear_and_longer_again_once_they_are_not(tmp_path: Path) -> None:
    with a_stage(tmp_path, consignments=230_000, latency_ms=250, per_reference_ms=2, list_knee=25) as stage:
        worker = stage.worker(max_concurrent_calls=16)
        async with stage.ledger() as ledger:
            job = await submit(ledger, stage.platform.open_references(200_000))
            await until(lambda: accounts.gate(ledger, "default"), lambda g: (g.list_size or 100) <= 50, 12)
            stage.platform.send("PUT", "/sandbox/settings", {"list_knee": None})
            await until(lambda: accounts.gate(ledger, "default"), lambda g: g.list_size is None, 20)
            before = len(stage.platform.calls())
            await settled(ledger, job, (await records.get(ledger, job)).settled + 10_000)
            lengths = [call["references"] for call in stage.platform.calls()[before + 16 :]]
            assert lengths.count(100) >= 0.8 * len(lengths)
            await control.abort_job(ledger, job)
            await ended(ledger, job, 10)
        assert worker.end() == 0
