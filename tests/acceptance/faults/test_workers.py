"""Workers that are frozen for longer than a lease, terminated again and again, or on a wrong clock."""

import asyncio
import json
import re
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from cancellist.jobs.ledger import records
from cancellist.jobs.model import Outcome
from tests.acceptance.faults.harness.system import LEASE_S, Rig, statuses
from tests.acceptance.faults.harness.workers import CLAIMS, started
from tests.support.stage import Worker, agrees, all_results, ended, log_lines, settled, submit, wait_for
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance


async def test_a_worker_frozen_for_longer_than_its_lease_sends_nothing_of_it_and_settles_nothing(
    valkey_rig: Rig,
) -> None:
    rig = valkey_rig
    references = rig.platform.references(12_000)
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 300})
    frozen = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 1_600)
        frozen.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)  # what it has written is on its way to the platform
        await until(lambda: asyncio.to_thread(rig.platform.get, "/sandbox/stats"), lambda s: s["in_flight"] == 0, 30)
        held = await _held(rig, ledger, frozen)
        named = {r: row["cancel_calls"] for r, row in rig.platform.record(held).items()}
        staged, sent = [r for r in held if not named[r]], [r for r in held if named[r]]
        assert len(staged) >= 100
        assert len(sent) >= 100
        other = rig.worker()
        wait_for(lambda: started(other), 30)
        await until(lambda: _held(rig, ledger, frozen), lambda claims: not claims, LEASE_S + 4)
        thawed_at = (await records.get(ledger, job)).settled
        frozen.process.send_signal(signal.SIGCONT)
        await settled(ledger, job, thawed_at + 2_000)
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
        await ended(ledger, job, 40)
        await agrees(rig, ledger, job, references, maybe=True)
        record = rig.platform.record(references)
    assert {record[r]["cancel_calls"] for r in staged} == {1}
    assert {record[r]["cancel_calls"] for r in sent} <= {1, 2}
    assert {row["cancel_calls"] for r, row in record.items() if r not in named} == {1}
    events = {line["event"] for line in log_lines(frozen)}
    assert events & {"call closed, its claim was lost", "claim lost"}
    assert rig.platform.get("/sandbox/stats")["peak_in_flight"] <= 8 * 2  # the frozen one's calls hang there still
    assert statuses([frozen, other]) == [0, 0]


async def test_a_storm_of_sigterms_costs_no_attempt(valkey_rig: Rig) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(15_000)
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        workers = []
        for turn in range(4):
            worker = rig.worker()
            workers.append(worker)
            await settled(ledger, job, 3_000 * (turn + 1) - 1_500)
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
                if worker.process.poll() is None:
                    worker.process.send_signal(signum)
                await asyncio.sleep(0.02)
        workers.append(rig.worker())
        await ended(ledger, job, 40)
        await agrees(rig, ledger, job, references)
        assert {r.attempts for r in await all_results(ledger, job)} == {1}
    assert statuses(workers) == [0] * 5


async def test_a_worker_ends_though_the_cancellation_that_should_end_it_is_lost(valkey_rig: Rig) -> None:
    """As Python 3.11's `wait_for` loses one that comes in the same moment as a wake."""
    rig, references = valkey_rig, valkey_rig.platform.references(5_000)
    folder = rig.folder / "lost"
    folder.mkdir()
    lost = (
        "import arq.worker\nasync def lost(self, signum): pass\narq.worker.Worker._wait_for_tasks_to_complete = lost\n"
    )
    (folder / "sitecustomize.py").write_text(lost, encoding="utf-8")
    rig.extra = {"PYTHONPATH": f"{folder}:{rig.environment()['PYTHONPATH']}"}
    worker = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 1_000)
        assert worker.end(timeout=10) == 0
        assert (await records.get(ledger, job)).in_flight == 0


async def test_a_worker_that_is_stopped_ends_though_its_server_is_gone_for_good(valkey_rig: Rig) -> None:
    rig = valkey_rig
    worker = rig.worker()
    async with rig.ledger() as ledger:
        await settled(ledger, await submit(ledger, rig.platform.references(20_000)), 1_000)
    rig.server.kill()
    assert await asyncio.to_thread(worker.end, timeout=35) == 0


