"""A server that goes, comes again, loses replies or is full: what commands make of it."""

import asyncio
import time

import pytest
import uvloop
from arq.connections import ArqRedis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import DataError, ResponseError

from cancellist.jobs.errors import (
    LedgerFullError,
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
)
from cancellist.jobs.ledger.server import connection
from cancellist.jobs.ledger.server.connection import connect, translated
from cancellist.jobs.ledger.server.fitness import check
from tests.integration.server.conftest import (
    VALKEY,
    Proxy,
    both,
)
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(60)


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
            await asyncio.sleep(0.1)  # the server is away for so long: attempts meet no listener
            server.start()
        over.set()
    await redis.aclose()


@pytest.mark.timed
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


@pytest.mark.timed
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
    await asyncio.sleep(1.5)  # time itself is tested: how many attempts are made in so long, at first and later
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


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("over", ["tcp", "unix"])
def test_what_finds_its_connection_reset_as_it_is_sent_is_sent_again(serve, monkeypatch, make_loop, over):
    server = serve(VALKEY)

    async def commands() -> list[int]:
        redis = await connect(server.url if over == "tcp" else f"unix://{server.socket}")
        script = redis.register_script("return redis.call('incr', KEYS[1])")
        ready = redis.connection_pool.get_connection

        async def reset(*names: object, **options: object) -> AbstractConnection:
            made = await ready(*names, **options)
            made._writer.transport.abort()
            for _ in range(10):  # until the event loop has closed it
                await asyncio.sleep(0)
            return made

        monkeypatch.setattr(redis.connection_pool, "get_connection", reset)
        counts = [
            await redis.incr("key"),
            await script(keys=["key"]),
            *await redis.pipeline(transaction=False).incr("key").execute(),
            *await redis.pipeline(transaction=True).incr("key").execute(),
        ]
        await redis.aclose()
        return counts

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(commands()) == [1, 2, 3, 4]


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


@pytest.mark.parametrize("kind", ["subscription", "stream"])
async def test_a_reader_whose_timeout_runs_out_again_and_again_ends_when_it_is_cancelled(serve, kind):
    server = serve(VALKEY)
    redis = await connect(f"unix://{server.socket}")
    await redis.xgroup_create("stream", "group", mkstream=True)

    async def subscription():
        async with redis.pubsub() as listener:
            await listener.subscribe("news")
            while True:
                await listener.get_message(timeout=0.0005)

    async def stream():
        while True:
            await redis.xreadgroup("group", "me", {"stream": ">"}, block=1)

    read = {"subscription": subscription, "stream": stream}[kind]
    for turns in range(60):
        task = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
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
