"""What is installed bears one import name, whatever else is installed beside it, and in a checkout all works too."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT

ROOMS = ("api", "cli", "config", "jobs", "sandbox", "worker")
USED = ("config", "jobs", "worker")
TEXT = "EC-000-05D-1NS\n"


def run(*command: object, cwd: Path, **environment: str) -> str:
    """What a command says; it must succeed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CANCELLIST_", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, env={**own, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def checkout(folder: Path, *, links: bool) -> Path:
    """A copy of what the distributions are made of, with the links or, as some systems check it out, without."""
    for name in (*ROOMS, "tests/cases"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "cancellist", folder / "cancellist", symlinks=True)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    for room in () if links else ROOMS:
        (folder / "cancellist" / room).unlink()
    return folder


def built(source: Path, kind: str) -> Path:
    run("-m", "hatchling", "build", "-t", kind, "-d", source / "dist", cwd=source)
    return next((source / "dist").iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(checkout(tmp_path_factory.mktemp("plain"), links=False), "wheel")


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_a_wheel_holds_one_name_and_the_whole_of_each_room(wheel: Path) -> None:
    assert {name.split("/")[0] for name in names(wheel)} == {"cancellist", "cancellist-0.1.0.dist-info"}
    wanted = {
        f"cancellist/{path.relative_to(ROOT)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".lua"}
    }
    assert len(wanted) > 250
    assert wanted <= names(wheel)


def test_it_is_the_same_from_a_checkout_with_links_and_from_a_source_distribution(wheel: Path, tmp_path: Path) -> None:
    linked = checkout(tmp_path / "linked", links=True)
    assert names(built(linked, "wheel")) == names(wheel)
    shutil.rmtree(linked / "dist")
    with tarfile.open(built(linked, "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    assert names(built(tmp_path / "cancellist-0.1.0", "wheel")) == names(wheel)


def test_it_works_beside_a_distribution_and_a_folder_of_the_same_names_as_its_rooms(
    wheel: Path, tmp_path: Path
) -> None:
    site, program = tmp_path / "site", tmp_path / "program"
    for folder, word in ((site, "another distribution's"), (program, "the program's")):
        for name in USED:
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text(f"WHOSE = {word!r}\n")
            (folder / name / "main.py").write_text(f"WHOSE = {word!r}\n")
    before = {path: path.read_text() for path in site.rglob("*.py")}
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel, cwd=tmp_path)
    assert {path: path.read_text() for path in before} == before

    look = (
        "import cancellist.jobs.ledger.core, cancellist.worker.main, config, jobs, worker.main, json;"
        "print(json.dumps([cancellist.worker.main.__file__, config.WHOSE, jobs.WHOSE, worker.main.WHOSE]))"
    )
    where, *whose = json.loads(run("-c", look, cwd=program, PYTHONPATH=str(site)))
    assert Path(where).is_relative_to(site)
    assert set(whose) == {"the program's"}

    (program / "two.txt").write_text(TEXT)
    data = {"PYTHONPATH": str(site), "CANCELLIST_DATA_DIR": str(tmp_path / "data")}
    job = json.loads(run("-m", "cancellist", "enqueue", "two.txt", "--json", cwd=program, **data))["job"]
    assert json.loads(run("-m", "cancellist", "status", job, "--json", cwd=program, **data))["total"] == 1


@pytest.mark.parametrize("name", ["cancellist.worker.main.WorkerSettings", "worker.main.WorkerSettings"])
def test_in_a_checkout_arq_finds_the_worker_under_both_names(name: str) -> None:
    look = f"from arq.utils import import_string; print(import_string({name!r}).functions[0].name)"
    assert run("-c", f"import sys; sys.path.insert(0, '.'); {look}", cwd=ROOT) == "drain\n"


def test_the_client_is_installed_as_its_pages_say_and_needs_nothing_of_cancellist(tmp_path: Path) -> None:
    pages = ("clients/python/README.md", "docs/how-to/use-the-python-client.md", "docs/tutorial.md")
    shown = [re.findall(r"^\$ (pip install .*clients.*)$", (ROOT / page).read_text(), re.MULTILINE) for page in pages]
    assert [len(commands) for commands in shown] == [1, 1, 1]
    for number, (command,) in enumerate(shown):
        site = tmp_path / f"site{number}"
        words = shlex.split(command.replace("CHECKOUT", str(ROOT)))[1:]
        offline = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", site)
        run("-m", "pip", *words, *offline, cwd=tmp_path)
        look = (
            "import cancellist_client, importlib.metadata, json, sys;"
            "ours = [name for name in sys.modules if name.partition('.')[0] == 'cancellist'];"
            "needs = importlib.metadata.requires('cancellist-client');"
            "cancellist_client.Client;print(json.dumps([cancellist_client.__file__, ours, needs]))"
        )
        where, ours, needs = json.loads(run("-c", look, cwd=tmp_path, PYTHONPATH=str(site)))
        assert Path(where).is_relative_to(site)
        assert (ours, needs) == ([], ["httpx<1,>=0.27", "redis>=5; extra == 'redis'"])
