"""The platform's host: named by workers, and confirmed by a person before the first call goes there."""

from dataclasses import replace

import pytest

from cancellist.jobs.errors import NewHostError
from cancellist.jobs.ledger import account_status, accounts, hosts, housekeeping
from cancellist.jobs.ledger.claims import Claim, Wait
from cancellist.jobs.safety.environment import environment_of
from tests.contract.steps import TERMS, A, ask, key, refs, submit

REAL, SANDBOX = environment_of("https://API.example.com:443/x"), environment_of("http://127.0.0.1:8089")
AT_REAL, AT_SANDBOX = replace(TERMS, platform=REAL), replace(TERMS, platform=SANDBOX)


async def sweep(ledger, terms=AT_REAL, worker="w1"):
    await housekeeping.sweep(ledger, A, worker, terms, 30.0)


async def state(ledger):
    return account_status.state(await accounts.gate(ledger, A))


async def test_no_call_goes_to_a_host_that_nobody_has_confirmed(ledger):
    await submit(ledger, refs(30))
    await sweep(ledger)
    assert (REAL.host, await state(ledger)) == ("api.example.com", "new_host")
    assert isinstance(found := await ask(ledger, terms=AT_REAL), Wait)
    assert (found.wait_ms, found.why) == (-1, "host")
    await hosts.confirm(ledger, A, REAL.host, "anna")
    assert await state(ledger) == "running"
    assert isinstance(await ask(ledger, terms=AT_REAL), Claim)
    other = replace(TERMS, platform=environment_of("https://api.example.org"))
    assert isinstance(await ask(ledger, terms=other), Wait)
    assert (await ledger.redis.hget("cancellist:totals", "host:api.example.com")).endswith(b" anna")


async def test_it_is_judged_by_the_host_of_the_worker_that_claims_also_before_it_was_noted(ledger):
    await submit(ledger, refs(30))
    assert isinstance(await ask(ledger, terms=AT_REAL), Wait)
    assert isinstance(await ask(ledger, terms=AT_SANDBOX), Claim)


async def test_a_sandbox_needs_no_word(ledger):
    await sweep(ledger, AT_SANDBOX)
    await hosts.check(ledger, A, None)
    assert await state(ledger) == "running"


@pytest.mark.parametrize("first", ["sweep", "claim"])
async def test_an_installation_that_has_made_calls_is_asked_nothing_after_an_upgrade(ledger, first):
    await submit(ledger, refs(30))
    await ledger.redis.hset(key("state"), "limit_at", 1)
    assert await hosts.strange(ledger, A, REAL) is None
    if first == "sweep":
        await sweep(ledger)
    assert isinstance(await ask(ledger, terms=AT_REAL), Claim)
    await sweep(ledger)
    assert await state(ledger) == "running"
    await sweep(ledger, replace(TERMS, platform=environment_of("https://api.example.org")))
    assert await state(ledger) == "new_host"


async def test_new_work_is_refused_unless_it_names_the_host_that_workers_call(ledger):
    assert await hosts.strange(ledger, A, REAL) == REAL.host
    assert await hosts.strange(ledger, A) is None
    await sweep(ledger)
    for given in (None, "", "api.example.org", SANDBOX.host):
        with pytest.raises(NewHostError, match=r"never called PRODUCTION host api\.example\.com"):
            await hosts.check(ledger, A, given)
    assert await hosts.strange(ledger, A, SANDBOX) == REAL.host
    await hosts.check(ledger, A, " API.example.com ", "anna")
    await hosts.check(ledger, A, None)


async def test_the_hosts_of_all_live_workers_count_and_those_that_the_last_has_left(ledger):
    await sweep(ledger, AT_SANDBOX, "w1")
    await sweep(ledger, AT_REAL, "w2")
    assert await hosts.called(ledger, A) == (SANDBOX, REAL)
    await ledger.redis.hset(key("state"), "hosts", '{"w2": {"at": 1, "host": "api.example.com"}}')
    assert await hosts.called(ledger, A) == (REAL,)
    await sweep(ledger, AT_SANDBOX, "w1")
    assert await hosts.called(ledger, A) == (SANDBOX,)
