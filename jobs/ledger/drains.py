"""Schedules drains in arq, and wakes workers that wait.

A drain is an arq job whose arguments are ids only. A lost drain does no harm: the ledger lists the live drains, and the
sweep asks for any that are missing.
"""

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack  # type: ignore[import-untyped]
from arq.connections import ArqRedis
from redis.exceptions import ResponseError, WatchError

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.server.redis_client import QuietRedis
from cancellist.jobs.ledger.server.redis_errors import refuses_for_memory

FUNCTION = "drain"
_TEN_YEARS = timedelta(days=3650)
_DUE = datetime.fromtimestamp(1, UTC)
"""A time that is past on every clock. arq compares the enqueuer's time with the worker's clock: a worker whose clock is
an hour behind would wait for an hour."""


def serialize(value: dict[str, Any]) -> bytes:
    """Serialises an arq job as msgpack. Pickle is never used: it runs code from its input.

    The result of a drain that arq gives up is an exception. Only its name is kept, since its text may hold a secret.
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
    """arq's client, with errors that hold nothing of their input."""


def arq_pool(ledger: Ledger) -> ArqRedis:
    """Arq's client on the ledger's connections, with their timeouts and retries."""
    return _QuietArq(
        pool_or_conn=ledger.redis.connection_pool,
        job_serializer=serialize,
        job_deserializer=deserialize,
        default_queue_name=ledger.keys.drain_queue,
    )


async def schedule(ledger: Ledger, account: str, names: Iterable[str]) -> None:
    """Has arq run the drains that a script named, and wakes the workers.

    A full server refuses arq's jobs, although a drain would make room. The account is then added to `ledger.unqueued`.
    """
    wanted = list(names)
    if not wanted:
        return
    pool = arq_pool(ledger)
    with translated():
        try:
            for name in wanted:
                job = f"{ledger.keys.namespace}:{account}:{name}"
                with contextlib.suppress(WatchError):  # the connection was lost between arq's steps: the drain is lost
                    await pool.enqueue_job(FUNCTION, account, name, _job_id=job, _defer_until=_DUE, _expires=_TEN_YEARS)
        except ResponseError as error:
            if not refuses_for_memory(error):
                raise
            ledger.unqueued.add(account)
        await ledger.redis.publish(ledger.keys.wake, account)


def account_of(arq_job: str) -> str | None:
    """The account in a drain's arq job id; None where the id is not a drain's."""
    parts = arq_job.rsplit(":", 2)
    return (parts[1] or None) if len(parts) == 3 else None  # noqa: PLR2004 - namespace, account, name
