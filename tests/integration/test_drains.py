"""Enqueueing drains: due on every clock, and noted where the server has no room for them."""

import time
from collections.abc import AsyncIterator

import pytest

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule

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
