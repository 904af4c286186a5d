"""The intake stream when it, its group or the whole server is emptied under running workers: they mend it and go on."""

import asyncio
import json

import pytest

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from tests.support.stage import Stage, ended, log_lines, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance
INTAKE, REJECTED = "cancellist:intake", "cancellist:intake:rejected"
GROUP = "cancellist"


async def deleted(ledger: Ledger) -> None:
    await ledger.redis.delete(INTAKE)


async def without_its_group(ledger: Ledger) -> None:
    await ledger.redis.xgroup_destroy(INTAKE, GROUP)


async def flushed(ledger: Ledger) -> None:
    await ledger.redis.flushall()


async def ready(ledger: Ledger, readers: int = 1) -> None:
    """Waits until so many workers wait for entries."""

    async def waiting() -> int:
        clients = await ledger.redis.client_list()
        return sum(client["cmd"] == "xreadgroup" and "b" in client["flags"] for client in clients)

    await until(waiting, lambda found: found >= readers, 30)


async def jobs_of(ledger: Ledger, count: int) -> list[str]:
    found = await until(lambda: records.newest(ledger, 100), lambda jobs: len(jobs) >= count, 30)
    return [(await ended(ledger, job.id, 30)).id for job in found]


def troubles(stage: Stage) -> list[dict[str, object]]:
    """What the workers have logged that is worse than a warning, or a traceback."""
    text = "".join(worker.log.read_text() for worker in stage.workers)
    assert "Traceback" not in text, text
    return [line for worker in stage.workers for line in log_lines(worker) if line["level"] != "info"]


@pytest.mark.parametrize("emptied", [deleted, without_its_group, flushed])
async def test_what_is_added_after_the_stream_was_lost_is_taken(stage: Stage, emptied) -> None:
    references = stage.platform.references(40)
    workers = [stage.worker(), stage.worker()]
    async with stage.ledger() as ledger:
        await ready(ledger, 2)
        for turn in range(2):
            await emptied(ledger)
            for at in range(3):
                await ledger.redis.xadd(INTAKE, {"references": references[6 * turn + at]})
            expected = 3 if emptied is flushed else 3 * (turn + 1)
            assert len(await jobs_of(ledger, expected)) == expected
            await ready(ledger, 2)
        assert await ledger.redis.xlen(INTAKE) == 0
        pending = await ledger.redis.xpending(INTAKE, GROUP)
        assert pending["pending"] == 0
    assert troubles(stage) == []
    assert [worker.end() for worker in workers] == [0, 0]


async def test_what_a_reader_held_as_the_group_was_destroyed_is_given_to_another_and_makes_one_job(
    valkey_stage: Stage,
) -> None:
    references = valkey_stage.platform.references(9_000)
    async with valkey_stage.ledger() as ledger:
        await ledger.redis.xgroup_create(INTAKE, GROUP, id="0", mkstream=True)
        await ledger.redis.xadd(INTAKE, {"references": references[0]})
        await ledger.redis.xadd(INTAKE, {"references": json.dumps(references[1:])})
        assert await ledger.redis.xreadgroup(GROUP, "dead", {INTAKE: ">"})
        await ledger.redis.xgroup_destroy(INTAKE, GROUP)
        worker = valkey_stage.worker()
        assert len(await jobs_of(ledger, 2)) == 2
        assert await ledger.redis.xlen(INTAKE) == 0
    assert worker.end() == 0


async def test_another_kind_of_value_in_place_of_the_stream_is_told_once_and_all_else_goes_on(
    valkey_stage: Stage,
) -> None:
    references = valkey_stage.platform.references(400)
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        await ready(ledger)
        await ledger.redis.set(INTAKE, "mine")
        await ended(ledger, await submit(ledger, references[:200]), 30)
        await asyncio.sleep(3)  # time in which it could be told again and again
        said = troubles(valkey_stage)
        assert len(said) == 1, said
        assert "cancellist:intake is no stream" in str(said[0])
        await ended(ledger, await submit(ledger, references[200:]), 30)
        await ledger.redis.delete(INTAKE)
        await ledger.redis.xadd(INTAKE, {"references": references[0]})
        assert len(await jobs_of(ledger, 3)) == 3
    assert worker.end() == 0


async def test_where_no_answer_can_be_given_the_malformed_entry_waits_and_others_are_taken(valkey_stage: Stage) -> None:
    references = valkey_stage.platform.references(10)
    async with valkey_stage.ledger() as ledger:
        await ledger.redis.set(REJECTED, "mine")
        worker = valkey_stage.worker()
        await ledger.redis.xadd(INTAKE, {"referenzen": references[0]})
        await ledger.redis.xadd(INTAKE, {"references": references[1]})
        assert len(await jobs_of(ledger, 1)) == 1
        assert await ledger.redis.xlen(INTAKE) == 1
        await ledger.redis.delete(REJECTED)
        await until(lambda: ledger.redis.xlen(REJECTED), lambda count: count == 1, 30)
        await until(lambda: ledger.redis.xlen(INTAKE), lambda count: count == 0, 30)
    assert "Traceback" not in worker.log.read_text()
    assert worker.end() == 0


async def test_every_kind_of_malformed_entry_is_answered_and_none_makes_a_job(valkey_stage: Stage) -> None:
    good, *more = valkey_stage.platform.references(4)
    malformed: list[list[str | bytes]] = [
        ["references", good, "reason", "a", "reason", "b"],
        ["References", good],
        ["references", good, "references", "{}"],
        ["references", json.dumps({"references": more})],
        ["references", b"\xff\xfe" + good.encode("utf-16-le")],
        ["references", ",".join(more)],
        ["references", "x" * 70_000_000],
        ["references", "\n".join([good, *["rubbish"] * 30])],
        ["references", good, "deadline", "+1h", "start_at", "+2h"],
        ["references", ""],
    ]
    worker = valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        for words in malformed:
            await ledger.redis.execute_command("XADD", INTAKE, "*", *words)
        await ledger.redis.execute_command("XADD", INTAKE, "*", "references", good, "references", "\n".join(more))
        rows = await until(lambda: ledger.redis.xrange(REJECTED), lambda found: len(found) == len(malformed), 30)
        (job,) = await jobs_of(ledger, 1)
        assert (await records.get(ledger, job)).total == 4
        assert all(len(row[b"reason"]) <= 500 and sum(map(len, row.values())) < 6_000 for _, row in rows)
        assert await ledger.redis.xlen(INTAKE) == 0
    assert "Traceback" not in worker.log.read_text()
    assert worker.end() == 0
