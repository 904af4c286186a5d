"""Start leases: calls of jobs with a failure stop start unasked for a moment; no job halts by its results before."""

import json
import random
from dataclasses import replace

import pytest

from cancellist.jobs.ledger import claims, control, hosts, records
from cancellist.jobs.ledger.claims import Ask, Claim, HaltPutOffError, Settlement, Share, Terms, Wait
from cancellist.jobs.model import JobState, Outcome, Priority
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.jobs.safety.environment import environment_of
from cancellist.jobs.safety.failure_stop import halt_of
from tests.contract.steps import TERMS, A, ask, claim, entries, key, refs, settle, slots, state_of, submit, sweep

LONG_MS = 3_600_000
"""A lease that surely lasts for as long as the test."""
REJECTED = WriteResult(Outcome.REJECTED, 1, 200)
_numbers = iter(range(1, 1_000_000))


async def leased(ledger, terms=TERMS):
    """Asks for a claim, as a worker does that starts calls unasked."""
    asked = Ask(f"leased{next(_numbers)}", "d1", "any", 0, terms, LONG_MS)
    return await claims.claim(ledger, A, asked)


async def leases_end(ledger):
    """Lets all start leases end, as time does."""
    await ledger.redis.hset(key("state"), "starts_until", 1)


async def ban_ends(ledger):
    """Lets all pass that a halt forbids which never came, as time does."""
    await ledger.redis.hset(key("state"), "halt_at", 1)


async def test_a_worker_that_asks_for_it_has_a_lease_with_a_claim_of_a_job_with_a_stop_alone(ledger):
    await submit(ledger, refs(10))
    plain = await leased(ledger)
    await settle(ledger, plain)
    await submit(ledger, refs(40, 100), max_refused="5")
    unasked, one = await claim(ledger), await leased(ledger)
    assert [(c.guarded, c.leased) for c in (plain, unasked, one)] == [(False, False), (True, False), (True, True)]


async def test_a_settlement_that_would_halt_a_job_is_put_off_and_halts_it_once_no_lease_is_left(ledger):
    job = await submit(ledger, refs(40), max_refused="5")
    taken, _ = await leased(ledger), await leased(ledger)
    with pytest.raises(HaltPutOffError) as put_off:
        await settle(ledger, taken, REJECTED)
    assert 0 < put_off.value.wait_ms <= LONG_MS
    assert await state_of(ledger, job) is JobState.RUNNING
    assert (await entries(ledger), await slots(ledger)) == ([], 2)
    waits = await ask(ledger)
    assert isinstance(waits, Wait)
    assert (waits.why, waits.gate_now > taken.gate) == ("halting", True)
    until_ms = await ledger.now_ms() + 100
    await ledger.redis.hset(key("state"), mapping={"starts_until": until_ms, "halt_at": until_ms})
    while True:
        try:
            await settle(ledger, taken, REJECTED)
        except HaltPutOffError:
            continue
        break
    halted = await records.get(ledger, job)
    assert halted.state is JobState.HALTED
    assert halt_of(halted).at_ms >= until_ms
    assert (halted.outcomes, await slots(ledger)) == ({Outcome.REJECTED: 10}, 1)


@pytest.mark.parametrize(("count", "end"), [(10, JobState.COMPLETED), (40, JobState.HALTED)])
async def test_a_job_of_which_nothing_else_is_under_way_holds_nobody_up(ledger, count, end):
    other = await submit(ledger, refs(40, 100), max_refused="5")
    beside = await leased(ledger)
    job = await submit(ledger, refs(count), max_refused="0", priority=Priority.URGENT)
    taken = await leased(ledger)
    assert ([part.job for part in taken.parts], [part.job for part in beside.parts]) == ([job], [other])
    await settle(ledger, taken, REJECTED)
    assert (await state_of(ledger, job), await state_of(ledger, other)) == (end, JobState.RUNNING)
    assert (await leased(ledger)).leased


async def test_what_comes_after_a_settlement_that_is_put_off_counts_after_it(ledger):
    job = await submit(ledger, refs(60), max_refused="10%")
    await settle(ledger, await leased(ledger), WriteResult(Outcome.CANCELLED, 1, 200))
    first, second, third = await leased(ledger), await leased(ledger), await leased(ledger)
    with pytest.raises(HaltPutOffError):
        await settle(ledger, first, REJECTED)
    await leases_end(ledger)
    for later in (second, third):
        with pytest.raises(HaltPutOffError):
            await settle(ledger, later)
    await settle(ledger, first, REJECTED)
    await settle(ledger, second)
    halt = halt_of(await records.get(ledger, job))
    assert (halt.found, halt.results) == (10, 20)


