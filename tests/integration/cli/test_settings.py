"""What a user gets whose settings cannot be read whole: one line, and nothing handed in."""

import subprocess
from pathlib import Path

import pytest

from tests.support.commands import Desk
from tests.support.stage import Platform

NOBODY = ("unshare", "--user", "--map-user=54321", "--map-group=54321")
TWO = "EC-2UY-0I5-PIW\nEC-5D7-VKC-77J\n"
UNCLOSED = 'CANCELLIST_MAX_REFERENCES_PER_CALL="1\nCANCELLIST_LOG_LEVEL=info\n'
UTF_16 = "CANCELLIST_MAX_REFERENCES_PER_CALL=1\r\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk without a platform, whose server is not there."""
    nowhere = Platform("http://127.0.0.1:1", None, 0)  # type: ignore[arg-type]
    return Desk(tmp_path, nowhere, "", {"redis_url": "redis://127.0.0.1:1", "api_url": nowhere.url})


@pytest.mark.parametrize(
    ("data", "begins"),
    [
        (UTF_16.encode("utf-16"), ".env, line 1: the file is UTF-16"),
        (UTF_16.encode("utf-16-le"), ".env, line 1: holds a NUL"),
        (UNCLOSED.encode(), ".env, line 1: a quote that begins here is not closed"),
        (None, ".env cannot be read: Is a directory"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [("enqueue", "-", "--dry-run"), ("enqueue", "-"), ("jobs",), ("worker",), ("worker", "--check"), ("doctor",)],
)
def test_a_file_that_cannot_be_read_whole_is_named(
    desk: Desk, command: tuple[str, ...], data: bytes | None, begins: str
) -> None:
    if data is None:
        (desk.folder / ".env").mkdir()
    else:
        (desk.folder / ".env").write_bytes(data)
    done = desk.run(*command, text=TWO)
    assert done.status == 1
    said = done.out if command == ("doctor",) else done.err
    assert begins in " ".join(said.split())
    assert "Traceback" not in done.err
    if command != ("doctor",):
        assert (done.out, done.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("pattern", ["'EC-[A-Z0-9-]+'", '"EC-[A-Z0-9-]+"', " EC-[A-Z0-9-]+", "EC-[A-Z0-9-]+\n"])
def test_a_pattern_that_nothing_can_match_is_refused(desk: Desk, pattern: str) -> None:
    done = desk.run("enqueue", "-", "--dry-run", text=TWO, reference_pattern=pattern)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("cancellist: CANCELLIST_REFERENCE_PATTERN: ")
    assert done.err.count("\n") == 1


def test_settings_of_a_container_for_a_service_of_our_name_are_read(desk: Desk) -> None:
    orchestrated = {
        "port": "tcp://10.0.0.1:8088", "service_host": "10.0.0.1", "service_port_http": "8088",
        "port_8088_tcp_addr": "10.0.0.1", "redis_service_host": "10.0.0.2", "api_url": " http://127.0.0.1:1\n",
    }  # fmt: skip
    done = desk.run("enqueue", "-", "--dry-run", "--json", text=TWO, **orchestrated)
    assert (done.status, done.err) == (0, "")
    assert (done.document["total"], done.document["platform"]) == (2, "http://127.0.0.1:1")


def test_without_a_home_only_the_embedded_server_is_missing(desk: Desk) -> None:
    if subprocess.run([*NOBODY, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no user namespaces")

    def run(*arguments: str, url: str) -> "subprocess.CompletedProcess[str]":
        own = desk._environment({"redis_url": url})
        own.pop("HOME", None)
        own = {name: value for name, value in own.items() if not name.startswith("XDG_")}
        return subprocess.run(
            [*NOBODY, *desk._command(arguments)], cwd=desk.folder, env=own, input=TWO, capture_output=True, text=True,
            timeout=40, check=False,
        )  # fmt: skip

    done = run("doctor", url="redis://127.0.0.1:1")
    assert "does not answer" in done.stdout
    assert "Traceback" not in done.stderr
    assert run("enqueue", "-", "--dry-run", url="").returncode == 0
    for command in ("jobs", "worker"):
        done = run(command, url="")
        assert done.returncode == 1
        assert done.stderr.startswith("cancellist: there is no home folder")
        assert done.stderr.count("\n") == 1
