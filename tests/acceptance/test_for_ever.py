"""A job always ends: whatever one reference is answered for ever, it comes to its end and holds up no other."""

from collections import Counter
from pathlib import Path

import pytest

from jobs.outcomes import Outcome
from sandbox.kinds import APPLIES, FaultKind, Scope
from tests.acceptance.other_platforms import disagreeing
from tests.acceptance.stage import LEASE_S, Stage, all_results, ended, platform, submit
from tests.servers import running

pytestmark = pytest.mark.acceptance

CALLS = [kind for kind in FaultKind if kind in APPLIES[Scope.LIST] or kind in APPLIES[Scope.SINGLE]]
READS = [kind for kind in FaultKind if kind in APPLIES[Scope.READS]]
DENIALS = {FaultKind("401"), FaultKind("403")}
SETTINGS = {
    "max_concurrent_calls": "8", "lease_seconds": str(LEASE_S), "call_timeout": "1", "retry_base": "0.02",
    "retry_cap": "0.2", "max_attempts": "4", "max_references_per_call": "50",
    "breaker_outage_first_ms": "20", "breaker_outage_most_ms": "100",
    "breaker_denied_first_ms": "20", "breaker_denied_most_ms": "100",
}  # fmt: skip
MOST_CALLS = 150
"""Of one reference: of each halving, of its attempts, and of the probes between them while the breaker is open."""


def told(kinds: list[FaultKind], scopes: list[Scope], references: list[str]) -> dict[str, dict[str, None]]:
    """Settings of the sandbox: each reference is answered in one way for ever."""
    return {
        reference: {f"{scope}:{kind}": None for scope in scopes if kind in APPLIES[scope]}
        for kind, reference in zip(kinds, references, strict=True)
    }


async def played(stage: Stage, at: dict[str, dict[str, None]], others: list[str], within_s: float) -> None:
    """Has a job with references of both kinds done; checks that it ended true, and in how many calls."""
    stage.platform.send("PUT", "/sandbox/settings", {"at": at, "hang_ms": 1500, "late_ms": 300, "slow_ms": 50})
    references = [*others]
    for n, reference in enumerate(at):  # each in another list
        references.insert(n * 40, reference)
    worker = stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, within_s)
        found = await all_results(ledger, job)
    assert Counter(r.reference for r in found) == Counter(references)
    record = stage.platform.record(references)
    assert not disagreeing(found, record)
    by_others = Counter(r.outcome for r in found if r.reference not in at)
    assert not {Outcome.FAILED, Outcome.UNCONFIRMED} & by_others.keys(), by_others
    most = max(record[reference]["cancel_calls"] for reference in at)
    assert most <= MOST_CALLS
    assert worker.end() == 0


@pytest.fixture
def stage(tmp_path: Path):
    with (
        running("valkey", tmp_path) as server,
        platform(tmp_path, latency_ms=5) as world,
        Stage(server, world, tmp_path, SETTINGS) as staged,
    ):
        yield staged


@pytest.mark.parametrize("half", [0, 1])
async def test_whatever_calls_of_one_reference_are_answered_for_ever_its_job_ends_true(stage: Stage, half: int):
    kinds = [kind for kind in CALLS if kind not in DENIALS][half::2]
    references = stage.platform.open_references(40 * len(kinds))
    poisoned, others = references[: len(kinds)], references[len(kinds) :]
    await played(stage, told(kinds, [Scope.LIST, Scope.SINGLE], poisoned), others, 120)


async def test_whatever_reads_of_one_reference_are_answered_for_ever_its_job_ends_true(stage: Stage):
    rows = stage.platform.record(stage.platform.references(20_000))
    manifested = [r for r, row in rows.items() if row["state"] == "Manifested"][: len(READS)]
    others = stage.platform.open_references(len(READS) * 10)
    await played(stage, told(READS, [Scope.READS], manifested), others, 120)


async def test_whatever_calls_and_reads_of_one_reference_are_answered_for_ever_its_job_ends_true(stage: Stage):
    kinds = [kind for kind in CALLS if kind in READS and kind not in DENIALS]
    references = stage.platform.open_references(40 * len(kinds))
    poisoned, others = references[: len(kinds)], references[len(kinds) :]
    await played(stage, told(kinds, [Scope.LIST, Scope.SINGLE, Scope.READS], poisoned), others, 150)


@pytest.mark.parametrize("status", ["401", "403", "429-before"])
async def test_a_reference_that_alone_is_refused_for_the_caller_ends_while_others_are_done(stage: Stage, status: str):
    references = stage.platform.open_references(2_000)
    at = told([FaultKind(status)], [Scope.LIST, Scope.SINGLE], references[:1])
    stage.platform.send("PUT", "/sandbox/settings", {"retry_after_s": 0.1})
    await played(stage, at, references[1:], 60)


async def test_one_list_of_which_a_reference_is_refused_with_429_for_ever_ends_though_nothing_else_is_called(stage):
    references = stage.platform.open_references(50)
    at = told([FaultKind("429-before")], [Scope.LIST, Scope.SINGLE], references[:1])
    await played(stage, at, references[1:], 90)
