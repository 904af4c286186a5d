"""What import-linter cannot say: it knows a list of third parties, this knows that there may be none."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

JOBS = ROOT / "jobs"
PURE = sorted(path for path in JOBS.rglob("*.py") if "ledger" not in path.relative_to(JOBS).parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports by a relative name"
            assert node.module
            yield node.module


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(JOBS)))
def test_a_module_of_a_job_needs_nothing_but_the_standard_library(path: Path) -> None:
    foreign = {
        name for name in imported(path) if name.partition(".")[0] not in {*sys.stdlib_module_names, "cancellist"}
    }
    assert not foreign
    own = {name for name in imported(path) if name.partition(".")[0] == "cancellist"}
    assert all(name.startswith("cancellist.jobs.") and not name.startswith("cancellist.jobs.ledger") for name in own)


def test_the_rule_finds_modules_to_check() -> None:
    assert {"model.py", "retry_policy.py", "cancellation.py", "chunking.py"} <= {path.name for path in PURE}


@pytest.mark.parametrize(
    "path",
    sorted(path for room in ("cli", "jobs", "sandbox", "worker") for path in (ROOT / room).rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_module_waits_in_a_way_that_loses_a_cancellation(path: Path) -> None:
    """On Python 3.11 `asyncio.wait_for` drops one that comes with what it waits for; `asyncio.timeout` does not."""
    assert "wait_for(" not in path.read_text(encoding="utf-8")
