"""References at which the platform always fails end by themselves, and hold up nobody else."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cancellist.jobs.ledger import records
from cancellist.jobs.model import Outcome
from tests.support.puppet import Cancelling, Part, Puppet, references, staged
from tests.support.stage import Stage, Worker, all_results, ended, settled, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

UNCALLABLE = Part(Cancelling.FAILS)
UNREADABLE = Part(Cancelling.REFUSES, unreadable=True)
ENDS = [(UNCALLABLE, Outcome.FAILED), (UNREADABLE, Outcome.UNCONFIRMED)]
KINDS = ["uncallable", "unreadable"]


@pytest.fixture
def puppet() -> Puppet:
    """The platform; each test tells it what to do."""
    return Puppet()


@pytest.fixture
async def stage(tmp_path: Path, puppet: Puppet) -> AsyncIterator[Stage]:
    """A stage on it."""
    async with staged(tmp_path, puppet) as stage:
        yield stage


async def ends_well(worker: Worker) -> None:
    """Ends a worker while the platform goes on in this loop."""
    assert await asyncio.to_thread(worker.end) == 0


@pytest.mark.parametrize(("part", "outcome"), ENDS, ids=KINDS)
async def test_a_lone_reference_at_which_the_platform_always_fails_is_given_up(
    stage: Stage, puppet: Puppet, part: Part, outcome: Outcome
) -> None:
    bad = references(1)
    puppet.tell(bad, part)
    worker = stage.worker(max_attempts=6, call_timeout=1)
    async with stage.ledger() as ledger:
        job = await submit(ledger, bad)
        await ended(ledger, job, 30)
        (result,) = await all_results(ledger, job)
    assert result.outcome is outcome
    assert result.state == ("Allocated" if outcome is Outcome.FAILED else None)
    assert puppet.calls["status"] >= 1
    assert puppet.calls.total() < 40
    await ends_well(worker)


@pytest.mark.parametrize(("part", "outcome"), ENDS, ids=KINDS)
async def test_references_at_which_the_platform_always_fails_hold_up_no_other_job(
    stage: Stage, puppet: Puppet, part: Part, outcome: Outcome
) -> None:
    bad, good = references(20, "B"), references(3_000)
    puppet.tell(bad, part)
    worker = stage.worker()
    async with stage.ledger() as ledger:
        first = await submit(ledger, bad)
        await until(lambda: _asked(puppet), lambda calls: calls >= 7, 30)  # the breaker has opened
        job = await submit(ledger, good)
        await ended(ledger, job, 10)
        record = await records.get(ledger, first)
        assert not record.state.ended
        assert set(record.outcomes) <= {outcome}
        assert Counter(r.outcome for r in await all_results(ledger, job)) == {Outcome.CANCELLED: 3_000}
    await ends_well(worker)


async def _asked(puppet: Puppet) -> int:
    return puppet.calls.total()


async def test_one_reference_that_spoils_every_list_fails_alone(stage: Stage, puppet: Puppet) -> None:
    given = references(2_000)
    puppet.tell(given[150:151], UNCALLABLE)
    worker = stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, given)
        await ended(ledger, job, 30)
        found = {r.reference: r.outcome for r in await all_results(ledger, job)}
    assert found.pop(given[150]) is Outcome.FAILED
    assert Counter(found.values()) == {Outcome.CANCELLED: 1_999}
    await ends_well(worker)


async def test_words_of_references_that_a_late_call_of_ours_cancels_are_not_taken_to_mean_cancelled(
    stage: Stage, puppet: Puppet
) -> None:
    busy = "The consignment is being processed by another request"
    late, locked = references(100), references(300, "L")
    puppet.tell(late, Part(Cancelling.ACTS_LATE, busy, state="Cancelling"))
    puppet.tell(locked, Part(Cancelling.REFUSES, busy))
    worker = stage.worker(retry_cap=0.3, call_timeout=1, max_references_per_call=10)
    async with stage.ledger() as ledger:
        first = await submit(ledger, late)
        await ended(ledger, first, 30)
        assert {r.outcome for r in await all_results(ledger, first)} == {Outcome.CANCELLED}
        second = await submit(ledger, locked)
        await ended(ledger, second, 30)
        outcomes = Counter(r.outcome for r in await all_results(ledger, second))
    assert outcomes == {Outcome.REJECTED: 300}
    assert puppet.cancelled == set(late)
    await ends_well(worker)


async def test_a_proxys_page_of_413_shortens_lists_and_burns_no_attempt(stage: Stage, puppet: Puppet) -> None:
    puppet.longest = 10
    worker = stage.worker(max_attempts=2)
    async with stage.ledger() as ledger:
        job = await submit(ledger, references(3_000))
        await ended(ledger, job, 30)
        outcomes = Counter(r.outcome for r in await all_results(ledger, job))
    assert outcomes == {Outcome.CANCELLED: 3_000}
    assert puppet.calls["list"] < 3_000 / 10 * 4
    await ends_well(worker)


async def test_a_limit_of_bytes_costs_no_attempt_and_few_calls_where_references_are_long_and_short(
    stage: Stage, puppet: Puppet
) -> None:
    puppet.heaviest, puppet.takes_s = 900, 0.03
    short, long = references(6_000), [f"{reference}-AND-SOME-MORE" for reference in references(6_000, "L")]
    worker = stage.worker(max_attempts=2)
    async with stage.ledger() as ledger:
        jobs = [await submit(ledger, named) for named in (short, long)]
        for job in jobs:
            await ended(ledger, job, 60)
        outcomes = Counter([r.outcome for job in jobs for r in await all_results(ledger, job)])
        after = await submit(ledger, references(20_000, "S"))
        before = puppet.calls["list"]
        await ended(ledger, after, 60)
    assert outcomes == {Outcome.CANCELLED: 12_000}
    assert before < 1.3 * 12_000 / 29
    assert puppet.calls["list"] - before < 1.05 * 20_000 / 29
    assert puppet.calls["too long"] < 0.05 * puppet.calls["list"]
    await ends_well(worker)


async def test_refusals_in_a_state_that_nobody_knows_cost_one_read_each_and_tell_it(
    stage: Stage, puppet: Puppet
) -> None:
    voided = references(300)
    puppet.tell(voided, Part(Cancelling.REFUSES, "it is voided", state="Voided"))
    worker = stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, voided)
        await ended(ledger, job, 30)
        found = Counter((r.outcome, r.state, r.message) for r in await all_results(ledger, job))
    assert found == {(Outcome.REJECTED, "Voided", "it is voided"): 300}
    assert puppet.calls["status"] == 300
    await ends_well(worker)


@pytest.mark.parametrize("fails", [Cancelling.FAILS, Cancelling.CUTS], ids=["500", "cut"])
async def test_references_that_spoil_every_list_there_is_hold_up_none_of_the_others(
    stage: Stage, puppet: Puppet, fails: Cancelling
) -> None:
    given = references(200)
    spoilers = given[50::100]
    puppet.tell(spoilers, Part(fails))
    worker = stage.worker(call_timeout=1, breaker_outage_most_ms=200)
    async with stage.ledger() as ledger:
        job = await submit(ledger, given)
        await settled(ledger, job, len(given) - len(spoilers), 30)
        found = {r.reference: r.outcome for r in await all_results(ledger, job)}
    assert {found[r] for r in given if r not in spoilers} == {Outcome.CANCELLED}
    await ends_well(worker)


async def test_a_lone_reference_whose_state_cannot_be_read_is_called_again_after_an_outage(
    stage: Stage, puppet: Puppet
) -> None:
    given = references(1)
    puppet.tell(given, Part(Cancelling.FAILS, unreadable=True))
    worker = stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, given)
        await until(lambda: _reads(puppet), lambda reads: reads >= 2, 20)
        puppet.tell(given, Part(unreadable=True))
        await ended(ledger, job, 15)
        (result,) = await all_results(ledger, job)
    assert result.outcome is Outcome.CANCELLED
    await ends_well(worker)


async def _reads(puppet: Puppet) -> int:
    return puppet.calls["status"]


async def test_an_empty_success_to_everything_confirms_nothing_of_a_list(stage: Stage, puppet: Puppet) -> None:
    given = references(60)
    puppet.down = True
    worker = stage.worker(max_references_per_call=20, breaker_outage_first_ms=20, breaker_outage_most_ms=50)
    async with stage.ledger() as ledger:
        job = await submit(ledger, given)
        await until(lambda: _asked(puppet), lambda _: puppet.calls["cancel"] >= 20, 60)  # lists were halved to the end
        assert not (await records.get(ledger, job)).outcomes
        puppet.down = False
        await ended(ledger, job, 60)
        outcomes = Counter(r.outcome for r in await all_results(ledger, job))
    assert outcomes == {Outcome.CANCELLED: 60}
    assert puppet.cancelled == set(given)
    await ends_well(worker)
