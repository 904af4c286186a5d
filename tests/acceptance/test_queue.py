"""What else is in the queue of drains ends no worker, and keeps none from the drains that it serves."""

import pytest
from arq.constants import job_key_prefix

from cancellist.jobs.ledger.core import Ledger
from tests.support.stage import Stage, all_results, ended, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

KEPT = 100
"""Drains of an account that stay for a worker that serves it."""


async def put_first(ledger: Ledger, *members: bytes) -> None:
    """Puts members before every drain, with a job behind each as arq wants it."""
    pipe = ledger.redis.pipeline(transaction=False)
    pipe.zadd(ledger.keys.drain_queue, dict.fromkeys(members, 1))
    for member in members:
        pipe.set(job_key_prefix.encode() + member, b"\x80", ex=600)
    await pipe.execute()


@pytest.mark.parametrize(
    "member",
    [b"x", b"", b"drain:default", b"\xff\xfe\xfd", b"cancellist:default:\xff", b"cancellist:\xff:drain1"],
)
async def test_what_is_no_drain_is_dropped_and_the_worker_goes_on(valkey_stage: Stage, member: bytes) -> None:
    async with valkey_stage.ledger() as ledger:
        await put_first(ledger, member)
        worker = valkey_stage.worker()
        job = await submit(ledger, valkey_stage.platform.references(300))
        await ended(ledger, job, 30)
        await until(lambda: ledger.redis.zscore(ledger.keys.drain_queue, member), lambda score: score is None, 30)
        assert not await ledger.redis.exists(job_key_prefix.encode() + member)
        assert len(await all_results(ledger, job)) == 300
    assert worker.end() == 0


async def test_thousands_of_drains_that_nobody_serves_hold_up_no_served_account(valkey_stage: Stage) -> None:
    absent = [b"cancellist:absent:drain%d" % n for n in range(6_000)]
    async with valkey_stage.ledger() as ledger:
        await put_first(ledger, *absent)
        worker = valkey_stage.worker()
        job = await submit(ledger, valkey_stage.platform.references(3_000))
        await ended(ledger, job, 15)
        left = await until(
            lambda: ledger.redis.zrange(ledger.keys.drain_queue, 0, -1), lambda members: len(members) == KEPT, 30
        )
        assert set(left) <= set(absent)
        assert await ledger.redis.exists(*(job_key_prefix.encode() + member for member in absent)) == KEPT
    assert worker.end() == 0
