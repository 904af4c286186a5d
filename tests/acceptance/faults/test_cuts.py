"""The connection to the server cut, or answered with an error, at each of the protocol's points."""

import json
from collections.abc import Sequence

import pytest

from jobs.errors import LedgerError
from jobs.ledger import records
from jobs.ledger.core import Ledger
from jobs.outcomes import Outcome
from tests.acceptance.faults.proxy import Aim, Cut
from tests.acceptance.faults.rig import Rig, statuses
from tests.acceptance.stage import agrees, all_results, ended, log_lines, submit
from tests.waiting import until

pytestmark = pytest.mark.acceptance

PRODUCER = ("submit", "seal", "EXEC")
WORKER = ("claim", "settle", "renew", "sweep", "HGET", "ZRANGEBYSCORE")
"""HGET asks for the gate, ZRANGEBYSCORE is arq's poll."""
SLOWLY = {"renew", "HGET"}
"""Those that come only where calls take long."""
INTAKE = ("intake", "XREADGROUP", "XAUTOCLAIM")
COUNT = 1_200


async def _job(rig: Rig, producer: Ledger, ledger: Ledger, references: Sequence[str]) -> None:
    """Submits through the proxy, and checks that each reference is named by one call and has one true result."""
    job = await submit(producer, references)
    await ended(ledger, job, 30)
    outcomes = await agrees(rig, ledger, job, references)
    assert outcomes[Outcome.CANCELLED] > COUNT * 0.8
    assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert {row["cancel_calls"] for row in rig.platform.record(references).values()} == {1}


async def _intake(rig: Rig, ledger: Ledger, references: Sequence[str]) -> None:
    before = {job.id for job in await records.newest(ledger, 1000)}
    await ledger.redis.xadd("cancellist:intake", {"references": json.dumps(references)})

    async def made() -> list[str]:
        return [job.id for job in await records.newest(ledger, 1000) if job.id not in before]

    jobs = await until(made, bool, 15)
    assert len(jobs) == 1
    await ended(ledger, jobs[0], 30)
    await agrees(rig, ledger, jobs[0], references)
    await until(lambda: ledger.redis.xlen("cancellist:intake"), lambda left: left == 0, 10)


@pytest.mark.parametrize("cut", Cut)
async def test_a_connection_cut_at_any_point_costs_neither_a_result_nor_a_second_call(rig: Rig, cut: Cut) -> None:
    worker = rig.worker()
    references = iter(rig.platform.references(60_000))
    async with rig.ledger() as ledger, rig.producer() as producer:
        for point in PRODUCER + WORKER:
            rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 700 if point in SLOWLY else 20})
            aim = rig.proxy.aim(point, cut, times=3)
            await _job(rig, producer, ledger, [next(references) for _ in range(COUNT)])
            await _struck(aim, 3)
        for point in INTAKE:
            aim = rig.proxy.aim(point, cut)
            await _intake(rig, ledger, [next(references) for _ in range(50)])
            await _struck(aim, 1)
        assert len(await records.newest(ledger, 1000)) == len(PRODUCER + WORKER + INTAKE)
    assert statuses([worker]) == [0]
    assert not [line for line in log_lines(worker) if line["level"] in {"error", "critical"}]


async def _struck(aim: Aim, times: int) -> None:
    async def hits() -> tuple[str, int]:
        return aim.point, aim.hits

    await until(hits, lambda seen: seen[1] == times, 10)
