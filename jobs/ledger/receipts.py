"""Receipts: made once for a job that has ended, kept, and chained to the receipt that was made before.

The leaves of a receipt's tree are in the order in which the results were written. So a receipt of any number of results
takes one reading of the stream and one hash for each level of the tree, and two results that were exchanged are found.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from cancellist.jobs.errors import (
    JobStateError,
    LedgerError,
    LedgerUnfitError,
    ReceiptError,
    ResultsGoneError,
    UnknownJobError,
)
from cancellist.jobs.ledger import audit, records, results
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.receipt_story import story
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.ledger.views.json_views import result_view
from cancellist.jobs.model import JobRecord, JobState, Outcome
from cancellist.jobs.safety import receipt
from cancellist.jobs.safety.merkle import PathBuilder
from cancellist.jobs.safety.receipt import Leaves, Receipt
from cancellist.jobs.times import rfc3339

if TYPE_CHECKING:
    from cancellist.jobs.ledger.receipt_keys import Signer

Progress = Callable[[int, int], None]
"""Is told how many results were read, of how many."""
IN_MEMORY: Final = 500_000
"""References that are kept in memory to see that none has two results; further ones go to disk."""
_PAGE: Final = 100


def _silent(_read: int, _of: int) -> None:
    pass


async def kept(ledger: Ledger, job: str) -> bytes | None:
    """The receipt that a job has; None where it has none yet."""
    with translated():
        line: bytes | None = await ledger.redis.hget(ledger.keys.receipts, job)
    return line


async def make(
    ledger: Ledger, job: str, signer: "Signer | None", progress: Progress = _silent
) -> tuple[bytes, Receipt | None]:
    """The receipt of a job, which is made where it has none; the second is what was just made, else None.

    Args:
        ledger: the ledger.
        job: its id.
        signer: who signs a new receipt; None for nobody.
        progress: is told how far it is.

    Raises:
        UnknownJobError: no such job, and no receipt of it.
        JobStateError: it has not ended.
        ResultsGoneError: some of its results were trimmed.
        LedgerError: the results do not agree with the job's record, or the server does not take it.
    """
    if line := await kept(ledger, job):
        return line, None
    record = await _ended(ledger, job)
    leaves = await _leaves(ledger, record, progress)
    content = {
        "namespace": ledger.keys.namespace,
        "job": await story(ledger, record),
        "counts": {
            "total": record.total,
            "duplicates": record.duplicates,
            "invalid": record.invalid,
            "outcomes": dict(leaves.outcomes),
        },
        "results": leaves.section(),
    }
    return await _chained(ledger, record, content, signer)


async def chain(ledger: Ledger) -> AsyncGenerator[bytes, None]:
    """All receipts there are, in the order in which they were made."""
    at = 0
    while True:
        with translated():
            jobs = await ledger.redis.zrange(ledger.keys.receipts_order, at, at + _PAGE - 1)
            lines = await ledger.redis.hmget(ledger.keys.receipts, jobs) if jobs else []
        for line in lines:
            if line is not None:
                yield line
        if len(jobs) < _PAGE:
            return
        at += len(jobs)


async def proof(ledger: Ledger, line: bytes, reference: str, progress: Progress = _silent) -> bytes:
    """The proof that a reference's result is in a receipt; the reference may be in any case of letters.

    Raises:
        UnknownJobError: the job's record is gone.
        ReceiptError: the job has no result of that reference.
        ResultsGoneError: some of its results were trimmed.
    """
    made = receipt.read(line)
    record = await _ended(ledger, made.job)
    named = {reference, reference.upper()}
    found, at = None, 0
    async with aclosing(_results(ledger, record, progress)) as pages:
        async for page in pages:
            matching = [(at + n, one) for n, one in enumerate(page) if one["reference"] in named]
            found = found or next(iter(matching), None)
            at += len(page)
    _check_whole(record, at)
    if found is None:
        raise ReceiptError(f"job {record.id} has no result of {reference!r}")
    builder = PathBuilder(found[0], at)
    async with aclosing(_results(ledger, record, progress)) as pages:
        async for page in pages:
            for one in page:
                builder.add(receipt.leaf_of(one))
    text = receipt.proof(made, found[1], found[0], builder.path())
    receipt.read_proof(text)
    return text


async def _ended(ledger: Ledger, job: str) -> JobRecord:
    record = await records.get(ledger, job)
    if record.state is JobState.SEALING:
        raise UnknownJobError(job)
    if not record.state.ended:
        raise JobStateError(job, record.state, "given a receipt", hint="wait until it has ended, or abort it")
    return record


async def _leaves(ledger: Ledger, record: JobRecord, progress: Progress) -> Leaves:
    leaves = Leaves()
    with Deduplicator(IN_MEMORY) as seen:
        async with aclosing(_results(ledger, record, progress)) as pages:
            async for page in pages:
                for one in page:
                    leaves.add(one)
                seen.unique([one["reference"] for one in page if one["outcome"] != Outcome.INVALID])
        if seen.duplicates:
            raise LedgerUnfitError(
                f"job {record.id} has two results of {seen.duplicates:,} references: no receipt was made"
            )
    _check_whole(record, leaves.tree.count)
    counted = {outcome.value: count for outcome, count in record.outcomes.items() if count}
    if leaves.outcomes != counted:
        raise LedgerUnfitError(f"the results of job {record.id} do not agree with its counts: no receipt was made")
    return leaves


def _check_whole(record: JobRecord, read: int) -> None:
    if read < record.total:
        raise ResultsGoneError(
            f"{record.total - read:,} of {record.total:,} results of job {record.id} are gone, and a receipt of a "
            "part is not made",
            hint="make receipts before CANCELLIST_RESULTS_KEEP has passed",
        )
    if read > record.total:
        raise LedgerUnfitError(f"job {record.id} has {read - record.total:,} results too many: no receipt was made")


async def _results(
    ledger: Ledger, record: JobRecord, progress: Progress
) -> AsyncGenerator[list[Mapping[str, Any]], None]:
    """The documents of a job's results, page by page, in the order in which they were written."""
    read = 0
    async with aclosing(results.of_job(ledger, record.id)) as pages:
        async for _, page in pages:
            yield [result_view(one) for one in page]
            read += len(page)
            progress(read, record.total)


async def _chained(
    ledger: Ledger, record: JobRecord, content: Mapping[str, Any], signer: "Signer | None"
) -> tuple[bytes, Receipt | None]:
    """Makes the receipt the head of the chain, unless somebody else has made it first."""
    with translated():
        head = (await ledger.redis.get(ledger.keys.receipts_head) or b"").decode()
    while True:
        number, _, previous = head.partition(" ")
        line = receipt.make(
            {
                **content,
                "number": int(number or 0) + 1,
                "previous": previous or None,
                "made_at": rfc3339(await ledger.now_ms()),
            },
            signer.public_key if signer else None,
            signer.sign if signer else bytes,
        )
        made = receipt.read(line)
        answer, *rest = await ledger.run(
            "receipt", record.order.account, record.id, head, f"{made.number} {made.digest}", line
        )
        match answer.decode():
            case "there" if rest[0] != line:
                return rest[0], None
            case "made" | "there":
                act = audit.Act("receipt", record.id, record.order.account, f"number {made.number}")
                await audit.record(ledger, act)
                return line, made
            case "stale":
                head = rest[0].decode()
            case other:
                raise LedgerError(f"the server answered {other!r} to a receipt")
