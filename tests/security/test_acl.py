"""The rights that docs/reference/acl.md gives: each role can do its whole work with them, and not what it must not."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from cancellist.jobs.diagnostics.check_result import CheckStatus
from cancellist.jobs.ledger import changes, claims, consumers, control, housekeeping, plans, records, results
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.checks import acl
from cancellist.jobs.ledger.claims import Ask, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.opening import open_ledger
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.model import JobRequest, JobState, Priority
from cancellist.jobs.roles import Role
from cancellist.jobs.safety.preflight import Intake, Overlap
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.jobs.safety.reference_set import ReferenceSet
from cancellist.sandbox.world.references import reference
from tests.support.commands import Desk
from tests.support.servers import KINDS, Server, running
from tests.support.stage import ROOT, SEED, Platform, Stage, ended, platform, submit
from tests.support.waiting import until

PASSWORD = "as-long-as-it-is-secret"
DANGEROUS = [
    ("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("CONFIG", "SET", "appendonly", "no"),
    ("SCRIPT", "FLUSH"), ("SHUTDOWN", "NOSAVE"), ("ACL", "LIST"), ("SAVE",), ("CLIENT", "LIST"), ("MONITOR",),
    ("GET", "another:format"), ("SET", "another:format", "1"), ("RENAME", "cancellist:results", "cancellist:x"),
]  # fmt: skip


def of_replies() -> str:
    """The further rights of a producer whose intake entries are answered, as the document has them."""
    found = re.search(r"`(\(\+xread [^`]*\))`", (ROOT / "docs/reference/acl.md").read_text(encoding="utf-8"))
    assert found
    return found[1]


def written(name: str) -> list[str]:
    """The words of a role's line, as the document has them."""
    text = (ROOT / "docs/reference/acl.md").read_text(encoding="utf-8")
    found = re.search(rf"^```acl {name}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, name
    line = " ".join(found[1].split()).replace("PASSWORD", PASSWORD)
    return [word for word in re.findall(r"\([^)]*\)|\S+", line) if word]


@pytest.fixture(params=KINDS)
async def server(request, tmp_path) -> AsyncIterator[Server]:
    """A server of each kind, with the users of the document and a ledger in it."""
    with running(request.param, tmp_path, "--loglevel", "warning") as server:
        redis = await connect(server.url)
        for name in ("worker", "producer", "intake", "reader"):
            await redis.execute_command(*written(name))
        await Ledger(redis).open()
        await redis.aclose()
        yield server


def url_of(server: Server, name: str) -> str:
    path = server.url.removeprefix("unix://")
    return f"unix://cancellist-{name}:{quote(PASSWORD)}@{path}"


@contextlib.asynccontextmanager
async def ledger_as(server: Server, name: str) -> AsyncIterator[Ledger]:
    """The ledger as a process of that role opens it, the checks at the start included."""
    opened = await open_ledger(
        url=url_of(server, name), data_dir=Path("/nowhere"), fsync="always", namespace="cancellist"
    )
    try:
        yield opened.ledger
    finally:
        await opened.close()


@pytest.mark.parametrize("role", Role)
async def test_the_document_gives_each_role_what_doctor_looks_for(server: Server, role: Role) -> None:
    async with ledger_as(server, role) as ledger:
        found = await acl.permitted(ledger.redis, ledger.keys, role)
    assert found.verdict is CheckStatus.OK, found


async def test_what_a_role_lacks_is_named(server: Server) -> None:
    async with ledger_as(server, "reader") as ledger:
        found = await acl.permitted(ledger.redis, ledger.keys, Role.PRODUCER)
    assert found.verdict is CheckStatus.FAILED
    assert "EVAL cancellist:results" in found.found


@pytest.mark.parametrize("name", ["worker", "producer", "intake", "reader"])
async def test_nobody_can_do_what_harms_the_server(server: Server, name: str) -> None:
    redis = await connect(url_of(server, name))
    for command in DANGEROUS:
        with pytest.raises(NoPermissionError):
            await redis.execute_command(*command)
    await redis.aclose()


@pytest.fixture
def desk(server, tmp_path):
    nowhere = Platform("http://127.0.0.1:1", None, 0)
    return Desk(tmp_path, nowhere, server.url, {"api_url": nowhere.url})


async def test_all_roles_together_do_the_whole_work(server: Server, desk: Desk, tmp_path) -> None:
    with (
        platform(tmp_path, latency_ms=2) as world,
        Stage(server, world, tmp_path, {"redis_url": url_of(server, "worker"), "lease_seconds": "3"}) as stage,
    ):
        worker = stage.worker()
        text = "\n".join([*(reference(SEED, n) for n in range(1000)), "not reference 1"])
        job = desk.ok("enqueue", "-", text=text, redis_url=url_of(server, "producer")).out.strip()
        async with ledger_as(server, "producer") as ledger:
            record = await ended(ledger, job, 30)
        assert sum(record.outcomes.values()) == record.total == 1001
        for command in ("status", "watch"):
            desk.ok(command, job, redis_url=url_of(server, "producer"))
        await _follows_a_plan(server, desk)

        shop = await connect(url_of(server, "intake"))
        await shop.xadd("cancellist:intake", {"references": reference(SEED, 2000), "reply_to": "shop"})
        await shop.xadd("cancellist:intake", {"referenzen": reference(SEED, 2001)})
        with pytest.raises(NoPermissionError):
            await shop.xrange("cancellist:intake")
        await shop.aclose()
        async with ledger_as(server, "worker") as ledger:
            await until(lambda: records.newest(ledger), lambda jobs: len(jobs) == 3 and jobs[0].state.ended, 30)
            await until(lambda: ledger.redis.xlen(ledger.keys.rejected), lambda count: count == 1, 30)
            await housekeeping.trim(ledger, "default", results_keep_s=86400, jobs_keep_s=86400)
            await _reads_its_answer(server)
            later = await submit(
                ledger, [reference(SEED, 3000)], JobRequest(start_at_ms=await ledger.now_ms() + 60_000)
            )
            await changes.update(ledger, later, Change(Priority.URGENT, "+2h"))
            assert await control.abort_job(ledger, later) is JobState.ABORTED
            again = desk.ok("retry", later, "--yes", redis_url=url_of(server, "producer")).out.strip()
            await ended(ledger, again, 30)
        assert worker.end() == 0
        log = worker.log.read_text()
        assert "forbids" not in log, log

    done = desk.ok("results", job, "--format", "jsonl", redis_url=url_of(server, "reader"))
    assert len(done.lines) == 1001
    desk.ok("jobs", redis_url=url_of(server, "reader"))
    redis = await connect(url_of(server, "reader"))
    await redis.xgroup_create("cancellist:results", "billing", id="0")
    ((_, entries),) = await redis.xreadgroup("billing", "one", {"cancellist:results": ">"}, count=10)
    assert await redis.xack("cancellist:results", "billing", *(entry for entry, _ in entries)) == 10
    await redis.aclose()


async def _follows_a_plan(server: Server, desk: Desk) -> None:
    content = ReferenceSet()
    content.add([reference(SEED, 4000)])
    asked = PreflightRequest([reference(SEED, 4000)], Intake(1), Overlap())
    async with ledger_as(server, "producer") as ledger:
        waiting = await plans.hand_in(ledger, Draft("default", content.digest(), 1), asked.packed(), keep_s=60)
        await until(lambda: plans.get(ledger, waiting.token), lambda plan: plan.ready, 30)
        by = url_of(server, "producer")
        made = desk.ok("enqueue", "-", "--plan", waiting.token, text=reference(SEED, 4000), redis_url=by)
        await ended(ledger, made.out.strip(), 30)


async def _reads_its_answer(server: Server) -> None:
    admin = await connect(server.url)
    shop = await connect(url_of(server, "intake"))
    with pytest.raises(NoPermissionError):
        await shop.xread({"cancellist:replies:shop": "0"})
    await admin.execute_command("ACL", "SETUSER", "cancellist-intake", of_replies())
    ((_, ((_, answer),)),) = await shop.xread({"cancellist:replies:shop": "0"})
    assert set(answer) == {b"entry", b"job"}
    with pytest.raises(NoPermissionError):
        await shop.xread({"cancellist:replies:other": "0"})
    for redis in (shop, admin):
        await redis.aclose()


async def test_a_producer_can_neither_claim_nor_settle_nor_write_a_result(server: Server) -> None:
    async with ledger_as(server, "producer") as ledger:
        job = await submit(ledger, [reference(SEED, 1)])
        with pytest.raises(Exception, match="forbids"):
            await claims.claim(ledger, "default", Ask("mine", "drain", "any", 0, Terms(linger_ms=0)))
        with pytest.raises(Exception, match="forbids"):
            await ledger.run(
                "sweep",
                "default",
                b'{"worker":"x","lease":1,"per_call":100,"unsealed":1,"attempts":1,"call_timeout":1}',
            )
        for command in (
            ("XADD", ledger.keys.results, "*", "job", job), ("ZADD", "cancellist:account:default:claims", 1, "x"),
            ("HSET", "cancellist:account:default:claimed", "x", "y"), ("ZREM", "cancellist:account:default:slots", "x"),
            ("XADD", ledger.keys.intake, "*", "references", "x"), ("LPOP", f"cancellist:job:{job}:calls"),
        ):  # fmt: skip
            with pytest.raises(NoPermissionError):
                await ledger.redis.execute_command(*command)
            with pytest.raises(ResponseError, match=r"ACL failure in script|can't"):
                await ledger.redis.execute_command(
                    "EVAL", "return redis.call(unpack(ARGV))", 1, ledger.keys.results, *command
                )
        record = await records.get(ledger, job)
        assert (record.state, record.pending) == (JobState.QUEUED, 1)


async def test_a_reader_can_change_nothing(server: Server) -> None:
    async with ledger_as(server, "worker") as ledger:
        job = await submit(ledger, [reference(SEED, 1)])
    async with ledger_as(server, "reader") as ledger:
        assert (await records.get(ledger, job)).pending == 1
        assert [page async for page in results.of_job(ledger, job)] == []
        for command in (
            ("HSET", ledger.keys.job(job), "state", "aborted"), ("XADD", ledger.keys.results, "*", "job", job),
            ("XADD", ledger.keys.intake, "*", "references", "x"), ("XTRIM", ledger.keys.results, "MAXLEN", 0),
            ("XDEL", ledger.keys.results, "0-1"), ("DEL", ledger.keys.results), ("EVAL", "return 1", 0),
            ("XREADGROUP", "GROUP", "cancellist", "me", "STREAMS", ledger.keys.intake, ">"),
            ("PUBLISH", ledger.keys.wake, "default"), ("SET", "arq:job:x", "y"), ("GET", "arq:job:x"),
        ):  # fmt: skip
            with pytest.raises(NoPermissionError):
                await ledger.redis.execute_command(*command)
        with pytest.raises(Exception, match="forbids"):
            await control.pause_account(ledger, "default")


async def test_a_reader_finds_references_and_sees_consumer_groups(server: Server, tmp_path: Path) -> None:
    async with ledger_as(server, "worker") as ledger:
        await ledger.redis.xadd(
            ledger.keys.results, {"job": "35hnsmqb0001", "reference": reference(SEED, 1), "outcome": "cancelled"}
        )
    async with ledger_as(server, "reader") as ledger:
        index = ReferenceIndex(ledger, tmp_path, jobs_keep_s=3600)
        answer = await index.find(reference(SEED, 1), before=None, limit=10)
        await index.close()
        assert [one.id for one in answer.mentions] == ["35hnsmqb0001"]
        await ledger.redis.xgroup_create(ledger.keys.results, "billing", id="0")
        (group,) = await consumers.groups(ledger, 3600)
        assert (group.name, group.lag) == ("billing", 1)
        assert await consumers.remove(ledger, "billing")
