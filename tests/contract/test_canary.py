"""The canary: a few references, drawn from all over the input, are cancelled and read back before the rest."""

import pytest

from cancellist.jobs.ledger import control, housekeeping, records
from cancellist.jobs.ledger.claims import Claim, Terms, Wait
from cancellist.jobs.ledger.references import open_references
from cancellist.jobs.ledger.submitting import intake, retry
from cancellist.jobs.ledger.submitting.intake import SmallJob
from cancellist.jobs.ledger.submitting.retry import Asked
from cancellist.jobs.model import JobRequest, JobState, Outcome
from cancellist.jobs.responses.steps import ReadState, WriteResult
from cancellist.jobs.safety.failure_stop import HaltCause, HaltPlace, halt_of
from cancellist.jobs.safety.safeguards import Safeguards
from tests.contract.steps import (
    TERMS,
    A,
    ask,
    claim,
    deadline_passes,
    drained,
    lease_passes,
    many_small_jobs,
    outcomes,
    queued,
    refs,
    settle,
    state_of,
    submit,
    sweep,
)

CONFIRMED = ReadState(0.0, 0, 1, confirmed=True)
READ_CANCELLED = WriteResult(Outcome.CANCELLED, 1, 200, state="Cancelled")
WIDE = Terms(limit=3, per_call=200, linger_ms=0)


async def look(ledger, job):
    return (await records.get(ledger, job)).canary


async def halt(ledger, job):
    return halt_of(await records.get(ledger, job))


async def called(ledger, *, terms=WIDE):
    """Claims and confirms until only reads are left; answers the references that were called."""
    found = []
    while isinstance(answer := await ask(ledger, terms=terms), Claim):
        if answer.kind == "reads":
            await settle(ledger, answer, READ_CANCELLED, terms=terms)
            continue
        assert all(part.piece.read_back for part in answer.parts)
        found += answer.references
        await settle(ledger, answer, CONFIRMED, terms=terms)
    return found


async def canary_ends(ledger, *ends):
    """Settles the references of a canary of that many one after another, each with its own outcome."""
    for outcome in ends:
        answer = await claim(ledger, terms=Terms(limit=3, per_call=1, linger_ms=0))
        assert answer.parts[0].piece.read_back
        await settle(ledger, answer, WriteResult(outcome, 1, 200))


