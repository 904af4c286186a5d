"""`cancellist plan`, and `enqueue` by what was planned."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from cancellist.jobs.model import JobState
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk
from tests.support.waiting import soon


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(tmp_path_factory.mktemp("plan"), consignments=3000) as desk:
        yield desk


@pytest.fixture
def mixed(desk: Desk) -> list[str]:
    """References of each kind, open ones first."""
    return [*desk.fresh(12), *desk.fresh(5, "Manifested"), *desk.fresh(2, "Cancelled"), "EC-ZZZ-ZZZ-ZZZ"]


def document(desk: Desk, *arguments: object, **settings: str) -> dict[str, Any]:
    return dict(desk.ok("plan", *arguments, "--json", **settings).document)


def test_a_plan_tells_what_would_come_of_a_job_and_lets_it_be_enqueued_once(desk: Desk, mixed: list[str]) -> None:
    before, calls = len(desk.jobs()), len(desk.platform.calls())
    job = desk.ok("enqueue", "-", "--start-at", "+9h", text="\n".join(mixed[:10])).out.strip()
    table = "\n".join(["id,reference", *(f"{n},{one}" for n, one in enumerate([*mixed, mixed[0], "rubbish"]))])
    file = desk.file("planned.csv", table)
    found = document(desk, file, "--column", "reference", "--deadline", "+9h")
    assert found["counts"] | {"near_manifesting": 0} == {
        "references": 20, "duplicates": 1, "invalid": 1, "blank": 0, "read": 20, "open": 12, "already_cancelled": 2,
        "manifested": 5, "not_found": 1, "unknown": 0, "near_manifesting": 0,
    }  # fmt: skip
    assert found["platform"] == desk.platform.url.removeprefix("http://")
    first = found["overlap"]["jobs"][0]
    assert (first["job"], first["references"], first["state"]) == (job, 10, "held")
    assert found["open_consignments"]["count"] == _open(desk)
    assert found["time"]["deadline_met"] is True
    assert {one["reference"] for one in found["sample"]} == set(mixed)
    assert {one["town"] for one in found["sample"]} >= {"Leeds", None}
    assert {one["goods"] for one in found["sample"]} == {"Parcel", None}
    assert any("50 % (10 of 20) are in job" in one for one in found["warnings"])
    assert not any(call["endpoint"].startswith("cancel") for call in desk.platform.calls()[calls:])
    # another content is refused whole; the same in another order, and named twice, is not
    token = found["plan"]
    short = desk.run("enqueue", "-", "--plan", token, "--json", text="\n".join(mixed[1:]))
    assert (short.status, short.out) == (5, ""), short
    assert '"stale_plan"' in short.err
    assert "made of 20 references, and these are 19" in short.err
    done = desk.ok("enqueue", "-", "--plan", token, "--expect-count", 20, text="\n".join([*mixed[::-1], mixed[3]]))
    again = desk.run("enqueue", "-", "--plan", token, text="\n".join(mixed))
    assert again.status == 5
    assert f"it was used before, by job {done.out.strip()}" in again.err
    assert len(desk.jobs()) == before + 2


def _open(desk: Desk) -> int:
    counts = {one["Key"]: one["Value"] for one in desk.platform.get("/consignments/summary")["Summary"]}
    return int(counts["Allocated"] + counts["ReadyToShip"])


def test_of_many_a_sample_is_read_and_told_as_one(desk: Desk, mixed: list[str]) -> None:
    before = len(desk.platform.calls())
    found = document(desk, desk.file("many.txt", "\n".join(mixed)), plan_read_all="8")
    reads = [call for call in desk.platform.calls()[before:] if call["endpoint"] == "consignment"]
    assert len(reads) == found["counts"]["read"] == 8
    assert found["sampled"] is True
    for name, portion in found["of_all"].items():
        assert portion["least"] <= portion["count"] <= portion["most"] <= 20, name
    # the job is bound to all of them, not only to those that were read
    unread = next(one for one in mixed[:12] if one not in {seen["reference"] for seen in found["sample"]})
    other = [one for one in mixed if one != unread] + desk.fresh(1)
    refused = desk.run("enqueue", "-", "--plan", found["plan"], text="\n".join(other))
    assert (refused.status, "other references, though as many" in refused.err) == (5, True), refused


def test_a_terminal_of_80_columns_shows_it_and_how_to_go_on(desk: Desk, mixed: list[str]) -> None:
    file = desk.file("shown.txt", "\n".join([*mixed, "rubbish"]))
    shown = desk.typed("plan", file, "--max-invalid", "2", "--deadline", "+2h")
    assert shown.status == 0, shown
    lines = [line.rstrip() for line in shown.out.splitlines() if line.strip()]
    for words in (
        "manifested",
        "25 %",
        "Sam Customer",
        "the states of all 20 were read",
        "! the input has 1 malformed",
    ):
        assert words in shown.out
    command = lines[-1].strip()
    assert all(len(line) <= 80 for line in lines[2:-1]), shown.out
    assert re.fullmatch(
        rf"cancellist enqueue {re.escape(str(file))} --max-invalid 2 --deadline \+2h --plan pl_[0-9a-f]{{32}}", command
    )
    done = desk.shell(command.replace("cancellist", "$c", 1))
    assert done.status == 0, done


@pytest.mark.parametrize("fault", ["503-before", "state-unknown", "stale-age", "html", "401", "truncated"])
def test_what_cannot_be_read_is_unknown_and_never_guessed(desk: Desk, fault: str) -> None:
    desk.platform.send("PUT", "/sandbox/settings", {"faults": {f"reads:{fault}": 1.0}})
    try:
        found = document(desk, desk.file("dark.txt", "\n".join(desk.fresh(2))))
    finally:
        desk.platform.send("PUT", "/sandbox/settings", {"faults": {}})
    assert (found["counts"]["unknown"], found["counts"]["open"]) == (2, 0)
    assert found["warnings"][0].startswith("100 % (2 of 2) are in a state that is not known (")


def test_a_search_that_ignores_states_is_not_believed(desk: Desk) -> None:
    desk.platform.send("PUT", "/sandbox/settings", {"ignored_filters": ["State"]})
    try:
        found = document(desk, desk.file("few.txt", "\n".join(desk.fresh(2))))
    finally:
        desk.platform.send("PUT", "/sandbox/settings", {"ignored_filters": []})
    assert found["open_consignments"] == {
        "count": None, "share": None, "unknown_because": "the platform's search ignores states"
    }  # fmt: skip


def test_an_expected_count_that_is_not_met_leaves_no_job(desk: Desk) -> None:
    before, file = len(desk.jobs()), desk.file("three.txt", "\n".join([*desk.fresh(3), "rubbish"]))
    for options in ((), ("--dry-run",)):
        done = desk.run("enqueue", file, "--max-invalid", 1, "--expect-count", 4, *options)
        assert done.status == 5, done
        assert "4 references were expected, and there are 3" in done.err
    assert len(desk.jobs()) == before
    assert desk.ok("enqueue", file, "--max-invalid", 1, "--expect-count", 3)


WRONG = {
    "no reference": (["-"], "there is no reference in the input", 1),
    "an account of which nothing is known": (["-", "--account", "north"], "so its platform cannot be asked", 1),
    "a deadline that is past": (["-", "--deadline", "2020-01-01T00:00:00Z"], "is past", 1),
    "no file": ([], "Missing argument", 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_plan_that_cannot_be_made_says_why_in_one_line(desk: Desk, name: str) -> None:
    arguments, words, status = WRONG[name]
    done = desk.run("plan", *arguments)
    assert (done.status, done.out) == (status, ""), done
    assert words in done.err
    assert done.err.count("\n") == 1


def test_a_paused_account_makes_no_plan(desk: Desk) -> None:
    desk.ok("pause")
    try:
        done = desk.run("plan", "-", text="\n".join(desk.fresh(2)))
    finally:
        desk.ok("resume")
    assert done.status == 1
    assert "account default is paused, so no call is made" in done.err


def test_a_worker_counts_open_consignments_for_the_guard_of_their_share(desk: Desk) -> None:
    for job in desk.jobs():  # else the worker would cancel what other tests have handed in
        if job.state in {JobState.HELD, JobState.QUEUED}:
            desk.ok("abort", "--yes", job.id)
    count, guarded = _open(desk), {"guard_max_share": "5"}
    with desk.started("worker", **guarded), Redis.from_url(desk.url, decode_responses=True) as redis:
        redis.hdel("cancellist:account:default:state", "open_count", "open_asked")
        counted = soon(lambda: redis.hget("cancellist:account:default:state", "open_count"), within_s=60.0)
        assert int(str(counted).split()[0]) == count
        refused = desk.run("enqueue", "-", text="\n".join(desk.fresh(200)), **guarded)
        assert refused.status == 5, refused
        assert f"of all {count:,} open consignments" in refused.err, refused
