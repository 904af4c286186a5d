"""Lists refused whole, and refusals by the thousand: how many calls and reads they cost."""

import math
from collections import Counter

import pytest

from jobs.outcomes import Outcome
from tests.acceptance.stage import Stage, agrees, ended, submit

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


async def test_two_identical_jobs_of_20_000_both_end_true_and_few_refusals_are_read(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
    references = valkey_stage.platform.references(20_000)
    async with valkey_stage.ledger() as ledger:
        jobs = [await submit(ledger, references) for _ in range(2)]
        worker = valkey_stage.worker()
        outcomes: Counter[Outcome] = Counter()
        for job in jobs:
            await ended(ledger, job, 60)
            outcomes += await agrees(valkey_stage, ledger, job, references, twice=True)
    refused = 40_000 - outcomes[Outcome.CANCELLED]
    assert refused > 19_000
    reads = valkey_stage.platform.get("/sandbox/stats")["calls"].get("status", 0)
    assert reads <= 0.02 * refused + 100
    assert worker.end() == 0
