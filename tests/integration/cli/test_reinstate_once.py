"""Nothing is created twice, whatever answer is lost, whoever dies, and however many run at once."""

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from cancellist.jobs.ledger.server.connection import connect
from tests.support.reinstating import ReinstatingDesk, a_reinstating_desk, cancel, new_ones, told_at

KEY = "cancellist:account:default:reinstated"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_reinstating_desk(tmp_path_factory.mktemp("once")) as desk:
        yield desk


@pytest.fixture(scope="module")
def pool(desk: ReinstatingDesk):
    """References that were cancelled, each for one test."""
    references = desk.fresh(20)
    cancel(desk, references)
    return iter(references)


def run(desk: ReinstatingDesk, old: str, *options: object) -> tuple[int, str, str | None]:
    """Reinstates one; returns the exit status, the outcome, and the new reference."""
    done = desk.run("reinstate", old, *told_at(desk, 1), *options, "--json")
    assert done.out, done
    (one,) = done.document["results"]
    return done.status, one["outcome"], one["new_reference"]


def creations(desk: ReinstatingDesk) -> int:
    return sum(call["endpoint"] == "create" for call in desk.platform.calls())


def wait_for_creations(desk: ReinstatingDesk, count: int) -> None:
    deadline = time.monotonic() + 30
    while creations(desk) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def _changed(desk: ReinstatingDesk, old: str, **fields: object) -> None:
    redis = await connect(desk.url)
    try:
        if fields:
            entry = json.loads(await redis.hget(KEY, old))
            await redis.hset(KEY, old, json.dumps(entry | fields))
        else:
            assert await redis.hdel(KEY, old)
    finally:
        await redis.aclose()


def lease_passes(desk: ReinstatingDesk, old: str) -> None:
    asyncio.run(_changed(desk, old, until=1))


def ledger_forgets(desk: ReinstatingDesk, old: str) -> None:
    asyncio.run(_changed(desk, old))


LOST = ("close-after", "500-after", "429-after", "202", "truncated", "surplus", "in-data", "timeout-after")


@pytest.mark.parametrize("fault", LOST)
def test_what_was_created_is_found_though_its_answer_is_lost(desk: ReinstatingDesk, pool, fault):
    old, before = next(pool), creations(desk)
    with desk.faults(f"create:{fault}", hang_ms=100):
        status, outcome, new = run(desk, old)
    assert (status, outcome, [new]) == (0, "created", new_ones(desk, old))
    assert run(desk, old) == (0, "already_created", new)
    assert creations(desk) == before + 1


def test_what_may_have_been_created_is_never_sent_again_by_itself(desk: ReinstatingDesk, pool):
    old, before = next(pool), creations(desk)
    with desk.faults("create:500-before"):
        assert run(desk, old) == (4, "unconfirmed", None)
    assert run(desk, old) == (4, "unconfirmed", None)
    assert run(desk, old, "--again") == (4, "unconfirmed", None)
    assert creations(desk) == before + 1
    lease_passes(desk, old)
    assert run(desk, old) == (4, "unconfirmed", None)
    status, outcome, new = run(desk, old, "--again")
    assert (status, outcome, [new]) == (0, "created", new_ones(desk, old))
    assert creations(desk) == before + 2


def test_what_is_created_late_is_found_by_the_next_run(desk: ReinstatingDesk, pool):
    old = next(pool)
    with desk.faults("create:500-before"):
        assert run(desk, old) == (4, "unconfirmed", None)
    record = desk.platform.get(f"/consignments/{old}")
    marker = {"KeyValue": "cancellist_reinstates", "StringValue": f"{old} an-attempt"}
    desk.platform.send("POST", "/consignments", record | {"MetaData": [marker]})
    assert run(desk, old) == (0, "already_created", new_ones(desk, old)[0])


REFUSED = (("401", "pending", 5), ("409-before", "refused", 3), ("429-before", "pending", 5))


@pytest.mark.parametrize(("fault", "outcome", "status"), REFUSED)
def test_what_surely_was_not_created_can_be_sent_again(desk: ReinstatingDesk, pool, fault, outcome, status):
    old = next(pool)
    with desk.faults(f"create:{fault}", retry_after_s=0.01):
        assert run(desk, old) == (status, outcome, None)
    assert new_ones(desk, old) == []
    assert run(desk, old)[:2] == (0, "created")
    assert len(new_ones(desk, old)) == 1


