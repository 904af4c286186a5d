"""What settings ask of each job holds whoever has them: who hands it in, or a worker that came before or after it."""

from dataclasses import dataclass

import pytest

from cancellist.jobs.ledger import housekeeping, records
from cancellist.jobs.ledger.claims import Claim, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRecord, JobRequest, JobState
from cancellist.jobs.safety.failure_stop import stop_of
from cancellist.jobs.safety.guard import Guard
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from tests.contract.steps import TERMS, A, ask, refs, seal

COUNT = 12


@dataclass(frozen=True)
class Bound:
    """What a job shows of the safeguards, once a worker has asked for its calls."""

    state: JobState = JobState.RUNNING
    stop: str = ""
    canary: int = 0
    records: bool = False
    approvals: int = 0


CASES = {
    "hold": (Safeguards(hold_ms=60_000), Bound(JobState.HELD)),
    "stop": (Safeguards(stop=stop_of("5", "10%")), Bound(stop="refused:5 unconfirmed:10%")),
    "canary": (Safeguards(canary=3), Bound(canary=3)),
    "canary of large jobs": (Safeguards(canary=3, canary_above=COUNT - 1), Bound(canary=3)),
    "canary of larger jobs": (Safeguards(canary=3, canary_above=COUNT), Bound()),
    "records": (Safeguards(snapshot=True), Bound(records=True)),
    "approval": (Safeguards(guard=Guard(approve_above=5)), Bound(JobState.HELD, approvals=1)),
    "guard": (Safeguards(guard=Guard(max_references=5, approvals_required=2)), Bound(JobState.HELD, approvals=2)),
}


def _bound(record: JobRecord, taken: bool) -> Bound:
    assert taken == (record.state is JobState.RUNNING)
    return Bound(
        record.state, record.stop, record.canary.size if record.canary else 0, record.order.snapshot,
        record.approval.wanted if record.approval else 0,
    )  # fmt: skip


async def _hand_in(ledger: Ledger, way: str, own: Safeguards) -> None:
    if way == "request":
        one = Submission(ledger, JobRequest(), own)
        await one.add(refs(COUNT))
        await seal(one)
        return
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    small = intake.SmallJob(entry.id, JobRequest(), refs(COUNT), [], 0)
    await intake.seal_small(ledger, A, [small], own, idempotency_keep_s=60, per_call=10)


@pytest.mark.parametrize("way", ["request", "intake"])
@pytest.mark.parametrize("who", ["who hands in", "a worker before", "a worker after"])
@pytest.mark.parametrize("case", CASES)
async def test_a_setting_binds_every_job(ledger: Ledger, case: str, who: str, way: str) -> None:
    asked, expected = CASES[case]
    if who == "a worker before":
        await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=asked)
    await _hand_in(ledger, way, asked if who == "who hands in" else NONE)
    if who == "a worker after":
        await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=asked)
    answer = await ask(ledger, terms=Terms(limit=3, per_call=100, linger_ms=0))
    (record,) = await records.newest(ledger)
    assert _bound(record, isinstance(answer, Claim)) == expected
