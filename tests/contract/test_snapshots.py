"""Jobs whose records are kept before each call: their claims say so, whichever way they came, and pay for the reads."""

from dataclasses import replace

import pytest

from cancellist.jobs.ledger import housekeeping, records
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.ledger.submitting.retry import Asked
from cancellist.jobs.model import Outcome
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from tests.contract.steps import TERMS, A, claim, drained, many_small_jobs, refs, settle, submit

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
