"""A job always ends: whatever one reference is answered for ever, it comes to its end and holds up no other."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from cancellist.jobs.ledger.core import Ledger
from cancellist.sandbox.faults.kinds import APPLIES, FaultKind, Scope
from tests.acceptance.other_platforms import UNDECIDED, disagreeing
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, all_results, ended, platform, settled, submit

pytestmark = pytest.mark.acceptance

CALLS = [kind for kind in FaultKind if kind in APPLIES[Scope.LIST] or kind in APPLIES[Scope.SINGLE]]
READS = [kind for kind in FaultKind if kind in APPLIES[Scope.READS] and kind != "state-unknown"]
ABOUT_THE_CALLER = [kind for kind in FaultKind if kind[:3] in {"401", "403", "429", "503"}]
"""Told of one reference at a time: where most of what there is were refused so, it would be the account's."""
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
    """Has a job with references of both kinds done beside others; checks that it ended true, and in how many calls."""
    stage.platform.send("PUT", "/sandbox/settings", {"at": at, "hang_ms": 1500, "late_ms": 300, "slow_ms": 50})
    references = [*others]
    for n, reference in enumerate(at):  # each in another list
        references.insert(n * 40, reference)
    worker = stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        beside = asyncio.create_task(_others_go_on(stage, ledger))
        try:
            await ended(ledger, job, within_s)
        finally:
            beside.cancel()
        found = await all_results(ledger, job)
    assert Counter(r.reference for r in found) == Counter(references)
    record = stage.platform.record(references)
    assert not disagreeing(found, record)
    given_up = [r for r in found if r.reference not in at and r.outcome in UNDECIDED]
    assert not given_up, (len(given_up), given_up[:3])
    most = max(record[reference]["cancel_calls"] for reference in at)
    assert most <= MOST_CALLS
    assert worker.end() == 0


async def _others_go_on(stage: Stage, ledger: Ledger) -> None:
    """Other jobs, of which some references are cancelled and some are refused and read, until it is cancelled."""
    unseen = iter(stage.platform.references(60_000)[30_000:])
    while True:
        await submit(ledger, [next(unseen) for _ in range(60)])
        await asyncio.sleep(0.5)


@pytest.fixture
def stage(tmp_path: Path):
    with (
        running("valkey", tmp_path) as server,
        platform(tmp_path, latency_ms=5) as world,
        Stage(server, world, tmp_path, SETTINGS) as staged,
    ):
        yield staged


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.takes(30)
async def test_whatever_calls_of_one_reference_are_answered_for_ever_its_job_ends_true(stage: Stage, half: int):
    kinds = [kind for kind in CALLS if kind not in ABOUT_THE_CALLER][half::2]
    references = stage.platform.open_references(40 * len(kinds))
    poisoned, others = references[: len(kinds)], references[len(kinds) :]
    await played(stage, told(kinds, [Scope.LIST, Scope.SINGLE], poisoned), others, 120)


@pytest.mark.takes(25)
async def test_whatever_reads_of_one_reference_are_answered_for_ever_its_job_ends_true(stage: Stage):
    kinds = [kind for kind in READS if kind not in ABOUT_THE_CALLER]
    manifested = _manifested(stage, len(kinds))
    await played(stage, told(kinds, [Scope.READS], manifested), stage.platform.open_references(len(kinds) * 10), 120)


def _manifested(stage: Stage, count: int) -> list[str]:
    rows = stage.platform.record(stage.platform.references(20_000))
    return [r for r, row in rows.items() if row["state"] == "Manifested"][:count]


@pytest.mark.takes(40)
async def test_whatever_calls_and_reads_of_one_reference_are_answered_for_ever_its_job_ends_true(stage: Stage):
    kinds = [kind for kind in CALLS if kind in READS and kind not in ABOUT_THE_CALLER]
    references = stage.platform.open_references(40 * len(kinds))
    poisoned, others = references[: len(kinds)], references[len(kinds) :]
    await played(stage, told(kinds, [Scope.LIST, Scope.SINGLE, Scope.READS], poisoned), others, 150)


@pytest.mark.parametrize("kind", ["401", "403", "429-before", "503-before"])
async def test_a_reference_whose_calls_alone_are_refused_for_the_caller_ends_while_others_are_done(stage, kind):
    references = stage.platform.open_references(2_000)
    stage.platform.send("PUT", "/sandbox/settings", {"retry_after_s": 0.1})
    await played(stage, told([FaultKind(kind)], [Scope.LIST, Scope.SINGLE], references[:1]), references[1:], 60)


async def test_a_reference_that_alone_is_told_to_wait_holds_up_no_other_for_long(stage):
    references = stage.platform.open_references(1_000)
    at = told([FaultKind("429-before")], [Scope.LIST, Scope.SINGLE], references[500:501])
    stage.platform.send("PUT", "/sandbox/settings", {"at": at, "retry_after_s": 2})
    worker = stage.worker(max_references_per_call=10)
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 999, 20)
        refused = [answer["status"] for answer in stage.platform.calls()].count(429)
    assert 2 <= refused <= 16  # if each had held the account, 999 would have waited for half a minute
    assert worker.end() == 0


async def test_two_that_alone_are_told_to_wait_end_though_all_others_are_done_by_then(stage):
    references = stage.platform.open_references(60)
    at = told([FaultKind("429-before")] * 2, [Scope.LIST, Scope.SINGLE], references[20:22])
    stage.platform.send("PUT", "/sandbox/settings", {"at": at, "retry_after_s": 1})
    worker = stage.worker(max_references_per_call=1)
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 58, 20)
        await ended(ledger, job, 40)
        found = await all_results(ledger, job)
    assert not disagreeing(found, stage.platform.record(references))
    assert {r.reference for r in found if r.outcome in UNDECIDED} == set(at)
    assert worker.end() == 0


@pytest.mark.parametrize("kind", ["401", "429-before", "503-before"])
async def test_a_reference_whose_reads_alone_are_refused_for_the_caller_ends_while_others_are_read(stage, kind):
    manifested = _manifested(stage, 400)
    await played(stage, told([FaultKind(kind)], [Scope.READS], manifested[:1]), manifested[1:], 60)


async def test_one_list_of_which_a_reference_is_refused_with_429_for_ever_ends_though_nothing_else_is_called(stage):
    references = stage.platform.open_references(50)
    at = told([FaultKind("429-before")], [Scope.LIST, Scope.SINGLE], references[:1])
    await played(stage, at, references[1:], 60)
