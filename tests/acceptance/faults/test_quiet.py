"""While anything is down, a worker waits: it takes no CPU to speak of, says so once, and goes on when it is back."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from tests.acceptance.faults.harness.system import Rig, statuses
from tests.support.stage import Worker, agrees, ended, log_lines, settled, submit

pytestmark = pytest.mark.acceptance

SETTLING_S, MEASURED_S, RATED_S = 2, 3, 1.0
MOST_CPU = 0.05
MOST_LINES = 1
"""One for each of those who wait for the server: arq's poll, the sweep, the intake and the wake."""

MOST_PLATFORM_LINES = 6
FULL, BACK_WITHIN_S = 0.8, 3
"""Of the rate before; a whole second of it is over within this time of the server's return."""
PER_CALL = 20

RESENT = "claim lost"
"""Said too where a settling whose reply was lost is sent again after two leases: it is not remembered so long."""


@contextlib.contextmanager
def server_down(rig: Rig) -> Iterator[None]:
    rig.server.kill()
    yield
    rig.server.restart()


@contextlib.contextmanager
def network_frozen(rig: Rig) -> Iterator[None]:
    rig.proxy.freeze()
    yield
    rig.proxy.thaw()


@contextlib.contextmanager
def password_changed(rig: Rig) -> Iterator[None]:
    rig.server.command_line("ACL", "SETUSER", "default", ">another", "resetpass", ">another")
    rig.proxy.cut()
    yield
    rig.server.command_line("ACL", "SETUSER", "default", "nopass", login="another")


@contextlib.contextmanager
def scripts_forbidden(rig: Rig) -> Iterator[None]:
    rig.server.command_line("ACL", "SETUSER", "default", "-evalsha", "-eval")
    yield
    rig.server.command_line("ACL", "SETUSER", "default", "+@all")


@pytest.mark.parametrize("outage", [server_down, network_frozen, password_changed, scripts_forbidden])
@pytest.mark.takes(30)
async def test_a_server_that_cannot_be_used_is_waited_for_in_silence(valkey_rig: Rig, outage) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(16_000)
    rig.settings |= {
        "max_references_per_call": str(PER_CALL)
    }  # small steps, so that a rate can be read off in a second
    rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 100})  # so that the rate is not that of the machine
    worker = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 2_000)
        before = await _rate(ledger, job)
        with outage(rig):
            share = await _cpu_share(worker)
        after = 0.0
        for _ in range(BACK_WITHIN_S):  # a second each
            after = max(after, await _rate(ledger, job))
            if after >= FULL * before:
                break
        assert after >= FULL * before
        rig.platform.send("PUT", "/sandbox/settings", {"latency_ms": 5})
        await ended(ledger, job, 90)
        await agrees(rig, ledger, job, references)
    said = _said(worker)
    assert share < MOST_CPU
    assert len(said) <= MOST_LINES, said
    assert statuses([worker]) == [0]


@pytest.mark.parametrize("how", ["refuses", "is silent"])
async def test_a_platform_that_is_down_is_waited_for_without_a_busy_loop(valkey_rig: Rig, how: str) -> None:
    rig, references = valkey_rig, valkey_rig.platform.references(10_000)
    worker = rig.worker()
    async with rig.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 2_000)
        if how == "refuses":
            rig.gateway.refuse()
        else:
            rig.gateway.freeze()
        share = await _cpu_share(worker)
        assert (await records.get(ledger, job)).in_flight <= 8 * 2 * 100
        rig.gateway.accept()
        rig.gateway.thaw()
        await ended(ledger, job, 40)
        await agrees(rig, ledger, job, references, maybe=True)
    said = _said(worker)
    assert share < MOST_CPU
    assert len(said) <= MOST_PLATFORM_LINES, said
    assert statuses([worker]) == [0]


def _said(worker: Worker) -> list[dict[str, Any]]:
    return [line for line in log_lines(worker) if line["level"] != "info" and line["event"] != RESENT]


async def _rate(ledger: Ledger, job: str) -> float:
    """Results a second, over one."""
    began, before = time.monotonic(), (await records.get(ledger, job)).settled
    await asyncio.sleep(RATED_S)  # the span over which the rate is measured
    return ((await records.get(ledger, job)).settled - before) / (time.monotonic() - began)


async def _cpu_share(worker: Worker) -> float:
    """The share of a processor that it takes, once what was under way has failed."""
    process = psutil.Process(worker.process.pid)
    await asyncio.sleep(SETTLING_S)  # nothing tells when what was under way has failed
    began, spent = time.monotonic(), sum(process.cpu_times()[:2])
    await asyncio.sleep(MEASURED_S)  # the span over which the share is measured
    return (sum(process.cpu_times()[:2]) - spent) / (time.monotonic() - began)
