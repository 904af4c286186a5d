"""Lists refused whole, and refusals by the thousand: how many calls and reads they cost."""

import asyncio
import math
from collections import Counter

import pytest

from cancellist.jobs.model import Outcome
from tests.support.stage import Stage, agrees, all_results, ended, submit

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("culprits", [1, 5, 20])
@pytest.mark.parametrize("poison", [400, 404])
async def test_culprits_are_isolated_in_few_calls(valkey_stage: Stage, culprits: int, poison: int) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"poison": poison, "latency_ms": 2})
    known = valkey_stage.platform.references(1_000)
    unknown = valkey_stage.platform.references(0, unknown=culprits)
    step = len(known) // culprits
    references = [r for n in range(culprits) for r in [*known[n * step : (n + 1) * step], unknown[n]]]
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 40)
        outcomes = await agrees(valkey_stage, ledger, job, references)
    assert outcomes[Outcome.NOT_FOUND] == culprits
    calls = valkey_stage.platform.get("/sandbox/stats")["calls"]
    lists = math.ceil(len(references) / 100)
    spoilt = min(lists, culprits)
    each = culprits / spoilt
    bound = lists + spoilt * 2 * each * (math.log2(100 / each) + 1)
    assert calls["cancellist"] + calls.get("cancel", 0) <= bound
    assert worker.end() == 0


@pytest.mark.parametrize("status", [409, 422, 405, 415])
async def test_lists_that_are_not_taken_for_no_references_sake_end_as_singles(valkey_stage: Stage, status: int) -> None:
    faults = {f"list:{status}-before": 1.0}
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": faults, "latency_ms": 2})
    references = valkey_stage.platform.references(190, unknown=10)
    worker = valkey_stage.worker(max_attempts=1)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 40)
        # 405 and 415 refuse nothing: a call that was answered so may have acted
        outcomes = await agrees(valkey_stage, ledger, job, references, maybe=status in {405, 415})
    assert outcomes[Outcome.NOT_FOUND] == 10
    assert outcomes[Outcome.CANCELLED] > 150
    calls = valkey_stage.platform.get("/sandbox/stats")["calls"]
    assert calls["cancel"] == 200
    assert calls["cancellist"] <= 200
    assert worker.end() == 0


@pytest.mark.parametrize("status", [405, 415])
async def test_calls_that_are_not_understood_are_given_up_once_their_states_were_read(
    valkey_stage: Stage, status: int
) -> None:
    faults = {f"{scope}:{status}-before": 1.0 for scope in ("list", "single")}
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": faults, "latency_ms": 2})
    references = valkey_stage.platform.references(190, unknown=10)
    worker = valkey_stage.worker(max_attempts=2, retry_base=0.05, retry_cap=0.2)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 40)
        found = {r.reference: r for r in await all_results(ledger, job)}
    record = valkey_stage.platform.record(references)
    assert set(found) == set(references)
    # no call of theirs was refused by name: what was read is told, but is no reason
    states = {"Allocated": "failed", "ReadyToShip": "failed", "Manifested": "failed", None: "unconfirmed"}
    for reference, result in found.items():
        assert record[reference]["cancelled_by_call"] is None
        # what was cancelled before reads as ours: a call that named it was answered, but not refused
        assert result.outcome == states.get(record[reference]["state"], "cancelled")
    assert worker.end() == 0


@pytest.mark.parametrize("status", [409, 415])
async def test_refusals_of_whole_lists_that_pass_leave_every_result_true(valkey_stage: Stage, status: int) -> None:
    faults = {f"list:{status}-before": 0.3}
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": faults, "latency_ms": 2})
    references = valkey_stage.platform.references(1_980, unknown=20)
    worker = valkey_stage.worker(retry_cap=0.5)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 40)
        outcomes = await agrees(valkey_stage, ledger, job, references, maybe=status == 415)
    assert outcomes[Outcome.CANCELLED] > 1_700
    assert outcomes[Outcome.NOT_FOUND] == 20
    assert worker.end() == 0


@pytest.mark.takes(60)
async def test_two_identical_jobs_of_20_000_with_faults_both_end_true(valkey_stage: Stage) -> None:
    kinds = ["503-after", "429-after", "close-after", "half-acted-500", "half-list", "contradiction", "truncated",
             "422-before", "500-before", "data-null"]  # fmt: skip
    faults = dict.fromkeys(kinds, 0.02)
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": faults, "latency_ms": 5})
    references = valkey_stage.platform.references(19_900, unknown=100)
    worker = valkey_stage.worker(call_timeout=1, retry_cap=0.5, max_attempts=12)
    async with valkey_stage.ledger() as ledger:
        jobs = await asyncio.gather(*(submit(ledger, references) for _ in range(2)))
        outcomes: Counter[Outcome] = Counter()
        for job in jobs:
            await ended(ledger, job, 240)
            outcomes += await agrees(valkey_stage, ledger, job, references, maybe=True, twice=True)
    cancelled = sum(row["cancelled_by_call"] is not None for row in valkey_stage.platform.record(references).values())
    assert cancelled <= outcomes[Outcome.CANCELLED] <= 2 * cancelled + outcomes[Outcome.ALREADY_CANCELLED]
    assert outcomes[Outcome.NOT_FOUND] == 200
    assert worker.end() == 0


@pytest.mark.takes(40)
async def test_a_job_of_nothing_but_refusals_costs_a_read_for_each_and_no_more(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 2})
    world = valkey_stage.platform
    record = world.record(world.references(world.consignments))
    refused = [r for r, row in record.items() if row["state"] not in {"Allocated", "ReadyToShip"}][:5_000]
    references = refused + world.references(0, unknown=5_000)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 180)
        outcomes = await agrees(valkey_stage, ledger, job, references)
    assert outcomes[Outcome.CANCELLED] == 0
    # a 404 names nothing, so it is asked for once more, on a connection of its own
    assert world.get("/sandbox/stats")["calls"]["status"] == len(refused) + 2 * 5_000
    assert worker.end() == 0


@pytest.mark.takes(40)
async def test_two_identical_jobs_both_end_true_and_reads_do_not_starve_calls(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
    references = valkey_stage.platform.references(10_000)
    async with valkey_stage.ledger() as ledger:
        jobs = [await submit(ledger, references) for _ in range(2)]
        worker = valkey_stage.worker()
        outcomes: Counter[Outcome] = Counter()
        for job in jobs:
            await ended(ledger, job, 120)
            outcomes += await agrees(valkey_stage, ledger, job, references, twice=True)
    refused = 20_000 - outcomes[Outcome.CANCELLED]
    assert refused > 9_500
    assert valkey_stage.platform.get("/sandbox/stats")["calls"]["status"] <= refused
    assert worker.end() == 0
