"""Enqueueing drains: due on every clock, and noted where the server has no room for them."""

import time
from collections.abc import AsyncIterator

import pytest

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from tests.acceptance.faults.harness.proxy import Cut, proxied
from tests.support.ledgers import opened_ledger

QUEUE = "cancellist:drains"


@pytest.fixture
async def full(ledger: Ledger) -> AsyncIterator[Ledger]:
    """A ledger on a server that takes no more."""
    await ledger.redis.config_set("maxmemory", 1)
    yield ledger
    await ledger.redis.config_set("maxmemory", 0)


async def test_a_drain_is_due_on_a_clock_that_is_behind(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda clock=time.time: clock() + 7200)
    await schedule(ledger, "default", ["drain1"])
    (queued,) = await ledger.redis.zrange(QUEUE, 0, -1, withscores=True)
    assert queued == (b"cancellist:default:drain1", 1000.0)
    assert await ledger.redis.pttl("arq:job:cancellist:default:drain1") > 86_400_000 * 365


async def test_a_drain_that_a_full_server_does_not_take_is_noted(full: Ledger) -> None:
    await schedule(full, "default", ["drain1"])
    assert full.unqueued == {"default"}
    assert await full.redis.zcard(QUEUE) == 0


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("step", ["WATCH", "EXISTS", "EXEC"])
async def test_a_connection_cut_at_any_step_of_arq_fails_nothing(ledger: Ledger, step: str, cut: Cut) -> None:
    path = ledger.redis.connection_pool.connection_kwargs["path"]
    with proxied(path) as proxy:
        async with opened_ledger(f"redis://{proxy.address}") as through:
            aim = proxy.aim(step, cut)
            await schedule(through, "default", ["drain1"])
            assert aim.hits == 1
            await schedule(through, "default", ["drain1"])  # as the sweep does for a drain that is missing
    assert await ledger.redis.zrange(QUEUE, 0, -1) == [b"cancellist:default:drain1"]
