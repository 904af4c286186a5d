"""The sweep looks after each account by itself."""

import asyncio

import pytest

from config.settings import Settings
from jobs.errors import LedgerUnavailableError
from jobs.ledger import control
from jobs.ledger.claims import Terms
from jobs.ledger.connection import connect
from jobs.ledger.core import Ledger
from jobs.retry import RetryPolicy
from tests.servers import running
from tests.waiting import until
from worker import sweep as sweeping
from worker.sweep import Served, Sweep

SERVED = Served(Terms(8, 0, 1, 100, 20, 9000), RetryPolicy(8, 0.25, 30.0, 30.0))


class Lessons:
    """What accounts are taught, with one of them going wrong."""

    def __init__(self, bad: str) -> None:
        self.bad = bad
        self.taught: list[str] = []

    def __call__(self, account, learnt) -> None:
        self.taught.append(account)
        if account == self.bad:
            raise RuntimeError("cannot be taught")


@pytest.fixture
def sweep_of(monkeypatch):
    monkeypatch.setattr(sweeping, "PERIOD_S", 0.05)

    def make(ledger: Ledger, teach) -> Sweep:
        served = {"bad": SERVED, "well": SERVED}
        return Sweep(ledger, "w1", served, Settings(_env_file=None), lambda _: None, teach)

    return make


async def test_what_goes_wrong_with_one_account_keeps_no_other_from_its_turns(ledger, sweep_of):
    lessons = Lessons("bad")
    sweep = sweep_of(ledger, lessons)
    await until(sweep.run, lambda _: min(map(lessons.taught.count, ("bad", "well"))) >= 3, 10)
    assert await control.served(ledger) == {"bad": True, "well": True}


async def test_an_account_whose_turn_does_not_end_keeps_no_other_from_its_turns(ledger, sweep_of, monkeypatch):
    run, released = ledger.run, asyncio.Event()

    async def slow(name, account, *args):
        if account == "bad":
            await released.wait()
        return await run(name, account, *args)

    monkeypatch.setattr(ledger, "run", slow)
    lessons = Lessons("none")
    sweep = sweep_of(ledger, lessons)
    await until(sweep.run, lambda _: lessons.taught == ["well"] * 3, 10)
    released.set()
    await until(sweep.run, lambda _: "bad" in lessons.taught, 10)


async def test_a_server_that_is_away_is_told(tmp_path, sweep_of):
    with running("valkey", tmp_path) as server:
        redis = await connect(server.url)
        sweep = sweep_of(Ledger(redis), Lessons("none"))
        await sweep.run()
        server.kill()
        with pytest.raises(LedgerUnavailableError):
            await until(sweep.run, lambda _: False, 30)
        server.restart()
        await sweep.run()
        await redis.aclose()