async def test_the_gate_rises_once_however_often_and_by_whomever_a_halt_is_put_off(ledger):
    await submit(ledger, refs(40), max_refused="5")
    one, two = await leased(ledger), await leased(ledger)
    for taken in (one, two, one):
        with pytest.raises(HaltPutOffError):
            await settle(ledger, taken, REJECTED)
    assert (await ask(ledger)).gate_now == one.gate + 1


async def test_no_lease_is_given_until_a_halt_has_come(ledger):
    job = await submit(ledger, refs(60), max_refused="5")
    other = await submit(ledger, refs(60, 100), max_refused="5")
    taken, beside, third = await leased(ledger), await leased(ledger), await leased(ledger)
    assert len({part.job for one in (taken, beside, third) for part in one.parts}) == 2
    with pytest.raises(HaltPutOffError):
        await settle(ledger, taken, REJECTED)
    again = await claims.claim(ledger, A, Ask(beside.id, "d1", "any", 0, TERMS, LONG_MS))
    assert (again.guarded, again.leased) == (True, False)
    await leases_end(ledger)
    await settle(ledger, taken, REJECTED)
    states = [await state_of(ledger, job), await state_of(ledger, other)]
    assert sorted(states) == [JobState.HALTED, JobState.RUNNING]
    assert (await leased(ledger)).leased


async def test_where_a_worker_dies_before_the_halt_all_go_on(ledger):
    job = await submit(ledger, refs(60), max_refused="5")
    taken, _ = await leased(ledger), await leased(ledger)
    with pytest.raises(HaltPutOffError):
        await settle(ledger, taken, REJECTED)
    await leases_end(ledger)
    assert (await leased(ledger)).why == "halting"  # the halt may be on its way
    await ban_ends(ledger)
    assert (await leased(ledger)).leased
    assert await state_of(ledger, job) is JobState.RUNNING


@pytest.mark.parametrize("put_off", [False, True])
async def test_where_the_server_sets_its_clock_back_no_lease_and_no_halt_lasts_for_longer_than_a_lease(ledger, put_off):
    job = await submit(ledger, refs(60), max_refused="5")
    asked = Ask("short", "d1", "any", 0, TERMS, 300)
    taken, beside = await claims.claim(ledger, A, asked), await claim(ledger)
    in_a_day = await ledger.redis.hincrby(key("state"), "starts_until", 24 * LONG_MS)
    if put_off:
        await ledger.redis.hset(key("state"), mapping={"halt_at": in_a_day, "halt_by": beside.id})
    with pytest.raises(HaltPutOffError) as halt:
        await settle(ledger, taken, REJECTED)
    assert halt.value.wait_ms <= 300
    assert (waits := await ask(ledger)).why == "halting"
    assert waits.wait_ms <= 300 + 100
    await leases_end(ledger)
    await settle(ledger, taken, REJECTED)
    assert await state_of(ledger, job) is JobState.HALTED


async def test_where_the_server_sets_its_clock_back_after_a_halt_that_never_came_claims_go_on(ledger):
    await submit(ledger, refs(60), max_refused="5")
    await leased(ledger)
    in_a_day = await ledger.redis.hincrby(key("state"), "starts_until", 24 * LONG_MS)
    await ledger.redis.hset(key("state"), "halt_at", in_a_day)
    assert (await leased(ledger)).leased


async def test_what_halts_no_job_is_settled_at_once(ledger):
    job = await submit(ledger, refs(40), max_refused="10")
    await settle(ledger, await leased(ledger), REJECTED)
    await settle(ledger, await leased(ledger))
    await settle(ledger, await leased(ledger), ReadState(0.0, 0, 1))
    taken = await leased(ledger)
    await control.abort_job(ledger, job)
    await settle(ledger, taken, REJECTED)
    assert (await records.get(ledger, job)).settled == 40 - 9  # the other reads


