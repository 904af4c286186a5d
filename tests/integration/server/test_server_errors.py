"""Commands on servers that are set up otherwise, or are none: one line says what to do, without what was handed in."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from tests.support.commands import Desk, Done
from tests.support.ports import free_port
from tests.support.servers import Server, running
from tests.support.stage import Platform

REFERENCE = "EC-000-05D-1NS"
COMMANDS = (("enqueue", "-"), ("jobs",), ("pause",))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    nowhere = Platform("http://127.0.0.1:1", None, 0)
    return Desk(tmp_path, nowhere, "", {"api_url": nowhere.url})


@contextlib.contextmanager
def admin(server: Server) -> Iterator[Redis]:
    with Redis(unix_socket_path=str(server.path), socket_timeout=10) as redis:
        yield redis


@contextlib.contextmanager
def answering(words: bytes) -> Iterator[int]:
    """Something that says the same to whatever it is told, and hangs up."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(words)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def told(done: Done, words: str) -> None:
    """That a command has failed, and has said so as it should."""
    assert (done.status, done.out) == (1, ""), done
    *waiting, line = done.err.splitlines()
    assert len(waiting) <= 1, done.err
    assert all(text.startswith("waiting for ") for text in waiting)
    assert line.startswith("cancellist: ")
    assert words in line
    assert len(line) < 600
    assert REFERENCE not in done.err


@pytest.mark.parametrize(
    "command",
    ["INFO", "WATCH", "MULTI", "EVALSHA", "EVAL", "TIME", "PUBLISH", "ZADD", "HSET", "XADD", "XREADGROUP", "EXISTS"],
)
def test_a_command_that_is_off_is_named_before_anything_is_done(desk: Desk, tmp_path: Path, command: str) -> None:
    with running("redis", tmp_path, "--rename-command", command, "") as server:
        for arguments in COMMANDS[:1]:
            told(desk.run(*arguments, text=REFERENCE, redis_url=server.url), f"the command {command}")
        with admin(server) as redis:
            assert redis.dbsize() == 0


@pytest.mark.parametrize("command", ["CONFIG", "SCRIPT", "CLIENT", "COMMAND", "DEBUG", "KEYS"])
def test_what_only_operators_need_may_be_off(desk: Desk, tmp_path: Path, command: str) -> None:
    with running("redis", tmp_path, "--rename-command", command, "") as server:
        for arguments in COMMANDS:
            desk.ok(*arguments, text=REFERENCE, redis_url=server.url)


@pytest.mark.parametrize("command", ["info", "watch", "evalsha", "time", "zadd", "psetex"])
@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_a_command_that_is_forbidden_is_told(desk: Desk, tmp_path: Path, kind: str, command: str) -> None:
    with running(kind, tmp_path) as server:
        with admin(server) as redis:
            redis.execute_command("ACL", "SETUSER", "u", "on", ">p", "~*", "&*", "+@all", f"-{command}")
        url = server.url.replace("unix://", "unix://u:p@")
        done = desk.run("enqueue", "-", text=REFERENCE, redis_url=url)
        if command in {"watch", "psetex"}:  # by then it is handed in: its id is told, and workers find it themselves
            assert done.status == 0
            assert len(done.out.split()) == 1
            assert f"the command {command}" in done.err
            assert REFERENCE not in done.err
        else:
            told(done, f"the command {command}")


@pytest.mark.parametrize("key", ["format", "jobs", "totals", "account:default:state", "account:default:calls"])
def test_another_kind_of_value_under_a_key_is_told(desk: Desk, tmp_path: Path, key: str) -> None:
    with running("redis", tmp_path) as server:
        with admin(server) as redis:
            redis.rpush(f"cancellist:{key}", "x")
        told(desk.run("enqueue", "-", text=REFERENCE, redis_url=server.url), "WRONGTYPE")


