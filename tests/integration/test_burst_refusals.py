"""A burst ends, with one line and exit 1, where the server refuses for good what it needs; what can be done is done."""

import contextlib
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.commands import Desk
from tests.support.servers import Server, running
from tests.support.stage import platform

USER = ("ACL", "SETUSER", "u")


@contextlib.contextmanager
def admin(server: Server) -> Iterator[Redis]:
    with Redis(unix_socket_path=str(server.path), socket_timeout=10) as redis:
        yield redis


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[tuple[Desk, Server]]:
    folder = tmp_path_factory.mktemp("burst")
    with platform(folder, latency_ms=2) as there, running("redis", folder / "server") as server:
        url = server.url.replace("unix://", "unix://u:p@")
        yield Desk(folder, there, server.url, {"redis_url": url, "api_url": there.url}), server


@pytest.mark.parametrize(
    ("refused", "words", "done"),
    [
        ("intake", "WRONGTYPE", True),
        ("xlen", "xlen", True),
        ("time", "time", False),
        ("evalsha", "evalsha", False),
        ("watch", "watch", False),
        ("zrangebyscore", "zrangebyscore", False),
        ("publish", "publish", False),
    ],
)
def test_a_burst_that_cannot_go_on_ends_and_says_why(world, refused: str, words: str, done: bool):
    desk, server = world
    with admin(server) as redis:
        redis.flushall()
        redis.execute_command(*USER, "reset", "on", ">p", "~*", "&*", "+@all")
        job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(2))).out.strip()
        if refused == "intake":
            redis.delete("cancellist:intake")
            redis.set("cancellist:intake", "x")
        else:
            redis.execute_command(*USER, f"-{refused}")
        ended = desk.run("worker", "--burst")
        redis.execute_command(*USER, "+@all")
    assert ended.status == 1, ended
    [line] = [line for line in ended.err.splitlines() if line.startswith("cancellist: ")]
    assert words in line
    assert "Traceback" not in ended.err
    assert (desk.ok("status", job, "--json").document["state"] == "completed") is done


def test_a_burst_does_without_hearing_of_wakes(world):
    desk, server = world
    with admin(server) as redis:
        redis.flushall()
        redis.execute_command(*USER, "reset", "on", ">p", "~*", "&*", "+@all", "-subscribe")
        job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(2))).out.strip()
        desk.drain()
    assert desk.ok("status", job, "--json").document["state"] == "completed"


def test_a_burst_waits_out_what_is_refused_for_a_moment(world):
    desk, server = world
    with admin(server) as redis:
        redis.flushall()
        redis.execute_command(*USER, "reset", "on", ">p", "~*", "&*", "+@all")
        job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(2))).out.strip()
        redis.execute_command(*USER, "-time")
        with desk.started("worker", "--burst") as worker:
            assert worker.stderr is not None
            assert any("the server refuses a command" in line for line in worker.stderr)
            redis.execute_command(*USER, "+time")
            assert worker.wait(30) == 0
    assert desk.ok("status", job, "--json").document["state"] == "completed"
