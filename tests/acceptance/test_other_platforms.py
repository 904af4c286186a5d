"""Results stay true whatever the platform's words, rules and forms are; `make truth` plays more seeds of it."""

from collections import Counter
from pathlib import Path

import pytest

from cancellist.jobs.model import Outcome
from tests.acceptance.other_platforms import UNDECIDED, disagreeing, drained, staged
from tests.support.stage import Stage, all_results, ended, submit

pytestmark = pytest.mark.acceptance

COUNT = 3_000
DIFFERENT = ["generic words", "manifested cancellable", "strict"]
"""`make truth` plays the others as well."""


@pytest.mark.parametrize("name", DIFFERENT)
async def test_with_every_fault_mixed_no_result_disagrees_with_the_record(name: str, tmp_path: Path) -> None:
    with staged(name, tmp_path, 1) as stage:
        found, record = await drained(stage, COUNT, 1, 150)
        assert not disagreeing(found, record)
        assert stage.workers[-1].end() == 0
    outcomes = Counter(r.outcome for r in found)
    assert sum(outcomes[outcome] for outcome in UNDECIDED) <= COUNT // 100
    assert outcomes[Outcome.CANCELLED] > COUNT * 0.6
    assert outcomes[Outcome.ALREADY_CANCELLED] > COUNT * 0.01


async def test_with_one_text_for_all_and_states_in_blocks_no_state_is_taken_for_another(
    valkey_stage: Stage,
) -> None:
    world = valkey_stage.platform
    world.send("PUT", "/sandbox/settings", {"refusal_words": "generic", "latency_ms": 1})
    rows = world.record(world.references(world.consignments))
    cancelled = [r for r, row in rows.items() if row["state"] == "Cancelled"][:300]
    manifested = [r for r, row in rows.items() if row["state"] == "Manifested"][:700]
    worker = valkey_stage.worker(max_references_per_call=50, max_concurrent_calls=1)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, [*cancelled, *manifested])
        await ended(ledger, job, 60)
        found = {r.reference: r.outcome for r in await all_results(ledger, job)}
    assert {found[r] for r in cancelled} == {Outcome.ALREADY_CANCELLED}
    assert {found[r] for r in manifested} == {Outcome.MANIFESTED}
    assert world.get("/sandbox/stats")["calls"]["status"] == 1_000
    assert worker.end() == 0


async def test_words_that_the_user_vouches_for_stand_for_a_read_and_the_result_says_so(valkey_stage: Stage) -> None:
    world = valkey_stage.platform
    rows = world.record(world.references(20_000))
    manifested = [r for r, row in rows.items() if row["state"] == "Manifested"][:200]
    worker = valkey_stage.worker(refusal_words='{"in state Manifested": "manifested"}')
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, manifested)
        await ended(ledger, job, 30)
        found = await all_results(ledger, job)
    assert {(r.outcome, r.state) for r in found} == {(Outcome.MANIFESTED, None)}
    assert all(r.message and "in state Manifested" in r.message for r in found)
    assert "status" not in world.get("/sandbox/stats")["calls"]
    assert worker.end() == 0
