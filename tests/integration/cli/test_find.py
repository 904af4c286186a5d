"""`find` and `consumers` at the command line."""

import pytest
from redis import Redis

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

STREAM = "cancellist:results"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("find")) as desk:
        yield desk


@pytest.fixture(scope="module")
def redis(desk: Desk):
    with Redis.from_url(desk.url, decode_responses=True) as redis:
        yield redis


def test_a_person_finds_the_jobs_of_a_reference(desk: Desk):
    references = desk.fresh(3)
    done = desk.run("find", references[0])
    assert (done.status, done.out) == (0, "")
    assert f"no job that is known named {references[0]}" in done.err
    first = desk.ok("enqueue", "-", "--reason", "late", text="\n".join(references)).out.strip()
    waiting = desk.ok("find", f" {references[0].lower()} ").out
    assert first in waiting
    assert "no result yet" in waiting
    desk.drain()
    second = desk.ok("enqueue", "-", text=references[0]).out.strip()
    desk.drain()
    lines = desk.ok("find", references[0]).out.splitlines()
    assert [line.split()[0] for line in lines] == ["job", second, first]
    assert "already_cancelled" in lines[1]
    assert "late" in lines[2]
    done = desk.ok("find", references[0], "--limit", 1)
    assert first not in done.out
    assert "only the newest 1 are listed" in done.err


def test_what_is_no_reference_is_refused(desk: Desk):
    done = desk.run("find", "EC-1")
    assert done.status == 1
    assert "'EC-1' is not a reference; references look like EC-" in done.err


def test_results_that_were_trimmed_before_they_were_read_are_told(desk: Desk, redis):
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(2))).out.strip()
    reference = desk.fresh(1)[0]
    desk.drain()
    redis.xtrim(STREAM, maxlen=0, approximate=False)
    done = desk.ok("find", reference)
    assert "jobs may be missing: results from" in done.err
    assert desk.ok("find", reference, "--json").document["complete"] is False
    assert job


def test_a_group_that_holds_results_up_is_told_of_and_removed_once_one_is_sure(desk: Desk, redis):
    done = desk.ok("consumers")
    assert "no consumer group reads the results" in done.err
    redis.xgroup_create(STREAM, "my group", id="0", mkstream=True)
    redis.delete("cancellist:open")
    seconds, _ = redis.time()
    redis.delete(STREAM)
    old = f"{(seconds - 40 * 86_400) * 1000}-1"
    redis.xadd(STREAM, {"job": "35hnsmqb0001", "reference": "EC-000-000-001", "outcome": "cancelled"}, id=old)
    redis.xgroup_create(STREAM, "my group", id="0")
    redis.xgroup_create(STREAM, "done", id="$")
    done = desk.ok("consumers")
    assert "held up" in done.out
    assert done.err.count("\n") == 1
    assert "my group has kept results from being trimmed for 10 d" in done.err
    assert "`cancellist consumers remove 'my group'`" in done.err
    groups = {one["group"]: one for one in desk.ok("consumers", "--json").document["groups"]}
    assert groups["my group"]["held_up_seconds"] // 86_400 == 10
    assert groups["my group"]["lag"] == 1
    assert (groups["done"]["lag"], groups["done"]["holds_up_trimming"]) == (0, False)
    assert desk.run("consumers", "remove", "my group", text="n\n").status == 1
    assert len(redis.xinfo_groups(STREAM)) == 2
    assert desk.run("consumers", "remove", "another", "--yes").status == 1
    for arguments in (("remove",), ("remove", " "), ("drop", "done")):
        assert desk.run("consumers", *arguments).status == 2
    assert desk.ok("consumers", "remove", "my group", text="y\n").err == "the group my group is removed\n"
    assert [one["name"] for one in redis.xinfo_groups(STREAM)] == ["done"]
