"""The sweep looks after each account by itself."""

import asyncio

import pytest

from cancellist.config.settings import Settings
from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.worker import sweep as sweeping
from cancellist.worker.sweep import Served, Sweep
from tests.support.servers import running
from tests.support.waiting import until

SERVED = Served(Terms(8, 0, 1, 100, 20, 9000), RetryPolicy(8, 0.25, 30.0, 30.0))


@pytest.fixture
def sweep_of(monkeypatch):
    monkeypatch.setattr(sweeping, "PERIOD_S", 0.05)

    def make(ledger: Ledger) -> Sweep:
        served = {"bad": SERVED, "well": SERVED}
        return Sweep(ledger, "w1", served, Settings(_env_file=None), lambda _: None)

    return make


async def test_what_goes_wrong_with_one_account_keeps_no_other_from_its_turns(ledger, sweep_of, monkeypatch):
    run, turns = ledger.run, []

    async def failing(name, account, *args):
        turns.append(account)
        if account == "bad":
            raise RuntimeError("cannot be swept")
        return await run(name, account, *args)

    monkeypatch.setattr(ledger, "run", failing)
    await until(sweep_of(ledger).run, lambda _: min(map(turns.count, ("bad", "well"))) >= 3, 30)
    assert await accounts.served(ledger) == {"well": True}


async def test_an_account_whose_turn_does_not_end_keeps_no_other_from_its_turns(ledger, sweep_of, monkeypatch):
    run, released, swept = ledger.run, asyncio.Event(), []

    async def slow(name, account, *args):
        if account == "bad":
            await released.wait()
        answer = await run(name, account, *args)
        swept.append(account)
        return answer

    monkeypatch.setattr(ledger, "run", slow)
    sweep = sweep_of(ledger)
    await until(sweep.run, lambda _: swept.count("well") >= 3, 30)
    assert "bad" not in swept
    released.set()
    await until(sweep.run, lambda _: "bad" in swept, 30)


async def test_a_server_that_is_away_is_told(tmp_path, sweep_of):
    with running("valkey", tmp_path) as server:
        redis = await connect(server.url)
        sweep = sweep_of(Ledger(redis))
        await sweep.run()
        server.kill()
        with pytest.raises(LedgerUnavailableError):
            await until(sweep.run, lambda _: False, 30)
        server.restart()
        await sweep.run()
        await redis.aclose()
