"""The pytest fixtures, as another project uses them: with both wheels, in an environment of its own; nothing stays."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import psutil
import pytest

from cancellist_client.testing import real_stack
from tests.support import ROOT

pytestmark = pytest.mark.acceptance

CONFTEST = 'pytest_plugins = ["cancellist_client.testing.plugin"]\n'
TESTS = """
import sys
from pathlib import Path
import cancellist, cancellist_client
from cancellist_client import Client
from cancellist_client.testing import FakeClient


def test_what_is_installed_is_used():
    for module in (cancellist, cancellist_client):
        assert Path(module.__file__).is_relative_to(sys.prefix)


def test_the_fake(cancellist_fake):
    job = FakeClient(cancellist_fake).submit(["EC-000-000-001"])
    assert [result.outcome for result in job.results()] == ["cancelled"]


def test_the_real_thing(cancellist_stack):
    Path("folder.txt").write_text(str(cancellist_stack.folder))
    assert cancellist_stack.token not in repr(cancellist_stack)
    reference, shipped = *cancellist_stack.references(1), *cancellist_stack.references(1, state="Manifested")
    with cancellist_stack.client() as client:
        job = client.submit([reference, shipped]).wait(60)
        assert {r.reference: r.outcome for r in job.results()} == {reference: "cancelled", shipped: "manifested"}
    with Client(cancellist_stack.redis_url) as client:
        assert {r.reference for r in client.consume("one", wait=0.5)} == {reference, shipped}
"""


def left(folder: str) -> list[str]:
    """Processes that have to do with a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(folder in word for word in words):
            found.append(" ".join(process.cmdline()))
    return found


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of an environment that has both wheels, and what they need from ours."""
    wheels, folder = tmp_path / "wheels", tmp_path / "environment"
    for source in (ROOT, ROOT / "clients/python"):
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels, cwd=source)
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, *wheels.iterdir(), cwd=tmp_path)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"))  # what is installed for editing there is not seen
    return python


def run(*command: object, cwd: Path) -> str:
    """What a command says; it must succeed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CANCELLIST_", "PYTEST"))}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_fixtures_work_in_another_project_and_leave_nothing(python: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_shop.py").write_text(TESTS)
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, "test_shop.py", cwd=tmp_path)
    folder = (tmp_path / "folder.txt").read_text()
    assert not Path(folder).exists()
    assert left(folder) == []


def test_what_does_not_start_is_told_and_leaves_nothing(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with (
        pytest.raises(RuntimeError, match=r"did not start: .*LEASE_SECONDS"),
        real_stack(settings={"LEASE_SECONDS": "x"}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    assert left(str(tmp_path)) == []
    monkeypatch.setenv("CANCELLIST_COMMAND", f"{sys.executable} -c 1")
    with pytest.raises(RuntimeError, match="`cancellist sandbox` did not start: it said nothing"), real_stack():
        pass
    assert list(tmp_path.iterdir()) == []