@pytest.mark.parametrize(
    ("options", "where", "words"),
    [
        (["--databases", "1"], "/3", "no database of that number"),
        (["--requirepass", "x"], "", "refuses the user name or the password"),
        (["--cluster-enabled", "yes", "--cluster-port", "0"], "", "Redis Cluster"),
        (["--maxmemory", "1"], "", "maxmemory"),
        (["--maxmemory-policy", "allkeys-lru", "--rename-command", "CONFIG", ""], "", "its provider"),
        (["--maxclients", "1"], "", "maxclients"),
        (["--replicaof", "127.0.0.1 1"], "", "replica"),
        (["--min-replicas-to-write", "1"], "", "NOREPLICAS"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_server_that_is_set_up_otherwise_is_told(desk: Desk, tmp_path: Path, options, where: str, words: str) -> None:
    port = free_port()
    options = [str(free_port()) if option == "0" else option for option in options]
    with running("redis", tmp_path, *options, "--port", str(port)) as server, contextlib.ExitStack() as stack:
        if "--maxclients" in options:
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        url = f"redis://127.0.0.1:{port}{where}"
        told(desk.run("enqueue", "-", text=REFERENCE, redis_url=url), words)
        assert server.process.poll() is None


def test_a_server_that_is_held_up_by_a_script_is_told(desk: Desk, tmp_path: Path) -> None:
    with running("redis", tmp_path, "--busy-reply-threshold", "50") as server, admin(server) as redis:
        held = threading.Thread(target=_hold_up, args=(server,))
        held.start()
        done = desk.run("jobs", redis_url=server.url)
        redis.execute_command("SCRIPT", "KILL")
        held.join(10)
    told(done, "BUSY")


def _hold_up(server: Server) -> None:
    with admin(server) as redis, contextlib.suppress(ResponseError):
        redis.eval("while true do end", 0)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"-DENIED Redis is running in protected mode because protected mode is enabled.\r\n", "protected mode"),
        (b"-ERR max number of clients reached\r\n", "maxclients"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html></html>", "the Redis protocol"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "speaks TLS: use rediss://"),
        (b"$abc\r\nxyz\r\n", "the Redis protocol"),
        (b"*" + b"9" * 5000 + b"\r\n", "the Redis protocol"),
        (b"\x00\xff" * 4000 + b"\r\n", "the Redis protocol"),
        (b"", "does not answer"),
    ],
)
def test_what_is_no_server_for_us_is_told(desk: Desk, said: bytes, words: str) -> None:
    with answering(said) as port:
        told(desk.run("jobs", redis_url=f"redis://127.0.0.1:{port}"), words)


@pytest.mark.parametrize("trouble", ["off", "database", "kind", "protected", "other"])
def test_a_worker_that_cannot_start_says_why_in_one_line(desk: Desk, tmp_path: Path, trouble: str) -> None:
    port = free_port()
    words = {"off": "the command WATCH", "database": "no database", "kind": "WRONGTYPE", "protected": "protected mode",
             "other": "the Redis protocol"}[trouble]  # fmt: skip
    said = {
        "protected": b"-DENIED Redis is running in protected mode\r\n",
        "other": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
    with contextlib.ExitStack() as stack:
        if trouble in said:
            port = stack.enter_context(answering(said[trouble]))
        else:
            off = ("--rename-command", "WATCH", "") if trouble == "off" else ()
            server = stack.enter_context(running("redis", tmp_path, "--port", str(port), *off))
            if trouble == "kind":
                with admin(server) as redis:
                    redis.rpush("cancellist:format", "x")
        url = f"redis://127.0.0.1:{port}" + ("/99" if trouble == "database" else "")
        done = desk.run("worker", "--burst", redis_url=url)
    assert done.status == 1
    assert "Traceback" not in done.err
    *_, line = done.err.splitlines()
    assert line.startswith("cancellist: ")
    assert words in line


def test_tls_where_there_is_none_is_told(desk: Desk, tmp_path: Path) -> None:
    port = free_port()
    with running("redis", tmp_path, "--port", str(port)):
        told(desk.run("jobs", redis_url=f"rediss://127.0.0.1:{port}"), "perhaps because it speaks no TLS")
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as other:
        told(desk.run("jobs", redis_url=f"rediss://127.0.0.1:{other}"), "does not speak TLS")


def test_a_sentinel_is_told_from_a_server(desk: Desk, tmp_path: Path) -> None:
    port = free_port()
    with running("redis", tmp_path, "--port", str(port)):
        told(desk.run("jobs", redis_url=f"redis+sentinel://127.0.0.1:{port}/name"), "sentinel")
