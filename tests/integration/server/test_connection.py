"""Connecting to real servers, Valkey as embedded and Debian's Redis; a proxy between where replies must get lost."""

import asyncio
import time

import pytest

from cancellist.jobs.errors import (
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
)
from cancellist.jobs.ledger.server import fitness
from cancellist.jobs.ledger.server.connection import connect, translated
from cancellist.jobs.ledger.server.fitness import check
from tests.integration.server.conftest import (
    VALKEY,
    both,
    whole_text,
)
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(60)


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
        fitness._must_be_new_enough(name, version, "it")
    else:
        with pytest.raises(LedgerUnfitError, match=r"Redis 7\.0 or newer or Valkey 8"):
            fitness._must_be_new_enough(name, version, "it")


@pytest.mark.timed
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


@pytest.mark.timed
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


@pytest.mark.timed
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


async def test_a_server_of_another_protocol_is_unfit():
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LedgerUnfitError, match="does not speak the Redis protocol"):
            await connect(f"redis://127.0.0.1:{port}")
