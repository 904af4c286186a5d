"""The connection to the server cut, or answered with an error, at each of the protocol's points."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from cancellist.jobs.ledger import accounts, changes, control, records
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from cancellist.jobs.model import JobState, Outcome, Priority
from tests.acceptance.faults.harness.proxy import Aim, Cut
from tests.acceptance.faults.harness.system import Rig, rigged, statuses
from tests.support.stage import agrees, all_results, ended, log_lines, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

PRODUCER = ("submit", "seal", "EXEC")
WORKER = ("claim", "settle", "renew", "sweep", "flow", "HGET", "ZRANGEBYSCORE")
"""HGET asks for the gate, ZRANGEBYSCORE is arq's poll."""
SLOWLY = {"renew": 700, "HGET": 500, "flow": 250}
"""Those that come only where calls take long, and how long (ms)."""
INTAKE = ("intake", "XREADGROUP", "XAUTOCLAIM")
COUNT = 1_200
LONG = {"HGET": 4 * COUNT, "flow": 4 * COUNT}
"""The gate is asked for once it has moved, and where nothing else has told of it for a while. What calls have shown is
shared four times a second."""
OPERATOR = ("pause", "update", "resume", "abort", "slice")
ERRORS = {
    "passing": (
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "NOREPLICAS Not enough good replicas to write.",
    ),
    "refusing": (
        "OOM command not allowed when used memory > 'maxmemory'.",
        "NOPERM this user has no permissions to run this command",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    ),
    "reconnecting": (
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "NOSCRIPT No matching script.",
        "ERR max number of clients reached",
    ),
}


async def _job(rig: Rig, producer: Ledger, ledger: Ledger, references: Sequence[str], aim: Aim) -> None:
    """Submits through the proxy, and checks that each reference is named by one call and has one true result."""
    job = await submit(producer, references)
    if aim.point == "HGET":
        await settled(ledger, job, COUNT)
        await _gate_asked_for(ledger, job, [aim])
    await ended(ledger, job, 30)
    outcomes = await agrees(rig, ledger, job, references)
    assert outcomes[Outcome.CANCELLED] > COUNT * 0.8
    assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert {row["cancel_calls"] for row in rig.platform.record(references).values()} == {1}


@pytest.mark.parametrize(("kind", "cut"), [("valkey", Cut.BEFORE), ("valkey", Cut.WITHIN), ("redis", Cut.AFTER)])
@pytest.mark.takes(70)
async def test_a_connection_cut_at_any_point_costs_neither_a_result_nor_a_second_call(
    kind: str, cut: Cut, tmp_path: Path
) -> None:
    with rigged(kind, tmp_path) as rig:
        await _drained_through(rig, cut)


async def _drained_through(rig: Rig, cut: Cut) -> None:
    worker = rig.worker()
    references = iter(rig.platform.references(60_000))
    async with rig.ledger() as ledger, rig.producer() as producer:
        for point in PRODUCER + WORKER:
            rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": SLOWLY.get(point, 20)})
            aim = rig.proxy.aim(point, cut, times=3)
            await _job(rig, producer, ledger, [next(references) for _ in range(LONG.get(point, COUNT))], aim)
            await _struck([aim])
        assert len(await records.newest(ledger, 1000)) == len(PRODUCER + WORKER)
    assert statuses([worker]) == [0]
    assert not [line for line in log_lines(worker) if line["level"] in {"error", "critical"}]


@pytest.mark.parametrize("cut", Cut)
async def test_an_intake_entry_makes_one_job_wherever_the_connection_is_cut(valkey_rig: Rig, cut: Cut) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(200)
    worker = rig.worker()
    async with rig.ledger() as ledger:
        await until(lambda: ledger.redis.exists("cancellist:intake"), bool, 30)
        aims = [rig.proxy.aim(point, cut) for point in INTAKE]
        for at in range(0, 200, 50):
            entry = await ledger.redis.xadd("cancellist:intake", {"references": json.dumps(references[at : at + 50])})
            assert entry
        await until(lambda: ledger.redis.xlen("cancellist:intake"), lambda left: left == 0, 30)
        jobs = await records.newest(ledger, 100)
        assert len(jobs) == 4
        for job in jobs:
            await ended(ledger, job.id, 30)
        assert Counter([r.reference for job in jobs for r in await all_results(ledger, job.id)]) == Counter(references)
        await _struck(aims)
    assert statuses([worker]) == [0]


