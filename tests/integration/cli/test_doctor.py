"""`cancellist doctor`: what is unfit is named with its mend, whatever else is broken, and nothing is changed."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.support.commands import Desk, Done
from tests.support.servers import KINDS, Server, running
from tests.support.stage import Platform, platform

KEY = "the-right-key"


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("world"), api_key=KEY, consignments=10) as world:
        yield world


@pytest.fixture(params=KINDS)
def server(request, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path, fsync="always") as server:
        yield server


def desk_of(folder: Path, world: Platform, url: str) -> Desk:
    return Desk(folder, world, url, {"redis_url": url, "api_url": world.url, "api_key": KEY})


@pytest.fixture
def desk(server: Server, tmp_path: Path, world: Platform) -> Desk:
    return desk_of(tmp_path, world, server.url)


def examined(desk: Desk, *arguments: str, **settings: str) -> tuple[Done, dict[str, dict[str, str]]]:
    done = desk.run("doctor", "--json", *arguments, **settings)
    return done, {check["check"]: check for check in done.document["checks"]}


def verdicts(checks: dict[str, dict[str, str]], *but: str) -> dict[str, str]:
    """Those that are not ok."""
    return {name: check["verdict"] for name, check in checks.items() if check["verdict"] != "ok" and name not in but}


def test_where_all_is_well_nothing_must_be_mended_and_nothing_is_changed(desk: Desk, server: Server) -> None:
    done, checks = examined(desk)
    assert done.status == 0
    assert done.document["ok"] is True
    assert verdicts(checks) == {"workers": "warning", "disk": "skipped", "socket": "skipped"}
    assert all(check["found"] for check in checks.values())
    with Redis(unix_socket_path=server.url.removeprefix("unix://")) as redis:
        assert redis.keys() == []


def test_for_people_it_says_what_it_means_and_how_to_mend_it(desk: Desk) -> None:
    done = desk.run("doctor", api_key="wrong")
    assert done.status == 1
    assert "refuses the key (HTTP 401)" in done.out
    assert "→ set CANCELLIST_API_KEY" in done.out
    assert "1 thing must be fixed" in done.err


@pytest.mark.parametrize(
    ("name", "value", "check", "verdict", "words"),
    [
        ("maxmemory-policy", "allkeys-lru", "eviction", "failed", "noeviction"),
        ("appendfsync", "everysec", "persistence", "warning", "appendfsync always"),
        ("appendonly", "no", "persistence", "warning", "appendonly yes"),
        ("maxmemory", "100kb", "memory", "failed", "maxmemory"),
    ],
)
def test_what_is_unfit_in_the_server_is_named(
    desk: Desk, server: Server, name: str, value: str, check: str, verdict: str, words: str
) -> None:
    with Redis(unix_socket_path=server.url.removeprefix("unix://")) as redis:
        redis.config_set(name, value)
    done, checks = examined(desk)
    assert checks[check]["verdict"] == verdict, checks[check]
    assert words in checks[check]["mend"]
    assert done.status == int(verdict == "failed")


def test_a_replica_is_no_place_for_the_ledger(desk: Desk, server: Server) -> None:
    with Redis(unix_socket_path=server.url.removeprefix("unix://")) as redis:
        redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        done, checks = examined(desk)
        redis.execute_command("REPLICAOF", "NO", "ONE")
    assert done.status == 1
    assert checks["role"]["verdict"] == "failed"


def test_what_stands_in_the_ledger_is_told(desk: Desk, server: Server) -> None:
    desk.ok("enqueue", "-", text="EC-AAA-AAA-AAA")
    desk.ok("pause")
    with Redis(unix_socket_path=server.url.removeprefix("unix://")) as redis:
        redis.xadd("cancellist:intake", {"references": "x"}, id="1-1")
        redis.xadd("cancellist:intake:rejected", {"entry": "1-0", "reason": "unknown field 'refs'"})
        _, checks = examined(desk)
        assert checks["account default"]["found"] == "paused"
        desk.ok("stop", "--reason", "the wrong list")
        _, checks = examined(desk, stop_file=str(desk.folder / "none" / "stop"))
        assert checks["account default"]["found"].endswith(": the wrong list")
        assert checks["stop file"]["verdict"] == "failed"
        _, checks = examined(desk, stop_file=str(desk.folder))
        assert checks["stop file"]["verdict"] == "warning"
        key = desk.folder / "snapshot.key"
        desk.ok("snapshots", "--new-key", key)
        for folder, found in ((desk.folder / "none", "failed"), (desk.folder, "ok")):
            _, checks = examined(desk, snapshot_dir=str(folder), snapshot_key_file=str(key))
            assert checks["snapshots"]["verdict"] == found
        assert "SNAPSHOT_DIR is not set" in examined(desk, snapshot="true")[1]["snapshots"]["found"]
        assert checks["intake"]["verdict"] == "warning"
        assert "unknown field 'refs'" in checks["rejected"]["found"]
        assert "1 jobs are unfinished" in checks["workers"]["found"]
        assert "for 1 references" in checks["memory"]["found"]
        redis.set("cancellist:format", 99)
    done, checks = examined(desk)
    assert done.status == 1
    assert "holds format 99" in checks["format"]["found"]


def test_a_user_without_rights_is_told_which_it_lacks_and_what_could_not_be_seen(desk: Desk, server: Server) -> None:
    path = server.url.removeprefix("unix://")
    with Redis(unix_socket_path=path) as redis:
        redis.execute_command(
            "ACL", "SETUSER", "poor", "on", ">pass", "~cancellist:results", "+ping", "+multi", "+discard"
        )
        redis.execute_command("ACL", "SETUSER", "poorer", "on", ">pass", "+ping")
    done, checks = examined(desk, redis_url=f"unix://poor:pass@{path}")
    assert done.status == 1
    assert "GET cancellist:format" in checks["permissions"]["found"]
    assert checks["version"]["verdict"] == "skipped"
    _, checks = examined(desk, redis_url=f"unix://poorer:pass@{path}")
    assert checks["permissions"]["verdict"] == "failed"
    assert "MULTI" in checks["permissions"]["found"]
    _, checks = examined(desk, "--role", "reader", redis_url=f"unix://poorer:pass@{path}")
    assert checks["permissions"]["verdict"] == "skipped"
    assert "Traceback" not in done.err


@pytest.fixture
def quick(valkey, tmp_path: Path, world: Platform) -> Desk:
    """A desk on a server that other tests use too."""
    return desk_of(tmp_path, world, valkey.url)


def test_with_the_server_down_all_else_is_still_examined(quick: Desk) -> None:
    done, checks = examined(quick, redis_url="redis://user:secret@127.0.0.1:1")
    assert done.status == 1
    assert checks["server"]["verdict"] == "failed"
    assert "CANCELLIST_REDIS_URL" in checks["server"]["mend"]
    assert checks["version"]["verdict"] == "skipped"
    assert checks["key default"]["verdict"] == "ok"
    assert "secret" not in done.out + done.err


@pytest.mark.parametrize(
    ("url", "verdict", "words"),
    [
        ("http://127.0.0.1:1", "failed", "does not answer"),
        ("http://127.0.0.1:1/base", "failed", "does not answer"),
        ("{world}/nowhere", "failed", "not as the platform does"),
    ],
)
def test_a_platform_that_is_not_there_is_named(quick: Desk, url: str, verdict: str, words: str) -> None:
    done, checks = examined(quick, api_url=url.format(world=quick.platform.url))
    assert done.status == 1
    assert checks["key default"]["verdict"] == verdict
    assert words in checks["key default"]["found"]
    assert "CANCELLIST_API_URL" in checks["key default"]["mend"]


def test_nothing_makes_it_hang(quick: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        done, checks = examined(quick, redis_url=f"redis://127.0.0.1:{port}", api_url=f"http://127.0.0.1:{port}")
        assert time.monotonic() - began < 30
    assert done.status == 1
    assert checks["server"]["verdict"] == checks["key default"]["verdict"] == "failed"


@pytest.mark.parametrize("role", ["producer", "reader"])
def test_only_a_worker_needs_the_platform(quick: Desk, role: str) -> None:
    _, checks = examined(quick, "--role", role, api_url="https://platform.invalid", api_key="")
    assert checks["settings"]["verdict"] == "ok"
    assert checks["key default"]["verdict"] == "skipped"
    assert f"a {role} does" in checks["permissions"]["found"]


def test_a_misspelt_setting_is_found_wherever_it_is(quick: Desk) -> None:
    quick.file(".env", "CANCELLIST_API_KEYS=a-secret\nOTHER=1\n")
    done, checks = examined(quick, lease_second="3")
    assert checks["names"]["verdict"] == "warning"
    for name in ("CANCELLIST_API_KEYS", "CANCELLIST_LEASE_SECOND", "did you mean CANCELLIST_LEASE_SECONDS"):
        assert name in checks["names"]["found"]
    assert "a-secret" not in done.out


def test_a_misspelt_setting_in_the_toml_file_is_an_error(quick: Desk) -> None:
    config = quick.file("c.toml", "max_atempts = 3\n")
    done, checks = examined(quick, config=str(config))
    assert checks["settings"]["verdict"] == "failed"
    assert "MAX_ATTEMPTS" in checks["settings"]["found"].upper()
    assert "a-secret" not in done.out


def test_settings_that_cannot_be_read_are_a_finding(quick: Desk) -> None:
    done, checks = examined(quick, max_attempts="many")
    assert done.status == 1
    assert "CANCELLIST_MAX_ATTEMPTS" in checks["settings"]["found"]
    assert checks["server"]["verdict"] == "skipped"


def test_the_embedded_server_is_started_examined_and_ended(quick: Desk, tmp_path: Path) -> None:
    del quick.settings["redis_url"]
    data = tmp_path / "data"
    done, checks = examined(quick, data_dir=str(data))
    assert done.status == 0, done
    assert verdicts(checks, "disk") == {"workers": "warning"}
    assert "mode 700, no port" in checks["socket"]["found"]
    assert not (data / "valkey.pid").exists()
    (tmp_path / "file").write_text("")
    done, checks = examined(quick, data_dir=str(tmp_path / "file" / "data"))
    assert (done.status, checks["server"]["verdict"]) == (1, "failed")
    assert "CANCELLIST_DATA_DIR" in checks["server"]["mend"]


def test_a_socket_that_others_may_use_is_named(tmp_path: Path) -> None:
    from cancellist.cli.actions.doctor import machine

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        os.chmod(tmp_path / "s", 0o777)  # noqa: PTH101 - as a user would
        assert machine.socket(tmp_path / "s", 0).verdict == "failed"
        os.chmod(tmp_path / "s", 0o700)  # noqa: PTH101 - as above
        assert machine.socket(tmp_path / "s", 6379).verdict == "failed"
        assert machine.socket(tmp_path / "s", 0).verdict == "ok"


def test_one_document_is_all_that_is_printed(quick: Desk) -> None:
    done = quick.run("doctor", "--json")
    assert set(json.loads(done.out)) == {"ok", "checks"}


def test_what_deallocating_first_can_do_to_a_consignment_is_told(quick: Desk) -> None:
    done, checks = examined(quick, deallocate_first="true")
    assert done.status == 0
    assert checks["deallocating default"]["verdict"] == "warning"
    assert "has lost its carrier" in checks["deallocating default"]["means"]
