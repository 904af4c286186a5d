"""Reads records of a platform that lies, or fails: what is not surely a reference's own counts for nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from cancellist.config.settings import Settings
from cancellist.jobs.errors import NotPermittedError
from cancellist.jobs.ledger import control, plans
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import Draft, PlanToRead
from cancellist.jobs.safety.consignment_record import Standing
from cancellist.jobs.safety.preflight import Intake, OpenCount, Overlap
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight import open_consignments, planner, record_reader
from cancellist.worker.preflight.planner import Planner
from cancellist.worker.preflight.record_reader import RecordReader
from tests.support.ledgers import opened_ledger
from tests.support.servers import Server
from tests.support.waiting import until

REFERENCES = [f"EC-000-000-{n:03d}" for n in range(12)]
OTHERS, SHAKY, DENIED = "the record of another", "a 503 at first", "a refused key"


class Platform:
    """Answers records, some of them wrong."""

    def __init__(self, **wrong: str) -> None:
        self.wrong = {reference.replace("_", "-"): what for reference, what in wrong.items()}
        self.calls: Counter[str] = Counter()
        self.at_once = self.most = 0
        self.open_to_all = asyncio.Event()
        self.open_to_all.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[PlatformClient]:
        app = web.Application()
        app.router.add_get("/consignments/{reference}", self._record)
        app.router.add_get("/consignments/{take}/{skip}", self._search)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with PlatformClient(f"http://127.0.0.1:{runner.addresses[0][1]}", None, timeout_s=5) as client:
                yield client
        finally:
            await runner.cleanup()

    async def _record(self, request: web.Request) -> web.Response:
        reference = request.match_info["reference"]
        self.calls[reference] += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        await self.open_to_all.wait()
        self.at_once -= 1
        what = self.wrong.get(reference)
        if what == DENIED:
            return web.json_response({"statusCode": 401, "message": "no"}, status=401)
        if what == SHAKY and self.calls[reference] == 1:
            return web.Response(status=503)
        named = "EC-000-000-999" if what == OTHERS else reference
        return web.json_response(
            {"Reference": named, "ConsignmentState": "Manifested" if what == OTHERS else "Allocated"}
        )

    async def _search(self, request: web.Request) -> web.Response:
        self.calls["search"] += 1
        return web.json_response({"Count": {"Allocated": 70, "ReadyToShip": 5}.get(request.query["State"], 0)})


class Permits:
    """Counts the calls that were permitted; after the last there is none."""

    def __init__(self, most: int = 1000) -> None:
        self.left = most

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        if not self.left:
            raise NotPermittedError("the account is paused")
        self.left -= 1
        yield


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_reader, "_PAUSE_S", 0.01)


async def test_the_record_of_another_reference_is_unknown_and_counts_for_nothing() -> None:
    platform, permits = Platform(EC_000_000_003=OTHERS, EC_000_000_007=SHAKY), Permits()
    async with platform.open() as client:
        found = await RecordReader(client, permits, at_once=4, now_ms=0).read(REFERENCES)
    assert [one.reference for one in found.seen] == REFERENCES
    lie = found.seen[3]
    assert (lie.standing, lie.state, lie.why) == (Standing.UNKNOWN, None, "the answer is about another reference")
    assert {one.standing for one in found.seen if one is not lie} == {Standing.OPEN}
    assert platform.calls == Counter(REFERENCES) + Counter(["EC-000-000-007"])
    assert platform.most == 4
    assert permits.left == 1000 - 13
    assert found.call_s
    assert found.call_s >= 0.01


async def test_a_refused_key_is_not_tried_for_each_reference() -> None:
    platform = Platform(**{reference.replace("-", "_"): DENIED for reference in REFERENCES})
    async with platform.open() as client:
        found = await RecordReader(client, Permits(), at_once=2, now_ms=0).read(REFERENCES)
    assert {one.standing for one in found.seen} == {Standing.UNKNOWN}
    assert sum(platform.calls.values()) == 2
    assert "the key is refused: HTTP 401" in {one.why for one in found.seen}


async def test_nothing_goes_on_where_the_account_may_make_no_more_calls() -> None:
    platform = Platform()
    async with platform.open() as client:
        with pytest.raises(NotPermittedError):
            await RecordReader(client, Permits(5), at_once=4, now_ms=0).read(REFERENCES)
    assert sum(platform.calls.values()) <= 5


async def test_open_consignments_are_counted_state_by_state() -> None:
    platform, permits = Platform(), Permits()
    async with platform.open() as client:
        assert await open_consignments.count(client, permits) == OpenCount(75)
    assert platform.calls["search"] == 1000 - permits.left == 8


# the planner of a worker


@asynccontextmanager
async def planning(server: Server, platform: Platform) -> AsyncIterator[tuple[Ledger, asyncio.Task[None]]]:
    """A planner at work, and the ledger that it takes plans from."""
    async with platform.open() as client, opened_ledger(server.url, emptied=True) as ledger:
        settings = Settings(_env_file=None, lease_seconds=1)
        own = Planner(ledger, settings, {"default": client})

        async def work() -> None:
            while True:
                await own.run()

        task = asyncio.create_task(work())
        try:
            yield ledger, task
        finally:
            platform.open_to_all.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def handed_in(ledger: Ledger, account: str = "default") -> str:
    content = ReferenceSet()
    content.add(REFERENCES)
    asked = PreflightRequest(REFERENCES, Intake(len(REFERENCES)), Overlap())
    draft = Draft(account, content.digest(), content.count)
    return (await plans.hand_in(ledger, draft, asked.packed(), keep_s=60)).token


async def test_a_plan_that_another_has_taken_over_is_read_no_further(valkey: Server) -> None:
    platform = Platform()
    platform.open_to_all.clear()
    async with planning(valkey, platform) as (ledger, _):
        token = await handed_in(ledger)
        await until(lambda: _now(platform.at_once), lambda calls: calls > 0, 30)

        async def stolen() -> PlanToRead | None:  # it is renewed meanwhile
            await ledger.redis.zadd(ledger.keys.plans, {plans.name_of(token): 1})
            return await plans.take(ledger, ["default"], lease_ms=60_000)

        other = await until(stolen, bool, 30)
        assert other
        await until(lambda: ledger.redis.zcard(ledger.keys.slots("default")), lambda slots: slots == 0, 30)
        platform.open_to_all.set()
        assert await plans.report(ledger, other, "api.example.com", {"counts": {}})
        assert (await plans.get(ledger, token)).report == {"counts": {}}


async def test_a_worker_that_ends_gives_its_plan_back_at_once(valkey: Server) -> None:
    platform = Platform()
    platform.open_to_all.clear()
    async with planning(valkey, platform) as (ledger, task):
        token = await handed_in(ledger)
        await until(lambda: _now(platform.at_once), lambda calls: calls > 0, 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        taken = await plans.take(ledger, ["default"], lease_ms=60_000)
        assert taken
        assert taken.name == plans.name_of(token)


async def test_a_plan_of_a_paused_account_waits_and_is_read_later(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "_AGAIN_MS", 50)
    platform = Platform()
    async with planning(valkey, platform) as (ledger, _):
        await control.pause_account(ledger, "default")
        token = await handed_in(ledger)
        name = plans.name_of(token)
        first = await ledger.redis.zscore(ledger.keys.plans, name)
        await until(lambda: ledger.redis.zscore(ledger.keys.plans, name), lambda due: due > first, 30)
        assert not (await plans.get(ledger, token)).ready
        assert not platform.calls
        await control.resume_account(ledger, "default", 100)
        plan = await until(lambda: plans.get(ledger, token), lambda plan: plan.ready, 30)
        assert plan.report
        assert plan.report["counts"]["open"] == len(REFERENCES)


async def _now(value: int) -> int:
    return value


async def test_a_burst_is_not_over_between_two_plans(valkey: Server) -> None:
    platform = Platform()
    async with platform.open() as client, opened_ledger(valkey.url, emptied=True) as ledger:
        own = Planner(ledger, Settings(_env_file=None), {"default": client})
        tokens = [await handed_in(ledger) for _ in range(5)]

        async def work() -> None:
            while True:
                await own.run()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(work())
            await until(own.idle, bool, 30, every_s=0)
            task.cancel()
        assert all([(await plans.get(ledger, token)).report for token in tokens])