@pytest.mark.parametrize("cut", Cut)
async def test_what_an_operator_asks_for_is_done_wherever_the_connection_is_cut(valkey_rig: Rig, cut: Cut) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(12_000)
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
    trimming = rig.proxy.aim("trim", cut)
    worker = rig.worker()
    async with rig.ledger() as ledger, rig.producer() as producer:
        kept, dropped = [await submit(ledger, part) for part in (references[:4_000], references[4_000:])]
        await settled(ledger, kept, 400)
        aims = [rig.proxy.aim(point, cut) for point in OPERATOR]
        await control.pause_account(producer, "default")
        assert (await accounts.gate(ledger, "default")).paused
        await until(lambda: records.get(ledger, kept), lambda record: not record.in_flight, 30)
        await changes.update(producer, kept, Change(Priority.BULK, "+1h"))
        assert (await records.get(ledger, kept)).revision == 1
        assert await control.abort_job(producer, dropped) in {JobState.ABORTING, JobState.ABORTED}
        drains = await control.resume_account(producer, "default", 100)
        await schedule(producer, "default", drains)
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 20})
        for job, part in ((kept, references[:4_000]), (dropped, references[4_000:])):
            await ended(ledger, job, 30)
            await agrees(rig, ledger, job, part, also=frozenset({Outcome.ABORTED}))
        assert (await records.get(ledger, kept)).state is JobState.COMPLETED
        assert (await records.get(ledger, dropped)).state is JobState.ABORTED
        assert {row["cancel_calls"] for row in rig.platform.record(references).values()} == {0, 1}
        await _struck([*aims, trimming])
    assert statuses([worker]) == [0]


@pytest.mark.parametrize("cut", Cut)
async def test_what_a_worker_gives_back_as_it_ends_costs_no_attempt_wherever_it_is_cut(
    valkey_rig: Rig, cut: Cut
) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(8_000)
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 300})  # three seconds in all
    worker = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 800)
        aim = rig.proxy.aim("release", cut)
        assert worker.end() == 0
        assert aim.hits == 1
        record = await records.get(ledger, job)
        assert record.in_flight == 0
        assert record.pending > 0
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 20})
        other = rig.worker()
        await ended(ledger, job, 30)
        await agrees(rig, ledger, job, references)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
        assert {row["cancel_calls"] for row in rig.platform.record(references).values()} == {1}
    assert statuses([other]) == [0]


async def test_what_was_claimed_before_a_pause_is_not_called_where_the_claims_reply_came_only_after_it(
    valkey_rig: Rig,
) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(100)
    worker = rig.worker()
    async with rig.ledger() as ledger:
        await until(lambda: ledger.redis.exists("cancellist:intake"), bool, 30)
        aim = rig.proxy.aim("claim", Cut.AFTER)
        rig.proxy.slow(0.15)  # so that it is asked for again after the pause
        job = await submit(ledger, references)
        await until(lambda: records.get(ledger, job), lambda record: record.in_flight == len(references), 30)
        await control.pause_account(ledger, "default")
        await _struck([aim])
        await until(lambda: records.get(ledger, job), lambda record: not record.in_flight, 30)
        assert rig.platform.calls() == []
        rig.proxy.slow()
        await schedule(ledger, "default", await control.resume_account(ledger, "default", 100))
        await ended(ledger, job, 30)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert statuses([worker]) == [0]


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.takes(30)
async def test_errors_of_the_server_at_any_point_are_waited_out(valkey_rig: Rig, errors: str) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(4_000)
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 500})
    async with rig.ledger() as ledger:
        aims = [
            rig.proxy.aim(point, error)
            for error in ERRORS[errors]
            for point in (*WORKER, "XREADGROUP", "EXEC")
            if not (error.startswith("NOSCRIPT") and point.isupper())
        ]
        job = await submit(ledger, references)
        worker = rig.worker()
        await ended(ledger, job, 30)
        await agrees(rig, ledger, job, references)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
        assert {row["cancel_calls"] for row in rig.platform.record(references).values()} == {1}
        count = len(references)
        while any(aim.left for aim in aims):  # some requests are made only where calls have waited, as chance has it
            count += 400
            assert count < 12_000, [aim.point for aim in aims if aim.left]
            job = await submit(ledger, rig.platform.references(count)[-400:])
            if any(aim.left for aim in aims if aim.point == "HGET"):
                await _gate_asked_for(ledger, job, [])
            await ended(ledger, job, 30)
    assert statuses([worker]) == [0]
    assert not [line for line in log_lines(worker) if line["level"] in {"error", "critical"}]


async def _gate_asked_for(ledger: Ledger, job: str, aims: Sequence[Aim]) -> None:
    """Has the worker ask for the gate, by a pause while calls are under way, which lasts until these aims have struck.

    Calls that end one by one tell of the gate so often that the worker need not ask for it by itself.
    """
    await until(lambda: records.get(ledger, job), lambda record: record.in_flight > 0 or record.state.ended, 30)
    await control.pause_account(ledger, "default")
    await _struck(aims)
    await schedule(ledger, "default", await control.resume_account(ledger, "default", 100))


async def _struck(aims: Sequence[Aim]) -> None:
    """Waits until every aim has struck."""

    async def waiting() -> list[str]:
        return [aim.point for aim in aims if aim.left]

    await until(waiting, lambda points: not points, 30)
