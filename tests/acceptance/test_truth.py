"""The truth, whatever the platform answers: every fault at once, compared with its own record."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cancellist.jobs.ledger import accounts, control
from cancellist.jobs.model import JobRequest, Outcome
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, agrees, ended, log_lines, platform, settled, submit

pytestmark = pytest.mark.acceptance

FAULTY = [
    "408-before", "timeout-before", "timeout-late", "504-before", "redirect",
    "500-before", "500-after", "502-after", "503-before", "503-after", "504-after", "408-after", "520-after",
    "429-before", "429-after", "timeout-after", "close-before", "close-after", "half-acted-500", "half-acted-close",
    "half-list", "shuffled", "extra-item", "doubled-item", "contradiction", "data-other-case", "data-null",
    "data-mistyped", "success-missing", "success-mistyped", "truncated", "object", "null", "html", "empty",
    "wrong-encoding", "broken-gzip", "huge", "202", "204", "405-before", "list:409-before", "415-before",
    "list:422-before",
]  # fmt: skip
SHARE = 0.45 / len(FAULTY)
READS = {
    "reads:500-before": 0.05,
    "reads:close-before": 0.03,
    "reads:state-missing": 0.02,
    "reads:truncated": 0.02,
}
DENIALS = {"401": 0.0005, "403": 0.0005, "reads:401": 0.0005, "reads:403": 0.0005}
"""Rare: each stops the account, at which then every second probe goes wrong in another way."""
UNKNOWN, COUNT = 600, 20_000
UNDECIDED = frozenset({Outcome.UNCONFIRMED, Outcome.FAILED})


@pytest.fixture
def rough(tmp_path: Path) -> Iterator[Stage]:
    """A platform at which almost every second call goes wrong in one way or another."""
    mix = "Allocated=80,ReadyToShip=5,Manifested=10,Cancelled=2"
    with running("valkey", tmp_path) as server, platform(tmp_path, mix=mix, latency_ms=5) as world:
        faults = dict.fromkeys(FAULTY, SHARE) | READS | DENIALS
        world.send("PUT", "/sandbox/settings", {"faults": faults, "hang_ms": 3000, "late_ms": 700})
        settings = {
            "max_concurrent_calls": "16", "lease_seconds": str(LEASE_S), "call_timeout": "1", "retry_base": "0.05",
            "retry_cap": "0.5", "max_attempts": "12",
            "breaker_denied_first_ms": "50", "breaker_denied_most_ms": "500", "breaker_outage_most_ms": "500",
        }  # fmt: skip
        with Stage(server, world, tmp_path, settings) as stage:
            yield stage


async def drained_truly(stage: Stage, *, killing: bool = False) -> Counter[Outcome]:
    references = stage.platform.references(COUNT - UNKNOWN, unknown=UNKNOWN)
    stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        killer = asyncio.create_task(_kill_every_two_seconds(stage)) if killing else None
        try:
            await ended(ledger, job, 150)
        finally:
            if killer:
                killer.cancel()
        outcomes = await agrees(stage, ledger, job, references, maybe=True, also=UNDECIDED)
    assert outcomes[Outcome.UNCONFIRMED] + outcomes[Outcome.FAILED] <= COUNT // 1000
    assert outcomes[Outcome.NOT_FOUND] >= UNKNOWN - COUNT // 1000
    return outcomes


async def _kill_every_two_seconds(stage: Stage) -> None:
    """Kills the older of two workers: a lone one would, on a slow machine, be killed before it has begun to work."""
    stage.worker()
    while True:
        await asyncio.sleep(2)  # as often as the test says: it is no wait for anything
        stage.workers[-2].end(signal.SIGKILL)
        stage.worker()


@pytest.mark.takes(50)
async def test_with_every_fault_mixed_every_result_is_true(rough: Stage) -> None:
    outcomes = await drained_truly(rough)
    assert outcomes[Outcome.CANCELLED] > COUNT * 0.8
    assert rough.workers[-1].end() == 0


async def test_calls_and_reads_that_are_denied_now_and_then_cost_no_reference_its_true_result(rough: Stage) -> None:
    denials = {"401": 0.05, "403": 0.05, "reads:401": 0.05, "reads:403": 0.05}
    rough.platform.send("PUT", "/sandbox/settings", {"faults": denials})
    references = rough.platform.references(5_900, unknown=100)
    worker = rough.worker(max_attempts=1, max_references_per_call=20)
    async with rough.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 2_000)
        rough.platform.send("PUT", "/sandbox/settings", {"faults": {}})
        await ended(ledger, job, 60)
        outcomes = await agrees(rough, ledger, job, references)
        assert (await accounts.gate(ledger, "default")).breaker is None
    assert not UNDECIDED & outcomes.keys()
    answers = rough.platform.get("/sandbox/stats")["answers"]
    assert answers["401"] + answers["403"] > 10
    assert worker.end() == 0
    events = Counter(line["event"] for line in log_lines(worker))
    assert 0 < events["breaker opened"] == events["breaker closed"]


@pytest.mark.takes(60)
async def test_with_lists_poisoned_too_every_result_is_true(rough: Stage) -> None:
    rough.platform.send("PUT", "/sandbox/settings", {"poison": 400})
    await drained_truly(rough)
    assert rough.workers[-1].end() == 0


@pytest.mark.takes(70)
async def test_with_a_worker_killed_every_two_seconds_every_result_is_true(rough: Stage) -> None:
    await drained_truly(rough, killing=True)
    assert len(rough.workers) > 5
    assert [worker.end() for worker in rough.workers[-2:]] == [0, 0]


async def test_with_every_reference_called_alone_every_result_is_true(rough: Stage) -> None:
    references = rough.platform.references(1_450, unknown=50)
    worker = rough.worker(max_references_per_call=1)
    async with rough.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 90)
        outcomes = await agrees(rough, ledger, job, references, maybe=True, also=UNDECIDED)
    assert outcomes[Outcome.CANCELLED] > 1_000
    assert worker.end() == 0


@pytest.mark.takes(50)
async def test_with_consignments_deallocated_first_every_result_is_true(rough: Stage) -> None:
    faults = rough.platform.get("/sandbox/settings")["faults"]
    # What is for lists alone would, at one reference, refuse to deallocate it, and be the platform's own word.
    deallocating = {f"deallocate:{kind}": SHARE for kind in FAULTY if not kind.startswith("list:")}
    rough.platform.send("PUT", "/sandbox/settings", {"faults": faults | deallocating, "deallocate_first": True})
    references = rough.platform.references(4_900, unknown=100)
    worker = rough.worker(deallocate_first=True)
    async with rough.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 90)
        outcomes = await agrees(rough, ledger, job, references, maybe=True, also=UNDECIDED)
    assert outcomes[Outcome.CANCELLED] > 3_500
    assert worker.end() == 0


@pytest.mark.parametrize("ending", ["abort", "deadline"])
async def test_jobs_that_end_while_calls_are_unclear_end_true(rough: Stage, ending: str) -> None:
    references = rough.platform.references(9_900, unknown=100)
    shared = references[:3_000]
    worker = rough.worker()
    async with rough.ledger() as ledger:
        other = await submit(ledger, shared)
        await settled(ledger, other, 100)
        deadline_ms = await ledger.now_ms() + 1_500 if ending == "deadline" else None
        job = await submit(ledger, references, JobRequest(deadline_ms=deadline_ms))
        if ending == "abort":
            await settled(ledger, job, 2_000)
            await control.abort_job(ledger, job)
        await ended(ledger, job, 180)
        unsent = Outcome.ABORTED if ending == "abort" else Outcome.EXPIRED
        ends = await agrees(rough, ledger, job, references, maybe=True, twice=True, also=UNDECIDED | {unsent})
        await ended(ledger, other, 180)
        await agrees(rough, ledger, other, shared, maybe=True, twice=True, also=UNDECIDED)
    assert ends[Outcome.CANCELLED] > 0
    assert ends[unsent] > 0
    assert worker.end() == 0
