"""Schedules of faults from fixed seeds: nothing lost, doubled or wrong. `make faults` plays others."""

from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.faults.harness.mix import EVERY_KIND, HANDS
from tests.acceptance.faults.harness.proxy import Cut
from tests.acceptance.faults.harness.schedule import play
from tests.acceptance.faults.harness.system import LEASE_S
from tests.support.servers import KINDS

pytestmark = pytest.mark.acceptance


@pytest.mark.takes(80)
async def test_nothing_is_lost_doubled_or_wrong_through_every_kind_of_fault(tmp_path: Path) -> None:
    faults: Counter[str] = Counter()
    strikes: Counter[str] = Counter()
    takeovers: list[float] = []
    for seed in range(HANDS):  # in one test, so that what they have shown between them can be told
        folder = tmp_path / str(seed)
        folder.mkdir()
        report = await play(KINDS[seed % len(KINDS)], folder, seed, seconds=0)
        assert (report.lost, report.doubled, report.wrong) == (0, 0, []), seed
        assert report.references > 5_000
        assert report.takeovers, f"seed {seed} has timed no takeover"
        faults, strikes = faults + report.faults, strikes + report.strikes
        takeovers += report.takeovers
    assert set(faults) == EVERY_KIND
    assert all(strikes[f"cut {cut} a reply"] for cut in Cut), strikes
    assert any(kind.startswith("answered") for kind in strikes), strikes
    assert max(takeovers) <= LEASE_S + 1
