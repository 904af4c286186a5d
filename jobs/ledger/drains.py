"""Enqueueing drains in arq, and waking those who wait for work.

A drain is an arq job whose arguments are ids only. That none is missing does not depend on this: the ledger lists
the live drains, and the sweep asks for those that are wanted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack  # type: ignore[import-untyped]
from arq.connections import ArqRedis
from redis.exceptions import ResponseError

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.server.redis_client import QuietRedis
from cancellist.jobs.ledger.server.redis_errors import refuses_for_memory

FUNCTION = "drain"
_TEN_YEARS = timedelta(days=3650)
_DUE = datetime.fromtimestamp(1, UTC)
"""Due on every clock: arq compares the time by which it queues, the enqueuer's, with the clock of the worker, and one
that is an hour behind would let work lie for an hour."""


def serialize(value: dict[str, Any]) -> bytes:
    """An arq job as msgpack: never pickle, which runs what it is given.

    The result of a drain that arq gives up is an exception: its name alone is kept, as its words may hold anything.
    """
    return bytes(msgpack.packb(value, use_bin_type=True, default=_name))


def _name(value: object) -> str:
    if isinstance(value, BaseException):
        return type(value).__name__
    raise TypeError(f"a drain holds ids, numbers and words, not {type(value).__name__}")


def deserialize(packed: bytes) -> dict[str, Any]:
    """The reverse of `serialize`."""
    value: dict[str, Any] = msgpack.unpackb(packed, raw=False)
    return value


class _QuietArq(QuietRedis, ArqRedis):  # type: ignore[misc] # redis-py annotates its own mixins at odds
    """Arq's client, whose errors hold nothing of what it was given."""


def arq_pool(ledger: Ledger) -> ArqRedis:
    """Arq's client over the ledger's own connections, with their time limits and retries."""
    return _QuietArq(
        pool_or_conn=ledger.redis.connection_pool,
        job_serializer=serialize,
        job_deserializer=deserialize,
        default_queue_name=ledger.keys.drain_queue,
    )


async def enqueue(ledger: Ledger, account: str, names: Iterable[str]) -> None:
    """Enqueues the drains that a script has named, and wakes the workers.

    A full server takes no job of arq's, though draining is what makes room: that is noted in `ledger.unqueued`.
    """
    wanted = list(names)
    if not wanted:
        return
    pool = arq_pool(ledger)
    with translated():
        try:
            for name in wanted:
                job = f"{ledger.keys.namespace}:{account}:{name}"
                await pool.enqueue_job(FUNCTION, account, name, _job_id=job, _defer_until=_DUE, _expires=_TEN_YEARS)
        except ResponseError as error:
            if not refuses_for_memory(error):
                raise
            ledger.unqueued.add(account)
        await ledger.redis.publish(ledger.keys.wake, account)


def account_of(arq_job: str) -> str | None:
    """The account of a drain's arq job id; None where it is none."""
    parts = arq_job.rsplit(":", 2)
    return (parts[1] or None) if len(parts) == 3 else None  # noqa: PLR2004 - namespace, account, name
