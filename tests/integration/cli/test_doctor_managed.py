"""`cancellist doctor` on servers that say little of themselves, as those that a provider runs: it tries what it can."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from cancellist.jobs.diagnostics.check_result import CheckStatus
from cancellist.jobs.ledger.checks import acl
from cancellist.jobs.ledger.checks.ledger import ABANDONED_MS, Readers, unread
from cancellist.jobs.ledger.checks.probe_script import Probed, judged
from cancellist.jobs.ledger.keys import Keys
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.roles import Role
from tests.support.commands import Desk
from tests.support.servers import KINDS, Server, running
from tests.support.stage import Platform, platform

Checks = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("world"), consignments=10) as world:
        yield world


@pytest.fixture(params=KINDS)
def server(request, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path, fsync="always") as server:
        yield server


@pytest.fixture
def admin(server: Server) -> Iterator[Redis]:
    with Redis(unix_socket_path=str(server.path)) as redis:
        yield redis


def examined(server: Server, world: Platform, folder: Path, *arguments: str, login: str = "") -> tuple[int, Checks]:
    url = server.url.replace("unix://", f"unix://{login}")
    desk = Desk(folder, world, url, {"redis_url": url, "api_url": world.url})
    done = desk.run("doctor", "--json", *arguments)
    assert "Traceback" not in done.err
    return done.status, {check["check"]: check for check in json.loads(done.out)["checks"]}


def allow(admin: Redis, *rules: str) -> str:
    admin.execute_command("ACL", "SETUSER", "tenant", "reset", "on", ">pass", "~*", "&*", "+@all", *rules)
    return "tenant:pass@"


def test_without_config_all_is_judged_from_the_rest_and_advice_names_parameters(
    server: Server, admin: Redis, world: Platform, tmp_path: Path
) -> None:
    login = allow(admin, "-config")
    status, checks = examined(server, world, tmp_path, login=login)
    assert status == 0
    assert {name for name, check in checks.items() if check["verdict"] == "failed"} == set()
    assert checks["permissions"]["verdict"] == checks["probe"]["verdict"] == "ok"
    admin.config_set("appendonly", "no")
    admin.config_set("maxmemory-policy", "allkeys-lru")
    status, checks = examined(server, world, tmp_path, login=login)
    assert status == 1
    assert (checks["persistence"]["verdict"], checks["eviction"]["verdict"]) == ("warning", "failed")
    assert "cannot be known" in checks["persistence"]["found"]
    for name, words in (("persistence", "appendonly to yes"), ("eviction", "maxmemory-policy to noeviction")):
        assert "CONFIG SET" not in checks[name]["mend"] + checks[name]["found"]
        assert words in checks[name]["mend"]
        assert "provider" in checks[name]["mend"]


def test_without_info_version_and_role_are_tried_and_what_cannot_be_known_is_no_failure(
    server: Server, admin: Redis, world: Platform, tmp_path: Path
) -> None:
    login = allow(admin, "-config", "-info", "-time")
    status, checks = examined(server, world, tmp_path, login=login)
    assert checks["version"]["verdict"] == checks["role"]["verdict"] == "ok"
    assert checks["version"]["found"].startswith(server.kind)
    for name in ("persistence", "eviction", "memory", "clock"):
        assert checks[name]["verdict"] == "skipped", checks[name]
        assert "cannot be known" in checks[name]["found"]
    assert status == 1  # every command asks for INFO and TIME
    assert "INFO" in checks["permissions"]["found"]
    _, checks = examined(server, world, tmp_path, login=allow(admin, "-info"))
    assert checks["eviction"]["verdict"] == checks["persistence"]["verdict"] == "ok"


def test_what_was_switched_off_is_named(world: Platform, tmp_path: Path) -> None:
    off = ("WATCH", "XAUTOCLAIM", "SCRIPT")
    with running("redis", tmp_path, *(word for name in off for word in ("--rename-command", name, ""))) as server:
        status, checks = examined(server, world, tmp_path)
    assert status == 1
    assert all(name in checks["permissions"]["found"] for name in off[:2])
    assert checks["scripts"]["verdict"] == "skipped"


def test_nothing_is_run_where_no_transaction_can_be_opened(world: Platform, tmp_path: Path) -> None:
    with (
        running("redis", tmp_path, "--rename-command", "MULTI", "") as server,
        Redis(unix_socket_path=str(server.path)) as redis,
    ):
        redis.xadd("cancellist:results", {"job": "1"})
        before = {key: redis.dump(key) for key in redis.scan_iter()}
        status, checks = examined(server, world, tmp_path)
        assert status == 1
        assert "MULTI" in checks["permissions"]["found"]
        assert {key: redis.dump(key) for key in redis.scan_iter()} == before


async def test_nothing_is_run_where_a_user_may_open_none(server: Server, admin: Redis) -> None:
    admin.xadd("cancellist:results", {"job": "1"})
    login = allow(admin, "-multi")
    redis = await connect(server.url.replace("unix://", f"unix://{login}"))
    assert await acl.lacking(redis, acl.needed(Role.WORKER, Keys())) is None
    await redis.aclose()
    assert (admin.keys(), admin.xlen("cancellist:results")) == ([b"cancellist:results"], 1)


@pytest.mark.parametrize("forbidden", ["unlink", "hset", "hget"])
def test_the_probing_script_leaves_nothing_whatever_is_forbidden(
    server: Server, admin: Redis, world: Platform, tmp_path: Path, forbidden: str
) -> None:
    _, checks = examined(server, world, tmp_path, login=allow(admin, f"-{forbidden}"))
    assert checks["probe"]["verdict"] == "skipped"
    assert forbidden in checks["probe"]["found"]
    assert [key for key in admin.scan_iter() if b"doctor" in key] == []


def test_a_server_whose_scripts_cannot_ask_for_rights_is_unfit() -> None:
    assert judged(Probed("dragonfly", "1.0", asks_rights=False)).verdict is CheckStatus.FAILED
    assert judged(Probed("valkey", "9.0", asks_rights=True)).verdict is CheckStatus.OK


def test_a_key_that_something_else_has_written_is_named_with_how_to_remove_it(
    server: Server, admin: Redis, world: Platform, tmp_path: Path
) -> None:
    admin.set("cancellist:account:default:claims", "x")
    admin.lpush("cancellist:totals", "x")
    status, checks = examined(server, world, tmp_path)
    assert status == 1
    assert "UNLINK cancellist:totals cancellist:account:default:claims" in checks["keys"]["mend"]


def test_groups_that_nobody_reads_are_named_with_what_they_hold_and_how_to_remove_them(
    server: Server, admin: Redis, world: Platform, tmp_path: Path
) -> None:
    _, checks = examined(server, world, tmp_path)
    assert checks["consumers"]["found"] == "no group reads the results"
    key = "cancellist:results"
    for n in range(5):
        admin.xadd(key, {"job": str(n)})
    admin.xgroup_create(key, "left behind", id="0")
    admin.xgroup_create(key, "billing", id="0")
    admin.xreadgroup("billing", "one", {key: ">"}, count=2)
    status, checks = examined(server, world, tmp_path, "--role", "reader")
    assert (status, checks["consumers"]["verdict"]) == (0, "warning")
    assert "left behind (no consumer, 5 entries unread, 0 pending)" in checks["consumers"]["found"]
    assert "billing" not in checks["consumers"]["found"]
    assert "XGROUP DESTROY cancellist:results 'left behind'" in checks["consumers"]["mend"]


@pytest.mark.parametrize(
    ("idle_ms", "gone"), [(0, False), (ABANDONED_MS - 1, False), (ABANDONED_MS, True), (None, True)]
)
def test_a_group_is_read_while_one_of_its_consumers_has_asked_within_a_day(idle_ms, gone) -> None:
    found = unread([Readers("shop", idle_ms, None, 7)], "cancellist:results")
    assert (found.verdict is CheckStatus.WARNING) == gone
    assert ("an unknown number of entries unread, 7 pending" in found.found) == gone


def test_many_groups_and_strange_names_are_told_in_bounded_words() -> None:
    groups = [Readers(f"g\x1b[2J{n}", None, 1, 0) for n in range(50)]
    found = unread(groups, "k")
    assert "45 more" in found.found
    assert "\x1b" not in found.found + found.mend
