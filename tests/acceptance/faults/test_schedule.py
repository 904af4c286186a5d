"""Schedules of faults drawn from fixed seeds: nothing lost, doubled or wrong. `make faults` plays others."""

from pathlib import Path

import pytest

from tests.acceptance.faults.rig import LEASE_S
from tests.acceptance.faults.schedule import play

pytestmark = pytest.mark.acceptance

SECONDS = 12


@pytest.mark.parametrize(("kind", "seed"), [("valkey", 1), ("redis", 2), ("valkey", 3), ("redis", 4)])
async def test_nothing_is_lost_doubled_or_wrong_through_a_schedule_of_faults(
    kind: str, seed: int, tmp_path: Path
) -> None:
    report = await play(kind, tmp_path, seed, SECONDS)
    assert (report.lost, report.doubled, report.wrong) == (0, 0, [])
    assert report.references > 5_000
    assert max(report.takeovers, default=0) <= LEASE_S + 1
