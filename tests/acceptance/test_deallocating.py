"""Deallocating first takes no consignment from its carrier, and is told where the cancelling then fails."""

from collections import Counter

import pytest

from cancellist.jobs.model import Outcome
from cancellist.jobs.responses.steps import DEALLOCATED
from tests.acceptance.other_platforms import disagreeing
from tests.support.stage import Stage, all_results, ended, submit

pytestmark = pytest.mark.acceptance


async def test_only_what_has_no_carrier_yet_is_deallocated_and_all_is_told_truly(valkey_stage: Stage) -> None:
    world = valkey_stage.platform
    world.send("PUT", "/sandbox/settings", {"deallocate_first": True, "latency_ms": 1, "refusal_words": "generic"})
    references = world.references(960, unknown=40)
    worker = valkey_stage.worker(deallocate_first=True)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 90)
        found = await all_results(ledger, job)
    record = world.record(references)
    assert not disagreeing(found, record)
    for result in found:
        if record[result.reference]["initial_state"] == "Manifested":
            assert (result.outcome, result.state, result.attempts) == (Outcome.MANIFESTED, "Manifested", 1)
        assert result.message is None or DEALLOCATED not in result.message
    assert world.get("/sandbox/stats")["calls"]["status"] >= len(references)
    assert worker.end() == 0


async def test_where_the_cancelling_then_fails_the_result_says_that_it_was_deallocated(valkey_stage: Stage) -> None:
    world = valkey_stage.platform
    references = world.open_references(30)
    world.send(
        "PUT", "/sandbox/settings",
        {"deallocate_first": True, "latency_ms": 1, "faults": {"list:405-before": 1.0, "single:405-before": 1.0}},
    )  # fmt: skip
    worker = valkey_stage.worker(deallocate_first=True, max_attempts=2, retry_base=0.05, retry_cap=0.2)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 60)
        found = await all_results(ledger, job)
    record = world.record(references)
    assert Counter(r.outcome for r in found) == {Outcome.FAILED: 30}
    for result in found:
        taken = record[result.reference]["initial_state"] == "Allocated"
        assert (result.message or "").startswith(DEALLOCATED) is taken
        assert record[result.reference]["state"] == ("Unallocated" if taken else "ReadyToShip")
    assert worker.end() == 0
