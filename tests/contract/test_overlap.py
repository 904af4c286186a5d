"""Which jobs of the last days name some of many references."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cancellist.jobs.ledger import housekeeping
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references import index_file
from cancellist.jobs.ledger.references.overlap import LAST_MS, overlap
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from cancellist.jobs.safety.preflight import Overlap
from tests.contract.steps import AGAIN, READ, A, claim, drained, refs, settle, submit

DAY_S = 86_400


@pytest.fixture(autouse=True)
def _small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "FULL", 30)


@pytest.fixture
async def index(ledger: Ledger, tmp_path: Path) -> AsyncIterator[ReferenceIndex]:
    made = ReferenceIndex(ledger, tmp_path, jobs_keep_s=90 * DAY_S)
    yield made
    await made.close()


def told(found: Overlap) -> list[tuple[str, int, str | None]]:
    return [(one.job, one.references, one.state) for one in found.jobs]


async def test_jobs_that_have_ended_and_jobs_that_go_on_are_found_with_how_much_they_share(ledger, index) -> None:
    assert await overlap(ledger, index, refs(5)) == Overlap([], 0, 5)
    ended = await submit(ledger, refs(60))
    await drained(ledger)
    going = await submit(ledger, refs(20, 50))
    await submit(ledger, refs(9, 500))
    found = await overlap(ledger, index, refs(40, 40))
    assert told(found) == [(ended, 20, "completed"), (going, 20, "queued")]
    assert (found.references, found.compared, found.gap) == (30, 40, None)
    assert found.jobs[0].created_at_ms


async def test_references_that_wait_for_a_read_or_for_their_time_are_found_too(ledger, index) -> None:
    job = await submit(ledger, refs(30))
    await settle(ledger, await claim(ledger), READ)
    await settle(ledger, await claim(ledger), AGAIN)
    found = await overlap(ledger, index, refs(30))
    assert told(found) == [(job, 30, "running")]


async def test_results_of_more_than_seven_days_ago_do_not_count(ledger, index) -> None:
    now_ms = await ledger.now_ms()
    for job, at_ms in (("old", now_ms - LAST_MS - 5000), ("new", now_ms - LAST_MS + 60_000)):
        entry = {"job": job, "reference": refs(1)[0], "outcome": "cancelled", "status": "200", "attempts": "1"}
        await ledger.redis.xadd(ledger.keys.results, entry, id=f"{at_ms}-1")
    found = await overlap(ledger, index, refs(3))
    assert told(found) == [("new", 1, None)]


async def test_what_was_trimmed_before_it_was_read_is_told(ledger, index) -> None:
    await submit(ledger, refs(10))
    await drained(ledger)
    while any(await housekeeping.trim(ledger, A, results_keep_s=0, jobs_keep_s=DAY_S)):
        pass
    found = await overlap(ledger, index, refs(10))
    assert (found.references, found.gap) == (0, "results were trimmed before they were read")
