"""Secrets are nowhere but where they are given: not in logs, output, process titles or the ledger, whatever fails."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from redis import Redis

from cancellist.config.loading import load
from cancellist.jobs.ledger.server.address import parse
from cancellist.worker.platform.client import PlatformClient
from tests.support.commands import Desk, Done
from tests.support.servers import running
from tests.support.stage import Stage, platform, wait_for

pytestmark = pytest.mark.acceptance
KEY = "k3y-that-no-one-may-see"
WRONG_KEY = "wr0ng-k3y-that-no-one-may-see"
PASSWORD = "pa55/word?that@no-one:may-see"
TOKEN = "d16e570fa70ce4" + 50 * "7"
SECRETS = [
    KEY,
    WRONG_KEY,
    PASSWORD,
    quote(PASSWORD, safe=""),
    quote(PASSWORD),
    TOKEN,
    "no-one-may-see",
    "no-one:may-see",
]


def hidden(text: str, where: object) -> None:
    """Fails where a secret is in a text."""
    for secret in SECRETS:
        assert secret not in text, (secret, where)


def everything_in(redis: "Redis[bytes]") -> str:
    """Every key and value of a server, of whatever type."""
    texts: list[object] = []
    for key in redis.scan_iter(count=1000):
        kind = redis.type(key)
        texts.append(key)
        match kind:
            case b"string":
                texts.append(redis.get(key))
            case b"hash":
                texts.append(redis.hgetall(key))
            case b"list":
                texts.append(redis.lrange(key, 0, -1))
            case b"set":
                texts.append(redis.smembers(key))
            case b"zset":
                texts.append(redis.zrange(key, 0, -1))
            case b"stream":
                texts.append(redis.xrange(key))
            case b"none":
                pass  # it has passed since it was found
            case _:
                raise TypeError(kind)
    return "\n".join(map(str, texts))


def cmdlines_below(process: psutil.Process) -> str:
    """Titles of a process and of all that it has started, as every user of the machine sees them."""
    return " ".join(" ".join(one.cmdline()) for one in [process, *process.children(recursive=True)])


class Scene:
    """A server with a password and a platform with a key; whatever is printed is remembered."""

    def __init__(self, desk: Desk, stage: Stage, redis: "Redis[bytes]", socket: Path) -> None:
        self.desk = desk
        self.stage = stage
        self.redis = redis
        self.socket = socket

    def run(self, *arguments: object, **settings: str) -> Done:
        done = self.desk.run(*arguments, **settings)
        hidden(done.out + done.err, arguments)
        return done


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with running("valkey", tmp_path) as server, platform(tmp_path, latency_ms=2, api_key=KEY) as world:
        socket = Path(server.url.removeprefix("unix://"))
        redis = Redis(unix_socket_path=str(socket))
        redis.config_set("requirepass", PASSWORD)
        redis.close()
        url = f"unix://:{quote(PASSWORD, safe='')}@{socket}"
        settings = {"redis_url": url, "api_url": world.url, "api_key": KEY, "api_tokens": f"upstream:read:{TOKEN}",
                    "log_level": "debug", "lease_seconds": "2"}  # fmt: skip
        with Stage(server, world, tmp_path, settings) as stage:
            redis = Redis(unix_socket_path=str(socket), password=PASSWORD)
            yield Scene(Desk(tmp_path, world, url, settings), stage, redis, socket)
            redis.close()


def until_logged(log: Path, words: str) -> None:
    wait_for(lambda: re.search(words, log.read_text(errors="replace")) is not None, 25)


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_worker_shows_no_secret_whatever_fails_around_it(scene: Scene, form: str) -> None:
    references = scene.desk.fresh(400)
    job = scene.run("enqueue", "-", log_format=form).status  # nothing was handed in: an error of its own
    assert job == 1
    job = scene.desk.ok("enqueue", "-", text="\n".join(references)).out.strip()

    refused = scene.stage.worker(log_format=form, api_key=WRONG_KEY)
    until_logged(refused.log, "refused.*401|401.*refused")
    hidden(cmdlines_below(psutil.Process(refused.process.pid)), "cmdline")
    hidden(everything_in(scene.redis), "redis")
    scene.run("doctor", api_key=WRONG_KEY)
    scene.run("explain", job, references[0])
    refused.process.send_signal(signal.SIGKILL)
    refused.process.wait(10)

    worker = scene.stage.worker(log_format=form)
    scene.desk.ok("watch", job)
    # records that make no sense: an error that nobody has thought of, with its traceback
    scene.redis.zadd("cancellist:jobs", {"mad": 1})
    scene.redis.zadd("cancellist:open", {"mad": 1})
    scene.redis.hset("cancellist:account:default:state", "flow", "{mad")
    scene.desk.ok("enqueue", "-", text=scene.desk.fresh(1)[0])
    until_logged(worker.log, "Traceback")
    scene.redis.hdel("cancellist:account:default:state", "flow")
    scene.stage.server.kill()
    until_logged(worker.log, "waiting for (the server|it)")
    scene.run("jobs")
    scene.run("doctor")
    os.kill(worker.process.pid, signal.SIGABRT)  # a crash
    worker.process.wait(10)
    for one in scene.stage.workers:
        hidden(one.log.read_text(errors="replace"), one.log)
    files = list(scene.desk.folder.rglob("*.aof*"))
    assert sum(file.stat().st_size for file in files) > 1_000
    for file in files:
        hidden(file.read_text(errors="replace"), file)
    scene.stage.server.restart()
    with Redis(unix_socket_path=str(scene.socket)) as anew:  # its password was set for the process only
        kept = everything_in(anew)
    assert job in kept
    hidden(kept, "redis, after all that failed")


@pytest.mark.parametrize(
    "url",
    [
        "unix://:{wrong}@{socket}",
        "redis://user:{quoted}@127.0.0.1:1/0",
        "rediss://:{quoted}@127.0.0.1:1/x",
        "redis//:{raw}@localhost",
        "http://:{quoted}@localhost",
        "redis://:{quoted}@127.0.0.1:port",
    ],
)
@pytest.mark.parametrize("command", [("worker", "--burst"), ("doctor", "--json")])
def test_a_server_that_cannot_be_used_is_told_without_its_password(
    tmp_path: Path, valkey, url: str, command: tuple[str, ...]
) -> None:
    socket = valkey.url.removeprefix("unix://")
    quoted = quote(PASSWORD, safe="")
    given = url.format(raw=PASSWORD, quoted=quoted, wrong=quoted, socket=socket)
    nowhere = Stage(valkey, None, tmp_path)  # type: ignore[arg-type] # no platform
    desk = Desk(tmp_path, nowhere, given, {"redis_url": given, "api_url": "http://127.0.0.1:1", "log_level": "debug"})  # type: ignore[arg-type]
    done = desk.run(*command)
    hidden(done.out + done.err, (command, url))
    if "{wrong}" not in url:  # a server without a password takes any
        assert done.status == 1


def test_settings_and_what_is_made_of_them_show_no_secret(monkeypatch) -> None:
    monkeypatch.setenv("CANCELLIST_API_KEY", KEY)
    monkeypatch.setenv("CANCELLIST_REDIS_URL", f"redis://user:{quote(PASSWORD, safe='')}@localhost")
    monkeypatch.setenv("CANCELLIST_API_TOKENS", f"upstream:read:{TOKEN}")
    settings = load()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.__dict__)):
        hidden(shown, "settings")
    assert settings.redis_url
    hidden(repr(parse(settings.redis_url.get_secret_value())), "address")
    hidden(repr(PlatformClient("https://platform.invalid", KEY, timeout_s=1)), "client")


def test_a_platform_that_cannot_be_reached_is_told_without_the_key() -> None:
    async def call(url: str) -> str:
        async with PlatformClient(url, KEY, timeout_s=2) as client:
            return repr(await client.cancel(["EC-000-000-000", "EC-000-000-001"])) + repr(await client.status("x"))

    for url in ("http://127.0.0.1:1", "http://platform.invalid", "https://127.0.0.1:1"):
        hidden(asyncio.run(call(url)), url)


def test_the_embedded_server_is_started_without_our_environment(tmp_path: Path) -> None:
    nowhere = Desk(
        tmp_path, None, "", {"data_dir": str(tmp_path / "data"), "api_key": KEY, "api_url": "http://127.0.0.1:1"}
    )  # type: ignore[arg-type]
    with nowhere.started("worker") as process:
        wait_for(lambda: (tmp_path / "data/valkey.pid").is_file() and (tmp_path / "data/valkey.sock").exists(), 20)
        server = psutil.Process(int((tmp_path / "data/valkey.pid").read_text()))
        hidden(" ".join(server.cmdline()) + str(server.environ()), "the embedded server")
        assert not [c for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert (tmp_path / "data/valkey.sock").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        hidden(" ".join(psutil.Process(process.pid).cmdline()), "the worker")
    assert subprocess.run(["grep", "-rF", KEY, tmp_path], capture_output=True, check=False).returncode == 1