@pytest.mark.parametrize(("count", "size"), [(1000, 20), (1001, 7), (99, 98), (150, 100), (5000, 1000), (3, 2)])
async def test_it_has_one_of_each_part_of_the_input_and_the_rest_waits(ledger, count, size):
    job = await submit(ledger, refs(count), canary=size)
    answer = await claim(ledger, terms=Terms(limit=3, per_call=1000, linger_ms=0))
    drawn = sorted(answer.references)
    assert len(drawn) == size
    places = [refs(count).index(reference) for reference in drawn]
    parts = [(n * count // size, (n + 1) * count // size) for n in range(size)]
    assert all(low <= place < high for place, (low, high) in zip(places, parts, strict=True))
    assert isinstance(await ask(ledger, terms=WIDE), Wait)
    canary = await look(ledger, job)
    assert (canary.size, canary.waiting, canary.passed_at_ms) == (size, count - size, None)
    assert (await records.get(ledger, job)).pending == count - size


async def test_it_differs_from_job_to_job(ledger):
    drawn = set()
    for first in range(0, 5000, 1000):
        job = await submit(ledger, refs(1000, first), canary=10)
        answer = await claim(ledger, terms=WIDE)
        drawn.add(tuple(int(reference[-3:]) for reference in answer.references))
        await settle(ledger, answer, WriteResult(Outcome.FAILED, 1, 500), terms=WIDE)
        assert await state_of(ledger, job) is JobState.HALTED
    assert len(drawn) == 5


async def test_the_rest_follows_once_each_was_read_back(ledger):
    job = await submit(ledger, refs(500), canary=10)
    await settle(ledger, await claim(ledger, terms=WIDE), CONFIRMED, terms=WIDE)
    for left in range(10, 0, -1):
        answer = await claim(ledger, terms=WIDE)
        assert (answer.kind, answer.parts[0].piece.confirmed) == ("reads", True)
        assert (await look(ledger, job)).waiting == 490, left
        await settle(ledger, answer, READ_CANCELLED, terms=WIDE)
    canary = await look(ledger, job)
    assert canary.waiting == 0
    assert canary.passed_at_ms
    taken = await drained(ledger, terms=WIDE)
    assert not any(part.piece.read_back for one in taken for part in one.parts)
    assert await state_of(ledger, job) is JobState.COMPLETED
    assert await outcomes(ledger, job) == dict.fromkeys(refs(500), Outcome.CANCELLED)


GOOD = [Outcome.CANCELLED] * 9


@pytest.mark.parametrize(
    ("ends", "order", "found"),
    [
        ([*GOOD, Outcome.UNCONFIRMED], {}, (HaltCause.UNCONFIRMED, "0", 1)),
        ([*GOOD, Outcome.FAILED], {"max_unconfirmed": "50"}, (HaltCause.UNCONFIRMED, "0", 1)),
        ([*GOOD, Outcome.REJECTED], {}, (HaltCause.REFUSED, "0", 1)),
        ([*GOOD, Outcome.NOT_FOUND], {"max_refused": "9%"}, (HaltCause.REFUSED, "9%", 1)),
        ([*GOOD, Outcome.MANIFESTED], {"max_refused": "9"}, (HaltCause.REFUSED, "9", 1)),
        ([Outcome.ALREADY_CANCELLED] * 10, {}, (HaltCause.NONE_CANCELLED, "0", 0)),
    ],
)
async def test_the_job_halts_where_it_shows_that_something_is_wrong(ledger, ends, order, found):
    job = await submit(ledger, refs(100), canary=10, **order)
    await canary_ends(ledger, *ends)
    assert await state_of(ledger, job) is JobState.HALTED
    why = await halt(ledger, job)
    assert (why.cause, str(why.limit), why.found, why.results, why.place) == (*found, 10, HaltPlace.CANARY)
    assert "canary" in why.words
    assert isinstance(await ask(ledger), Wait)
    assert (await records.get(ledger, job)).pending == 90
    assert (await control.continue_job(ledger, job, 10))[0] is JobState.RUNNING
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED
    assert len(await outcomes(ledger, job)) == 100


@pytest.mark.parametrize(
    ("ends", "order"),
    [
        ([*GOOD, Outcome.ALREADY_CANCELLED], {}),
        ([*GOOD, Outcome.REJECTED], {"max_refused": "10%"}),
        ([*GOOD, Outcome.NOT_FOUND], {"max_refused": "10"}),  # 10 of 100
    ],
)
async def test_what_the_job_tolerates_lets_it_go_on(ledger, ends, order):
    job = await submit(ledger, refs(100), canary=10, **order)
    await canary_ends(ledger, *ends)
    assert await state_of(ledger, job) is JobState.RUNNING
    assert len(await queued(ledger, job)) == 90


async def test_what_is_smaller_than_its_canary_is_read_back_whole(ledger):
    job = await submit(ledger, refs(5), canary=10)
    assert sorted(await called(ledger)) == refs(5)
    assert await state_of(ledger, job) is JobState.COMPLETED
    assert (await look(ledger, job)).size == 5


async def test_abort_and_deadline_end_the_rest_too(ledger):
    for first, ends in ((0, Outcome.ABORTED), (1000, Outcome.EXPIRED)):
        job = await submit(ledger, refs(300, first), canary=10, deadline_ms=10**13)
        answer = await claim(ledger, terms=WIDE)
        if ends is Outcome.ABORTED:
            await control.abort_job(ledger, job)
        else:
            await deadline_passes(ledger, job)
            await sweep(ledger)
            while await ledger.redis.zcard(f"cancellist:account:{A}:slices"):
                await ledger.run("slice", A, "", 2000)
        await settle(ledger, answer, terms=WIDE)
        found = await outcomes(ledger, job)
        assert len(found) == 300
        assert sorted(r for r, o in found.items() if o is not ends and o != ends) == sorted(answer.references)


async def test_it_is_kept_through_pause_death_and_takeover(ledger):
    job = await submit(ledger, refs(300), canary=10)
    await lease_passes(ledger, await claim(ledger, terms=WIDE))
    await sweep(ledger, terms=WIDE)
    await control.pause_job(ledger, job)
    assert (await look(ledger, job)).waiting == 290
    await control.resume_job(ledger, job, 10)
    answer = await claim(ledger, terms=WIDE)
    assert len(answer.references) == 10
    assert answer.parts[0].piece.read_back
    assert answer.parts[0].piece.maybe_sent


async def test_a_job_that_halted_for_another_reason_goes_on_with_its_canary_first(ledger):
    job = await submit(ledger, refs(100), canary=10, max_refused="0")
    await canary_ends(ledger, Outcome.REJECTED)
    stopped = await halt(ledger, job)
    assert (stopped.place, "results of its canary" in stopped.words) == (HaltPlace.CANARY, True)
    await control.continue_job(ledger, job, 10)
    assert len(await queued(ledger, job)) == 9
    assert (await look(ledger, job)).waiting == 90


async def test_the_canary_of_the_account_holds_for_every_large_job_by_every_way_in(ledger):
    strict = Safeguards(canary=5, canary_above=50)
    await sweep_with(ledger, "w1", strict)
    large, small = await submit(ledger, refs(51)), await submit(ledger, refs(50, 100))  # these know nothing of it
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    entry = (await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1))[0]
    streamed = SmallJob(entry.id, JobRequest(), refs(60, 200), [], 0)
    await intake.seal_small(ledger, A, [streamed], idempotency_keep_s=60, per_call=10)
    named = {part.job: len(part.piece.references) for part in (await claim(ledger, terms=WIDE)).parts}
    assert sorted(named.values()) == [5, 5, 50]
    assert (named[large], named[small], (await look(ledger, large)).size) == (5, 50, 5)
    assert await look(ledger, small) is None


async def test_a_canary_that_was_set_before_the_start_holds(ledger):
    job = await submit(ledger, refs(100))
    await sweep_with(ledger, "w1", Safeguards(canary=5))
    assert len((await claim(ledger)).references) == 5
    assert (await look(ledger, job)).size == 5


async def test_the_larger_canary_counts(ledger):
    await sweep_with(ledger, "w1", Safeguards(canary=5))
    await submit(ledger, refs(100), canary=9)
    assert len((await claim(ledger)).references) == 9


async def test_small_jobs_of_the_intake_stream_share_no_call_with_a_canary_that_is_not_theirs(ledger):
    await many_small_jobs(ledger, 3)
    job = await submit(ledger, refs(100, 500), canary=4)
    answer = await claim(ledger)
    marks = {part.job: part.piece.read_back for part in answer.parts}
    assert len(answer.references) == 7
    assert [mark for name, mark in marks.items() if name != job] == [False] * 3
    assert marks[job]


async def test_what_waits_for_the_canary_is_found(ledger):
    job = await submit(ledger, refs(300), canary=10)
    drawn = set((await claim(ledger, terms=WIDE)).references)
    for reference in refs(300):
        if reference not in drawn:
            assert (await open_references.naming(ledger, reference)).jobs == {job}
            break


async def sweep_with(ledger, worker, safeguards):
    return await housekeeping.sweep(ledger, A, worker, TERMS, 30.0, safeguards=safeguards)


@pytest.mark.parametrize(("own", "account", "size"), [(2, 5, 5), (5, 2, 5), (2, 0, 2)])
async def test_a_retry_has_the_larger_canary_of_its_job_and_its_account(ledger, own, account, size):
    job = await submit(ledger, refs(30), canary=own)
    await control.abort_job(ledger, job)
    wanted = await retry.plan(ledger, job, [], Asked())
    made = await retry.make(ledger, wanted, Safeguards(canary=account), idempotency_keep_s=60, per_call=10)
    assert len((await claim(ledger, terms=WIDE)).references) == size
    assert (await look(ledger, made.job)).size == size
