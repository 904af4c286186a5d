"""Both clients are one: the synchronous files are made from the others, and can do the same."""

import ast
import importlib.util
import inspect
from pathlib import Path

import pytest

from cancellist_client import AsyncClient, AsyncConsumer, AsyncJob, Client, Consumer, Job
from cancellist_client.testing import FakeAsyncClient, FakeClient

ROOT = Path(__file__).parents[2]
PAIRS = [(AsyncClient, Client), (AsyncConsumer, Consumer), (AsyncJob, Job), (FakeAsyncClient, FakeClient)]
NAMES = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__", "__aiter__": "__iter__"}


def generator():
    spec = importlib.util.spec_from_file_location("generate_sync", ROOT / "scripts/generate_sync.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_synchronous_files_are_what_the_script_makes() -> None:
    made = generator()
    assert made.stale() == []
    files = [path for path, _ in made.twins()]
    assert len(files) > 12
    for file in files:
        assert "async" not in {type(node).__name__.lower()[:5] for node in ast.walk(ast.parse(file.read_text()))}, file


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[1].__name__)
def test_twins_have_the_same_methods_and_parameters(pair) -> None:
    first, second = (dict(inspect.getmembers(one)) for one in pair)
    public = {name for name in first if not name.startswith("_") or name in NAMES}
    assert {NAMES.get(name, name) for name in public} == {
        n for n in second if not n.startswith("_") or n in NAMES.values()
    }
    for name in public:
        if inspect.isfunction(first[name]):
            other = second[NAMES.get(name, name)]
            assert list(inspect.signature(first[name]).parameters) == list(inspect.signature(other).parameters)


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module.partition(".")[0])
    return found


def test_the_package_needs_little_and_nothing_of_the_application() -> None:
    import sys

    files = sorted((ROOT / "cancellist_client").rglob("*.py"))
    assert len(files) > 25
    others = {name: imports(file) - set(sys.stdlib_module_names) - {"cancellist_client"} for file in files
              for name in [str(file.relative_to(ROOT / "cancellist_client"))]}  # fmt: skip
    assert set().union(*others.values()) == {"httpx", "redis", "pytest"}
    assert {name for name, found in others.items() if "redis" in found} == {
        "_async/streams.py", "_sync/streams.py", "redis_errors.py",
    }  # fmt: skip
    assert {name for name, found in others.items() if "pytest" in found} == {"testing/plugin.py"}


def test_a_wheel_is_built_and_has_its_types(tmp_path: Path) -> None:
    import subprocess
    import sys
    import zipfile

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.iterdir()
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "cancellist_client").rglob("*.py")}
    assert wanted | {"cancellist_client/py.typed"} <= names
    assert {name.partition("/")[0] for name in names} == {"cancellist_client", "cancellist_client-0.1.0.dist-info"}
