"""A host that was never called: workers send no call there, and take no entry of the intake stream for it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cancellist.config.settings import Settings
from cancellist.jobs.ledger import hosts, records
from cancellist.jobs.model import JobRequest
from cancellist.worker.intake_reader import IntakeReader
from tests.contract.steps import refs
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk
from tests.support.ledgers import opened_ledger
from tests.support.servers import Server, running
from tests.support.stage import submit
from tests.support.waiting import until

HOST = "platform.invalid"
SETTINGS = {"api_url": f"https://{HOST}", "api_key": "no-key"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("valkey", tmp_path / "server") as server:
        yield server


async def test_an_entry_of_the_intake_stream_is_rejected_until_the_host_is_confirmed(server: Server) -> None:
    async with opened_ledger(server.url) as ledger:
        intake = IntakeReader(ledger, "c", Settings(_env_file=None, **SETTINGS), ledger.redis)
        for many in (1, 3_000):
            await ledger.redis.xadd("cancellist:intake", {"references": "\n".join(refs(many)), "reply_to": "shop"})
        await intake.run()
        rejected = await until(
            lambda: ledger.redis.xrange("cancellist:intake:rejected"), lambda rejected: len(rejected) == 2, 30
        )
        assert [HOST in fields[b"reason"].decode() for _, fields in rejected] == [True, True]
        assert await records.unfinished(ledger) == []
        await hosts.confirm(ledger, "default", HOST, "anna")
        await ledger.redis.xadd("cancellist:intake", {"references": "\n".join(refs(1))})
        await intake.run()
        assert len(await records.unfinished(ledger)) == 1


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(tmp_path_factory.mktemp("far")) as desk:
        yield desk


def test_a_burst_ends_and_says_what_to_confirm(desk: Desk) -> None:
    async def hand_in() -> str:
        async with opened_ledger(desk.url) as ledger:
            return await submit(ledger, refs(3), JobRequest(account="far"))

    job = asyncio.run(hand_in())
    done = desk.run("worker", "--burst", **{f"accounts__far__{name}": value for name, value in SETTINGS.items()})
    assert done.status == 1
    last = done.err.splitlines()[-1]
    assert f"PRODUCTION host {HOST}" in last
    assert f"cancellist resume --account far --host {HOST}" in last
    seen = desk.ok("status", job, "--json").document
    assert (seen["pending"], seen["account_new_host"]) == (3, HOST)
    assert f"PRODUCTION host {HOST} was never called before" in desk.ok("status", job).out
