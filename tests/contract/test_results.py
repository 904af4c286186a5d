from dataclasses import replace

from cancellist.jobs.ledger import claims, control, housekeeping, results
from cancellist.jobs.ledger.claims import Settlement, Share
from cancellist.jobs.model import Outcome, Result
from cancellist.jobs.responses.steps import WriteResult
from tests.contract.steps import (
    AGAIN,
    CANCELLED,
    READ,
    TERMS,
    A,
    claim,
    drained,
    outcomes,
    refs,
    settle,
    submit,
)

WIDE = replace(TERMS, limit=50, per_call=100)


async def pages(ledger, job, **options):
    return [(at, page) async for at, page in results.of_job(ledger, job, **options)]


async def collected(ledger, job, **options):
    return [result for _, page in await pages(ledger, job, **options) for result in page]


async def test_a_result_is_read_with_all_that_is_known_of_it(ledger):
    job = await submit(ledger, refs(2), malformed=1)
    before = await ledger.now_ms()
    taken = await claim(ledger)
    full = WriteResult(Outcome.MANIFESTED, 3, 200, "too late", "InTransit")
    shares = [[Share(full, (refs(2)[0],), 1), Share(CANCELLED, (refs(2)[1],), 1)]]
    await claims.settle(ledger, A, Settlement(taken.id, shares), None, TERMS)
    await housekeeping.slices(ledger, A, job)
    one, two, three = await collected(ledger, job)
    assert one == Result(job, refs(2)[0], Outcome.MANIFESTED, 200, 3, "too late", "InTransit", one.at_ms)
    assert two == Result(job, refs(2)[1], Outcome.CANCELLED, 200, 1, None, None, two.at_ms)
    assert three == Result(job, "bad 1", Outcome.INVALID, None, 0, "line 1: no reference", None, three.at_ms)
    assert before <= one.at_ms <= two.at_ms <= three.at_ms <= await ledger.now_ms()


async def test_a_job_without_results_gives_none(ledger):
    job = await submit(ledger, refs(5))
    assert await collected(ledger, job) == []
    assert await collected(ledger, "nosuchjob") == []


async def test_the_results_of_a_job_are_read_in_order_among_those_of_others(ledger):
    jobs = [await submit(ledger, refs(330, 1000 * n)) for n in range(3)]
    order = {job: [] for job in jobs}
    while isinstance(taken := await claims.claim(ledger, A, next_ask()), claims.Claim):
        for part in taken.parts:
            order[part.job] += part.piece.references
        await settle(ledger, taken)
    for job in jobs:
        found = await collected(ledger, job)
        assert [result.reference for result in found] == order[job]
        assert {result.job for result in found} == {job}


def next_ask():
    next_ask.count += 1
    return claims.Ask(f"r{next_ask.count}", "d1", "any", 0, replace(TERMS, per_call=45))


next_ask.count = 0


async def test_jobs_that_share_calls_have_their_own_results(ledger):
    jobs = [await submit(ledger, refs(3, n)) for n in range(8)]
    await drained(ledger)
    for n, job in enumerate(jobs):
        assert [result.reference for result in await collected(ledger, job)] == refs(3, n)


async def test_results_of_retries_and_reads_come_after_those_of_the_first_call(ledger):
    job = await submit(ledger, refs(6))
    taken = await claim(ledger)
    a, b, c, d, e, f = refs(6)
    shares = [[Share(AGAIN, (a, c), 2), Share(CANCELLED, (b, f), 2), Share(READ, (d, e), 2)]]
    await claims.settle(ledger, A, Settlement(taken.id, shares, (taken.id,)), None, TERMS)
    await drained(ledger)
    found = [result.reference for result in await collected(ledger, job)]
    assert found[:2] == [b, f]
    assert sorted(found[2:]) == [a, c, d, e]
    assert found.index(a) < found.index(c)


async def test_the_entries_of_a_settle_stand_together_in_the_index(ledger):
    one, two = await submit(ledger, refs(100)), await submit(ledger, refs(100, 500))
    for _ in range(2):
        await settle(ledger, await claim(ledger, terms=WIDE))
    for job in (one, two):
        assert await ledger.redis.llen(f"cancellist:job:{job}:runs") == 1
        assert len(await collected(ledger, job)) == 100


async def test_reading_one_job_reads_only_its_own_stretches_of_the_stream(ledger):
    small = await submit(ledger, refs(10))
    await drained(ledger)
    await submit(ledger, refs(3000, 5000))
    await drained(ledger, WIDE)
    await ledger.redis.config_resetstat()
    assert len(await collected(ledger, small)) == 10
    stats = await ledger.redis.info("commandstats")
    assert stats["cmdstat_xrange"]["calls"] == 1
    assert "cmdstat_xread" not in stats


async def test_a_long_job_comes_in_pages_of_bounded_size(ledger):
    job = await submit(ledger, refs(4500))
    await drained(ledger, WIDE)
    sizes = [len(page) for _, page in await pages(ledger, job)]
    assert sum(sizes) == 4500
    assert max(sizes) <= 1100


async def test_a_run_longer_than_a_page_is_read_whole(ledger):
    job = await submit(ledger, refs(2500))
    terms = replace(TERMS, per_call=2500)
    await settle(ledger, await claim(ledger, terms=terms), terms=terms)
    assert [result.reference for result in await collected(ledger, job)] == refs(2500)


async def test_many_short_runs_are_read_in_order(ledger):
    job = await submit(ledger, refs(5), malformed=450)
    await drained(ledger)
    await housekeeping.slices(ledger, A, job)
    found = [result.reference for result in await collected(ledger, job)]
    assert found == refs(5) + [f"bad {n}" for n in range(1, 451)]


async def test_reading_goes_on_where_it_stopped(ledger):
    job = await submit(ledger, refs(700))
    for _ in range(3):
        await settle(ledger, await claim(ledger, terms=WIDE))
    at = 0
    seen = []
    for runs, page in await pages(ledger, job):
        at, seen = runs, seen + page
    assert len(seen) == 300
    assert await collected(ledger, job, skip_runs=at) == []
    await drained(ledger, WIDE)
    seen += await collected(ledger, job, skip_runs=at)
    assert [result.reference for result in seen] == refs(700)


async def test_the_index_agrees_with_the_stream_for_every_job(ledger):
    jobs = [await submit(ledger, refs(60, 7 * n), malformed=n) for n in range(6)]
    for n in range(12):
        taken = await claim(ledger, terms=WIDE)
        await settle(ledger, taken, CANCELLED if n % 3 else AGAIN, terms=WIDE)
        if n == 6:
            await control.abort_job(ledger, jobs[5])
        if not await ledger.redis.zcard("cancellist:account:default:calls"):
            break
    await drained(ledger, WIDE)
    while await housekeeping.slice_oldest(ledger, A):
        pass
    for job in jobs:
        indexed = {result.reference: str(result.outcome) for result in await collected(ledger, job)}
        assert indexed == await outcomes(ledger, job)
        assert len(indexed) == 60 + jobs.index(job)