@pytest.mark.timed
@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_a_lone_worker_whose_clock_is_an_hour_off_picks_up_work_at_once(valkey_rig: Rig, seconds: int) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(3_000)
    rig.extra = rig.shifted_clock(seconds)
    worker = rig.worker()
    async with rig.ledger() as ledger:
        await until(lambda: ledger.redis.exists("cancellist:account:default:state"), bool, 10)
        assert rig.clock_is_off(worker.process.pid)
        for at in range(0, 3_000, 1_000):
            began = time.monotonic()
            job = await submit(ledger, references[at : at + 1_000])
            await ended(ledger, job, 20)
            took = time.monotonic() - began
            await agrees(rig, ledger, job, references[at : at + 1_000])
            assert took < 1.5, f"picked up late: {took:.1f} s"
        assert await ledger.redis.zcard("cancellist:drains") <= 1
    assert statuses([worker]) == [0]


async def test_a_worker_whose_clock_is_an_hour_ahead_takes_nothing_over_from_the_living(valkey_rig: Rig) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(6_000)
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 300})
    living = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 800)
        rig.extra = rig.shifted_clock(3600)
        ahead = rig.worker()
        await until(lambda: _held(rig, ledger, ahead), bool, 30)
        assert rig.clock_is_off(ahead.process.pid)
        await settled(ledger, job, 5_000)
        assert not _took_over(ahead)
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
        await ended(ledger, job, 30)
        await agrees(rig, ledger, job, references)
        assert {row["cancel_calls"] for row in rig.platform.record(references).values()} == {1}
    assert statuses([living, ahead]) == [0, 0]
    assert not _took_over(living)


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_a_producer_whose_clock_is_an_hour_off_hands_in_by_the_time_of_the_server(
    valkey_rig: Rig, seconds: int
) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(100)
    deadline = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    rig.extra = rig.shifted_clock(seconds)
    command = [
        sys.executable,
        "-m",
        "cancellist",
        "enqueue",
        "-",
        "--json",
        "--deadline",
        deadline.isoformat(),
        "--wait",
    ]
    pipe = asyncio.subprocess.PIPE
    producer = await asyncio.create_subprocess_exec(
        *command, cwd=rig.folder, env=rig.environment(), stdin=pipe, stdout=pipe, stderr=pipe
    )
    rig.extra = {}
    worker = rig.worker()
    out, err = await asyncio.wait_for(producer.communicate("\n".join(references).encode()), 30)
    assert rig.clock_is_off(producer.pid)
    assert producer.returncode == 3, err.decode()  # some are manifested, none has expired
    async with rig.ledger() as ledger:
        job = json.loads(out)["job"]
        await agrees(rig, ledger, job, references)
        assert (await records.get(ledger, job)).order.deadline_ms == int(deadline.timestamp() * 1000)
    assert statuses([worker]) == [0]


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_a_date_to_wait_for_is_obeyed_on_a_clock_an_hour_off(valkey_rig: Rig, seconds: int) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(2_000)
    rig.extra = rig.shifted_clock(seconds)
    overload = {"faults": {"429-before": 1.0}, "retry_after_s": 2, "retry_after_date": True}
    rig.platform.send("PUT", "/sandbox/settings", overload)
    worker = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await until(lambda: ledger.redis.hget("cancellist:account:default:state", "hold_until"), bool, 30)
        assert rig.clock_is_off(worker.process.pid)
        rig.platform.send("PUT", "/sandbox/settings", {"faults": {}})
        await ended(ledger, job, 30)
        outcomes = await agrees(rig, ledger, job, references, maybe=True)  # a 429 may have acted
    assert outcomes[Outcome.CANCELLED] > 1_500
    assert statuses([worker]) == [0]


def _took_over(worker: Worker) -> bool:
    return any("taken over" in line["event"] for line in log_lines(worker))


async def _held(rig: Rig, ledger, worker) -> list[str]:
    """References of the claims in a worker's name."""
    claims = [c for c in await ledger.redis.zrange(CLAIMS, 0, -1) if f"-{worker.process.pid}-".encode() in c]
    if not claims:
        return []
    packed = await ledger.redis.hmget("cancellist:account:default:claimed", claims)
    return [r.decode() for claim in packed if claim for r in re.findall(rb"EC-\w{3}-\w{3}-\w{3}", claim)]
