"""A platform that takes no long lists: what it takes is found with few calls, and kept."""

from collections import Counter
from typing import Any

import pytest

from cancellist.jobs.ledger import accounts
from cancellist.jobs.model import Outcome
from tests.support.stage import Stage, agrees, ended, settled, submit

pytestmark = [pytest.mark.acceptance, pytest.mark.timed]

LANES = 8
LONGEST, REFERENCES = 30, 20_000
ORACLE = -(-REFERENCES // LONGEST)
MOST = 1.12


def lists(stage: Stage) -> list[dict[str, Any]]:
    return [call for call in stage.platform.calls() if call["endpoint"] == "cancellist"]


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_platform_that_takes_lists_of_thirty_needs_hardly_more_calls_than_for_who_knows_it(
    valkey_stage: Stage, workers: int
) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"list_limit": LONGEST})
    references = valkey_stage.platform.references(REFERENCES)
    running = [valkey_stage.worker(max_attempts=2) for _ in range(workers)]
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 60)
        outcomes = await agrees(valkey_stage, ledger, job, references)
        gate = await accounts.gate(ledger, "default")
    calls = lists(valkey_stage)
    refused = [call for call in calls if call["status"] == 413]
    print(f"{len(calls)} list calls, {len(refused)} of them refused; an oracle: {ORACLE}")
    assert outcomes[Outcome.CANCELLED] > 0.9 * REFERENCES
    assert outcomes[Outcome.FAILED] == 0
    assert ORACLE <= len(calls) <= MOST * ORACLE
    assert (gate.list_size, gate.list_refused) == (LONGEST, LONGEST + 1)
    assert Counter(call["references"] for call in refused).keys() <= {100, 50, 37, 31}
    assert [worker.end() for worker in running] == [0] * workers


async def test_what_was_found_holds_for_the_next_job_until_the_limit_is_lifted(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"list_limit": LONGEST, "latency_ms": 5})
    references = valkey_stage.platform.references(20_000)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        await ended(ledger, await submit(ledger, references[:2_000]), 30)
        before = len(lists(valkey_stage))
        await ended(ledger, await submit(ledger, references[2_000:5_000]), 30)
        later = lists(valkey_stage)[before:]
        assert max(call["references"] for call in later) == LONGEST
        assert {call["status"] for call in later} == {200}
        valkey_stage.platform.send("PUT", "/sandbox/settings", {"list_limit": 10_000})
        job = await submit(ledger, references[5_000:])
        await ended(ledger, job, 30)
        await agrees(valkey_stage, ledger, job, references[5_000:])
        gate = await accounts.gate(ledger, "default")
        assert (gate.list_size, gate.list_refused) == (None, None)
    grown = lists(valkey_stage)[before + len(later) :]
    assert {call["status"] for call in grown} == {200}
    assert Counter(call["references"] for call in grown)[100] > 50
    assert worker.end() == 0


async def test_a_limit_that_falls_costs_each_lane_one_call_and_what_is_staged_is_let_go_unsent(
    valkey_stage: Stage,
) -> None:
    references = valkey_stage.platform.references(20_000)
    worker = valkey_stage.worker(max_attempts=2)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 4_000)
        valkey_stage.platform.send("PUT", "/sandbox/settings", {"list_limit": LONGEST})
        await ended(ledger, job, 60)
        outcomes = await agrees(valkey_stage, ledger, job, references)
    assert outcomes[Outcome.FAILED] == 0
    refused = Counter(call["references"] for call in lists(valkey_stage) if call["status"] == 413)
    assert 1 <= refused[100] <= LANES
    assert worker.end() == 0
