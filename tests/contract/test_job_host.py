"""The host of one job: what was planned for one platform, or handed in by its name, is called at no other."""

from dataclasses import replace

import orjson
import pytest

from cancellist.jobs.errors import InputError, PlanError
from cancellist.jobs.ledger import audit, control, hosts, housekeeping, plans, records
from cancellist.jobs.ledger.claims import Claim, Wait
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.submitting import retry
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.jobs.safety.environment import environment_of
from cancellist.jobs.safety.failure_stop import HaltCause, halt_of
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.jobs.safety.safeguards import NONE
from tests.contract.steps import TERMS, A, ask, claim, drained, key, refs, settle, state_of, submit

MEANT, OTHER = environment_of("https://api.example.com"), environment_of("https://api.example.org")
SANDBOX = environment_of("http://127.0.0.1:8089")
NOTED = orjson.dumps({"w1": {"at": 1, "host": MEANT.host}})
AT = {one: replace(TERMS, platform=one) for one in (MEANT, OTHER, SANDBOX)}


@pytest.fixture(autouse=True)
async def both_are_confirmed(ledger):
    for one in (MEANT, OTHER):
        await hosts.confirm(ledger, A, one.host, "anna")


async def planned(ledger, references):
    found = ReferenceSet()
    found.add(references)
    made = await plans.keep(ledger, Draft(A, found.digest(), found.count, MEANT.host), {"x": 1}, keep_s=60)
    return made.token


async def submitted(ledger, way, references):
    order = {"plan": await planned(ledger, references)} if way == "plan" else {"host": MEANT.host}
    await ledger.redis.hset(key("state"), "hosts", NOTED)
    return await submit(ledger, references, **order)


async def is_halted_for_its_host(ledger, job, called):
    halt = halt_of(await records.get(ledger, job))
    assert halt
    assert (halt.cause, halt.meant, halt.called) == (HaltCause.HOST, MEANT.host, called.host)
    assert f"meant for the platform at {MEANT.host}, and a worker calls {called.host}" in halt.words
    found = (await audit.page(ledger, audit.AuditFilter(job=job), limit=10)).entries
    (noted,) = [one for one in found if one["what"] == "halt"]
    assert noted["about"] == f"it is meant for the host {MEANT.host}, and a worker calls {called.host}"


@pytest.mark.parametrize("way", ["plan", "name"])
@pytest.mark.parametrize("called", [OTHER, SANDBOX])
async def test_no_worker_of_another_host_starts_it(ledger, way, called):
    job = await submitted(ledger, way, refs(30))
    other = await submit(ledger, refs(10, 100))
    found = await claim(ledger, terms=AT[called])
    assert {part.job for part in found.parts} == {other}
    assert await state_of(ledger, job) is JobState.HALTED
    await is_halted_for_its_host(ledger, job, called)
    await settle(ledger, found, terms=AT[called])
    await control.continue_job(ledger, job, 10)
    await drained(ledger, terms=AT[MEANT])
    assert await state_of(ledger, job) is JobState.COMPLETED


@pytest.mark.parametrize(
    "step", [CallAgain(0, 1, 1), CallAgain(0, 1, 1, group=0), ReadState(0, 1, 1)], ids=["call", "alone", "read"]
)
async def test_nor_goes_on_with_it_whatever_it_needs_next(ledger, step):
    job = await submitted(ledger, "plan", refs(10))
    await settle(ledger, await claim(ledger, terms=AT[MEANT]), step, terms=AT[MEANT])
    assert isinstance(await ask(ledger, terms=AT[OTHER]), Wait)
    await is_halted_for_its_host(ledger, job, OTHER)
    await control.continue_job(ledger, job, 10)
    assert isinstance(await ask(ledger, terms=AT[MEANT]), Claim)


async def test_what_is_being_aborted_is_not_read_there_and_stays_so(ledger):
    job = await submitted(ledger, "plan", refs(10))
    await settle(ledger, await claim(ledger, terms=AT[MEANT]), ReadState(0, 1, 1), terms=AT[MEANT])
    await control.abort_job(ledger, job)
    assert isinstance(await ask(ledger, terms=AT[OTHER]), Wait)
    assert await state_of(ledger, job) is JobState.ABORTING
    await ledger.redis.zadd(key("held"), {job: 1})
    await housekeeping.sweep(ledger, A, "w1", AT[MEANT], 30.0)
    assert (await claim(ledger, terms=AT[MEANT])).parts[0].job == job


async def test_a_job_for_no_host_of_its_own_is_called_wherever_workers_call(ledger):
    job = await submit(ledger, refs(10))
    await drained(ledger, terms=AT[OTHER])
    assert await state_of(ledger, job) is JobState.COMPLETED


async def test_a_name_that_is_not_the_planned_host_makes_the_plan_stale(ledger):
    token = await planned(ledger, refs(3))
    await ledger.redis.hset(key("state"), "hosts", NOTED)
    with pytest.raises(PlanError, match=r"this one is at api\.example\.org"):
        await submit(ledger, refs(3), plan=token, host=OTHER.host)


@pytest.mark.parametrize(
    "given", ["api.example.org", "\u0430pi.example.com", "api.example.com.", "api.example.com:444", "0"]
)
async def test_a_name_that_workers_do_not_call_is_refused(ledger, given):
    await ledger.redis.hset(key("state"), "hosts", NOTED)
    with pytest.raises(InputError, match=r"call the platform at api\.example\.com, and .* was named"):
        await hosts.check(ledger, A, given)
    await hosts.check(ledger, A, f" {MEANT.host.upper()} ")


@pytest.mark.parametrize("named", [None, OTHER.host])
async def test_a_retry_is_bound_to_the_host_that_is_named_or_else_to_that_of_the_old_job(ledger, named):
    job = await submitted(ledger, "name", refs(3))
    await settle(ledger, await claim(ledger, terms=AT[MEANT]), WriteResult(Outcome.FAILED, 1), terms=AT[MEANT])
    made = await retry.make(
        ledger, await retry.plan(ledger, job, (), retry.Asked(host=named)), NONE, idempotency_keep_s=60, per_call=4
    )
    assert (await records.get(ledger, made.job)).order.host == (named or MEANT.host)
