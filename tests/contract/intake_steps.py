"""Helpers of the tests beside them."""

from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.intake import SmallJob
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest
from cancellist.jobs.parsing.references import InvalidEntry
from tests.contract.steps import (
    TERMS,
    A,
    refs,
)


async def hand_in(ledger, **fields):
    """Adds an entry as another system would."""
    return (await ledger.redis.xadd("cancellist:intake", fields)).decode()


async def read(ledger, consumer="c1", count=500):
    return await intake.read(ledger, ledger.redis, consumer, count=count, block_ms=1)


def small(entry, references=None, malformed=0, duplicates=0, **order):
    invalid = [InvalidEntry(n, f"bad {n}", "no reference") for n in range(1, malformed + 1)]
    wanted = refs(1) if references is None else references
    return SmallJob(entry.id, JobRequest(**order), wanted, invalid, duplicates)


async def seal(ledger, *jobs):
    words, drains = await intake.seal_small(ledger, A, jobs, idempotency_keep_s=3600, per_call=TERMS.per_call)
    return words, drains


async def large(ledger, entry, references, **order):
    """Seals a large entry in batches of its own."""
    one = Submission(ledger, JobRequest(**order))
    await one.add(references)
    return await one.seal(duplicates=0, idempotency_keep_s=3600, per_call=TERMS.per_call, intake=(GROUP, entry.id))


async def left_over(ledger):
    """Entries in the stream, and those that a reader has not dealt with."""
    pending = await ledger.redis.xpending("cancellist:intake", GROUP)
    return await ledger.redis.xlen("cancellist:intake"), pending["pending"]


async def rejected(ledger):
    """The answers to rejected entries as pairs: raw, since a name that stands there twice must not hide."""
    rows = await ledger.redis.eval(
        "return redis.call('XRANGE', KEYS[1], '-', '+')", 1, "cancellist:intake:rejected"
    )  # fmt: skip
    words = [[word.decode() for word in fields] for _, fields in rows]
    return [list(zip(pairs[::2], pairs[1::2], strict=True)) for pairs in words]
