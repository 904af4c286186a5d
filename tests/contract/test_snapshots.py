"""Jobs whose records are kept before each call: their claims say so, whichever way they came, and pay for the reads."""

from dataclasses import replace

import pytest

from cancellist.jobs.ledger import housekeeping, records, snapshots
from cancellist.jobs.ledger.claims import Terms, Wait
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.ledger.submitting.retry import Asked
from cancellist.jobs.model import JobState, Outcome, Priority
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.jobs.safety.environment import Environment
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from tests.contract.steps import (
    TERMS,
    A,
    ask,
    claim,
    drained,
    many_small_jobs,
    queued,
    refs,
    settle,
    state_of,
    submit,
    sweep,
)

KEEPS = Safeguards(snapshot=True)


async def test_only_claims_of_jobs_that_want_it_say_so_and_for_which_jobs(ledger):
    plain = await submit(ledger, refs(3))
    kept = await submit(ledger, refs(3, 100), snapshot=True)
    taken = await claim(ledger)
    assert {part.job for part in taken.parts} == {plain, kept}
    assert taken.kept == {kept}
    assert [(await records.get(ledger, job)).order.snapshot for job in (plain, kept)] == [False, True]


@pytest.mark.parametrize("way", ["request", "intake", "before the setting"])
async def test_no_way_in_passes_a_worker_by_that_asks_it_of_all_jobs(ledger, way):
    if way != "before the setting":
        await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=KEEPS)
    if way == "intake":
        await many_small_jobs(ledger, 1)
    else:
        await submit(ledger, refs(3))
    if way == "before the setting":
        await housekeeping.sweep(ledger, A, "w1", TERMS, 30.0, safeguards=KEEPS)
    (record,) = await records.newest(ledger)
    taken = await claim(ledger)
    assert taken.kept == {record.id}
    assert (await records.get(ledger, record.id)).order.snapshot


async def test_references_that_come_back_keep_it_and_reads_of_states_need_none(ledger):
    job = await submit(ledger, refs(2), snapshot=True)
    taken = await claim(ledger)
    await settle(ledger, taken, CallAgain(0.0, 1, 1, group=0))
    alone = await claim(ledger)
    assert (alone.kind, alone.kept) == ("alone", {job})
    await settle(ledger, alone, ReadState(0.0, 1, 2))
    read = await claim(ledger)
    assert (read.kind, read.kept) == ("reads", frozenset())


async def test_a_retry_keeps_it_and_can_ask_for_it(ledger):
    for first, asked in ((True, False), (False, True), (False, False)):
        job = await submit(ledger, refs(2), snapshot=first)
        await settle(ledger, await claim(ledger), WriteResult(Outcome.FAILED, 1))
        planned = await retry.plan(ledger, job, (), Asked(snapshot=asked))
        made = await retry.make(ledger, planned, NONE, idempotency_keep_s=60, per_call=4)
        assert (await records.get(ledger, made.job)).order.snapshot is (first or asked)
        await drained(ledger)


async def test_a_claim_pays_a_token_of_the_rate_for_each_record(ledger):
    rated = Terms(limit=4, per_call=10, linger_ms=0, interval_us=100_000)
    await submit(ledger, refs(20), snapshot=True)
    began_us = (await ledger.now_ms()) * 1000
    taken = await claim(ledger, terms=rated)
    assert (len(taken.references), taken.apart_us) == (10, 100_000)
    due_us = int(await ledger.redis.hget(ledger.keys.state(A), "tat"))
    assert 1_100_000 <= due_us - began_us < 1_100_000 + 200_000


async def test_where_a_call_has_several_requests_a_record_pays_for_one(ledger):
    rated = replace(Terms(limit=4, per_call=10, linger_ms=0, interval_us=1_200_000), requests=12)
    await submit(ledger, refs(10), snapshot=True)
    taken = await claim(ledger, terms=rated)
    assert taken.apart_us == 100_000


async def test_without_a_rate_nothing_is_spaced(ledger):
    await submit(ledger, refs(5), snapshot=True)
    assert (await claim(ledger, terms=TERMS)).apart_us == 0


BARE = replace(TERMS, keeps_records=False)


async def test_a_worker_that_can_keep_none_does_all_other_calls_and_leaves_the_rest_in_their_place(ledger):
    kept = [await submit(ledger, refs(2, 100 * n), snapshot=True, priority=Priority.URGENT) for n in range(1, 4)]
    await settle(ledger, await claim(ledger, terms=replace(TERMS, per_call=4)), CallAgain(0.0, 1, 1, group=0))
    plain = await submit(ledger, refs(15, 500))
    alone = await submit(ledger, refs(3, 600))
    taken = [await claim(ledger, terms=BARE), await claim(ledger, terms=BARE)]
    assert {part.job for one in taken for part in one.parts} == {plain, alone}
    await settle(ledger, taken[0])
    await settle(ledger, taken[1], CallAgain(0.0, 1, 1, group=0))
    assert [{part.job for part in one.parts} for one in await drained(ledger, BARE)] == [{plain, alone}]
    answer = await ask(ledger, mode="leave", terms=BARE)
    assert isinstance(answer, Wait)
    assert answer.why == "left"
    later = await drained(ledger)
    assert [one.kind for one in later] == ["alone", "calls"]
    assert {part.job for one in later for part in one.parts} == set(kept)
    assert {await state_of(ledger, job) for job in [*kept, plain, alone]} == {JobState.COMPLETED}


@pytest.mark.parametrize(("limit", "reads"), [(1, 2), (3, 2)])
async def test_reads_go_on_beside_calls_that_only_another_worker_can_make(ledger, limit, reads):
    bare = replace(BARE, limit=limit)
    plain = await submit(ledger, refs(reads))
    await settle(ledger, await claim(ledger, terms=bare), ReadState(0.0, 1, 2), terms=bare)
    job = await submit(ledger, refs(5, 100), snapshot=True, priority=Priority.URGENT)
    assert [one.kind for one in await drained(ledger, bare)] == ["reads"] * reads
    assert await state_of(ledger, plain) == JobState.COMPLETED
    assert len(await queued(ledger, job)) == 5


async def test_it_is_told_while_no_live_worker_can_keep_any(ledger):
    async def look():
        seen = await snapshots.look(ledger, job)
        return seen.lacks_records, seen.gate.keeps_no_records

    terms = replace(BARE, platform=Environment("platform.test", is_sandbox=True))
    job = await submit(ledger, refs(3), snapshot=True)
    assert await look() == (False, False)
    assert (await sweep(ledger, terms)).unkept == job
    assert await look() == (True, True)
    assert (await sweep(ledger, replace(terms, keeps_records=True), "w2")).unkept == ""
    assert (await sweep(ledger, terms)).unkept == ""
    assert await look() == (False, False)
    await drained(ledger)
    assert (await sweep(ledger, terms)).unkept == ""