@pytest.mark.parametrize("kind", ["calls", "alone"])
async def test_a_job_that_a_worker_of_another_host_meets_halts_once_no_lease_is_left(ledger, kind):
    meant, other = environment_of("https://api.example.com"), environment_of("http://127.0.0.1:8089")
    await hosts.confirm(ledger, A, meant.host, "anna")
    await ledger.redis.hset(key("state"), "hosts", json.dumps({"w1": {"at": 1, "host": meant.host}}))
    job = await submit(ledger, refs(20 if kind == "calls" else 10), max_refused="5", host=meant.host)
    right, wrong = (replace(TERMS, platform=one) for one in (meant, other))
    taken = await leased(ledger, terms=right)
    await settle(ledger, taken, *[CallAgain(0.0, 1, 1, group=0)] if kind == "alone" else [])
    assert isinstance(await ask(ledger, terms=wrong), Wait)
    assert (await ask(ledger, terms=right)).why == "halting"
    assert await state_of(ledger, job) is JobState.RUNNING
    await leases_end(ledger)
    await ledger.redis.zadd(key("held"), {job: 1})
    await sweep(ledger)
    await ban_ends(ledger)
    assert isinstance(await ask(ledger, terms=wrong), Wait)
    assert await state_of(ledger, job) is JobState.HALTED
    await control.continue_job(ledger, job, 1)
    assert len((await claim(ledger, terms=right)).references) == 10


STEPS = [WriteResult(outcome, 1, 200) for outcome in (Outcome.CANCELLED,) * 3 + tuple(Outcome)[:7]]
STEPS += [CallAgain(0.0, 1, 1), ReadState(0.0, 0, 1)]
LIMITS = [{"max_refused": "4"}, {"max_refused": "10%"}, {"max_unconfirmed": "3", "max_refused": "8%"}, {}]


def shared_out(chance, taken):
    """A settlement that divides the references of each part at random."""
    parts = []
    for part in taken.parts:
        left, shares = list(part.piece.references), []
        while left:
            some, left = left[: (at := chance.randint(1, len(left)))], left[at:]
            step = chance.choice(STEPS if chance.random() < 0.4 else STEPS[:3])
            shares.append(Share(step, tuple(some), len(some)))
        parts.append(shares)
    return Settlement(taken.id, parts, (taken.id,))


async def halted(ledger, jobs):
    return {job for job in jobs if await state_of(ledger, job) is JobState.HALTED}


async def nothing_is_under_way(ledger, job):
    return (await records.get(ledger, job)).in_flight == 0


@pytest.mark.parametrize("seed", [*range(8), 32])
async def test_no_job_halts_by_its_results_while_a_call_of_it_may_start_unasked(ledger, seed):
    chance = random.Random(seed)
    terms = Terms(limit=8, per_call=chance.choice([3, 20, 60]), linger_ms=0)
    jobs = [
        await submit(ledger, refs(chance.randint(20, 300), 1000 * n), canary=chance.choice([0, 10]), **limits)
        for n, limits in enumerate(chance.choices(LIMITS, k=4))
    ]
    under_way, put_off = [], 0
    for _ in range(120):
        answer = await leased(ledger, terms=terms)
        if isinstance(answer, Claim):
            under_way.append(answer)
            if len(under_way) < 4:
                continue
        if not under_way:
            break
        taken = under_way.pop(chance.randrange(len(under_way)))
        settlement, before = shared_out(chance, taken), await halted(ledger, jobs)
        try:
            await claims.settle(ledger, A, settlement, None, terms)
        except HaltPutOffError:
            put_off += 1
            assert await halted(ledger, jobs) == before
            if under_way and under_way[-1].guarded:
                with pytest.raises(HaltPutOffError):
                    await settle(ledger, under_way[-1])
            await leases_end(ledger)
            await claims.settle(ledger, A, settlement, None, terms)
            new = await halted(ledger, jobs) - before
            assert new or JobState.COMPLETED in {await state_of(ledger, part.job) for part in taken.parts}
            await ban_ends(ledger)
            await ledger.redis.hset(key("state"), "starts_until", await ledger.now_ms() + LONG_MS)  # of another worker
        else:
            new = await halted(ledger, jobs) - before
            assert all([await nothing_is_under_way(ledger, job) for job in new])
        for job in new:
            await control.continue_job(ledger, job, 1)
    print(f"seed {seed}: put off {put_off} times")