@pytest.mark.parametrize(
    ("fault", "outcome", "status"), [("after", "already_created", 0), ("before", "unconfirmed", 4)]
)
def test_a_run_that_is_killed_before_its_answer_leaves_behind_what_is_looked_for(
    desk: ReinstatingDesk, pool, fault, outcome, status
):
    old, before = next(pool), creations(desk)
    with (
        desk.faults(f"create:timeout-{fault}", hang_ms=30_000),
        desk.started("reinstate", old, *told_at(desk, 1)) as process,
    ):
        wait_for_creations(desk, before + 1)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert run(desk, old) == (4, "pending", None)  # its lease holds: it may be at work
    lease_passes(desk, old)
    found = run(desk, old)
    assert found[:2] == (status, outcome)
    assert [found[2]] == (new_ones(desk, old) or [None])
    assert creations(desk) == before + 1


@pytest.mark.parametrize("fault", [None, "500-before"])
def test_a_server_that_forgot_it_makes_no_second_one(desk: ReinstatingDesk, pool, fault):
    old, before = next(pool), creations(desk)
    with desk.faults(*([f"create:{fault}"] if fault else [])):
        first = run(desk, old)
    ledger_forgets(desk, old)
    status, outcome, new = run(desk, old)
    assert (status, outcome) == ((4, "unconfirmed") if fault else (0, "already_created"))
    assert new == first[2]
    assert creations(desk) == before + 1


def test_two_at_once_create_each_once(desk: ReinstatingDesk):
    references = desk.fresh(16)
    job, before = cancel(desk, references), creations(desk)
    with desk.faults(latency_ms=30.0):
        both = [desk.started("reinstate", job, *told_at(desk, 16), "--json") for _ in range(2)]
        with both[0] as one, both[1] as other:
            said = [process.communicate(timeout=40)[0] for process in (one, other)]
    assert creations(desk) == before + 16
    found = [new_ones(desk, old) for old in references]
    assert {len(some) for some in found} == {1}
    documents = [json.loads(text) for text in said if text]  # one that came late has told that fewer were left
    made = [one for document in documents for one in document["results"] if one["outcome"] == "created"]
    assert sorted(one["new_reference"] for one in made) == sorted(new for some in found for new in some)


def test_a_run_that_is_interrupted_ends_what_it_has_sent_and_the_next_goes_on(desk: ReinstatingDesk):
    references = desk.fresh(12)
    job, before = cancel(desk, references), creations(desk)
    with (
        desk.faults("create:slow", slow_ms=1000.0),
        desk.started("reinstate", job, *told_at(desk, 12)) as process,
    ):
        wait_for_creations(desk, before + 2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, "give the command again to go on" in said) == (130, True), said
    sent = creations(desk) - before
    assert 2 <= sent < 12
    receipts = [json.loads(file.read_bytes()) for file in Path(desk.settings["snapshot_dir"]).glob("*.receipt.json")]
    (receipt,) = [one for one in receipts if one["target"] == job]
    assert (receipt["state"], receipt["why"]) == ("halted", "interrupted")
    assert receipt["counts"] == {"created": sent, "pending": 12 - sent}
    planned = desk.ok("reinstate", job, "--dry-run", "--json").document
    assert planned["to_create"] == 12 - sent  # none of them is unclear
    assert desk.ok("reinstate", job, *told_at(desk, 12 - sent), "--json").document["created"] == 12 - sent
    assert {len(new_ones(desk, old)) for old in references} == {1}


def test_without_a_disk_nothing_is_sent(desk: ReinstatingDesk, pool):
    old, before = next(pool), creations(desk)
    journal = Path(desk.settings["snapshot_dir"]) / "reinstated.default.jsonl"
    away = journal.rename(journal.with_name("away"))
    journal.mkdir()
    try:
        done = desk.run("reinstate", old, *told_at(desk, 1))
    finally:
        journal.rmdir()
        away.rename(journal)
    assert (done.status, "no consignment is created without it" in done.err) == (1, True), done
    assert creations(desk) == before
