"""What users get whose server or settings are wrong, and what each command says of itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cancellist.cli.main import COMMANDS
from cancellist.jobs.ledger.server.connection import connect
from tests.support.commands import Desk
from tests.support.servers import running
from tests.support.stage import ROOT, Platform


@pytest.fixture
def desk(tmp_path):
    """A desk without a platform, whose server is not there."""
    nowhere = Platform("http://127.0.0.1:1", None, 0)
    return Desk(tmp_path, nowhere, "", {"redis_url": "redis://127.0.0.1:1", "api_url": nowhere.url})


def test_a_server_that_is_not_there_is_waited_for_visibly_and_then_told_in_one_line(desk: Desk):
    done = desk.run("jobs")
    assert (done.status, done.out) == (1, "")
    waiting, failed = done.err.splitlines()
    assert waiting == "waiting for redis://127.0.0.1:1 to answer"
    assert failed.startswith("cancellist: redis://127.0.0.1:1 does not answer")
    assert "CANCELLIST_REDIS_URL" in failed


async def test_a_wrong_password_is_told_at_once_and_never_shown(desk: Desk, tmp_path):
    with running("valkey", tmp_path) as server:
        redis = await connect(server.url)
        await redis.config_set("requirepass", "right")
        await redis.aclose()
        path = server.url.removeprefix("unix://")
        done = desk.run("jobs", redis_url=f"unix://:wrong-secret@{path}")
    assert done.status == 1
    assert "refuses the user name or the password" in done.err
    assert "wrong-secret" not in done.err
    assert done.err.count("\n") == 1


def test_a_server_that_evicts_is_refused(desk: Desk, tmp_path):
    with running("valkey", tmp_path, "--maxmemory-policy", "allkeys-lru") as server:
        done = desk.run("enqueue", "-", text="EC-000-05D-1NS", redis_url=server.url)
    assert (done.status, done.out) == (1, "")
    assert "CONFIG SET maxmemory-policy noeviction" in done.err
    assert done.err.count("\n") == 1


def test_a_full_server_refuses_a_job_and_keeps_nothing_of_it(desk: Desk, tmp_path):
    with running("valkey", tmp_path, "--maxmemory", "3mb") as server:
        text = "\n".join(f"EC-{n // 36**2:03d}-{n:03d}-AAA" for n in range(1000)) + "\n"
        text += "\n".join(f"EC-{n:03d}-{m:03d}-BBB" for n in range(200) for m in range(200))
        done = desk.run("enqueue", "-", text=text, redis_url=server.url)
        assert (done.status, done.out) == (1, "")
        assert "maxmemory" in done.err
        assert desk.ok("jobs", "--json", redis_url=server.url).document == {"jobs": []}


def test_a_data_folder_that_cannot_be_used_is_told(desk: Desk, tmp_path):
    (tmp_path / "file").write_text("")
    del desk.settings["redis_url"]
    done = desk.run("jobs", data_dir=str(tmp_path / "file" / "data"))
    assert done.status == 1
    assert "CANCELLIST_DATA_DIR" in done.err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_concurrent_calls": "none"}, "CANCELLIST_MAX_CONCURRENT_CALLS"),
        ({"redis_url": "http://localhost"}, "redis://"),
        ({"config": "/no/such/file.toml"}, "CANCELLIST_CONFIG names /no/such/file.toml"),
        ({"api_url": "http://platform.invalid", "api_key": "a-secret"}, "must be https://"),
    ],
)
def test_a_wrong_setting_is_named(desk: Desk, settings, words):
    done = desk.run("jobs", **settings)
    assert done.status == 1
    assert words in done.err
    assert "a-secret" not in done.err
    assert done.err.count("\n") == 1


def test_a_worker_without_the_key_that_its_platform_wants_does_not_start(desk: Desk):
    done = desk.run("worker", "--burst", api_url="https://platform.invalid")
    assert done.status == 1
    assert "CANCELLIST_API_KEY is not set, and platform.invalid wants one" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example_and_has_json(desk: Desk, command):
    text = desk.ok(command, "--help").out
    assert f"Example: cancellist {command}" in text
    assert "--json" in text


def test_the_program_says_what_it_can_and_which_version_it_is(desk: Desk):
    text = desk.ok("--help").out
    assert all(f" {command} " in text for command in COMMANDS)
    assert desk.ok("--version").out.startswith("cancellist ")
    assert desk.run("nonsense").status == 2
    assert desk.run("status").status == 2


def test_help_is_quick_since_nothing_heavy_is_imported_for_it():
    slow = "{'aiohttp', 'arq', 'asyncio', 'pydantic', 'redis'}"
    look = f"import sys; from cancellist.cli.main import app_for; app_for([]); print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_leave_redis_arq_and_http_to_those_below(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & {"redis", "arq", "aiohttp"}
