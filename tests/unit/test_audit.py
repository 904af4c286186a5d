"""What `make check` says of dependencies with known flaws, and where that cannot be known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

AUDIT = ROOT / ".ci/audit"
SOUND = {"name": "arq", "version": "0.28.0", "vulns": []}
FLAWED = {"name": "yarl", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}]}
UNKNOWN = {"name": "redis", "skip_reason": "Dependency not found"}


def audit(folder: Path, stand_in: str) -> tuple[int, str]:
    """Runs it with something in the place of pip-audit, whose answer here depends on the network."""
    (folder / "pip_audit.py").write_text(stand_in)
    done = subprocess.run(
        [sys.executable, AUDIT], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def answering(*packages: object, status: int = 0) -> str:
    return f"import sys\nprint({json.dumps({'dependencies': packages})!r})\nsys.exit({status})\n"


def test_a_known_flaw_fails_and_is_named(tmp_path: Path) -> None:
    assert audit(tmp_path, answering(SOUND, FLAWED, status=1)) == (1, "audit: yarl 1.0: PYSEC-1, mended in 1.1\n")


def test_sound_dependencies_pass_silently(tmp_path: Path) -> None:
    assert audit(tmp_path, answering(SOUND)) == (0, "")


def test_what_could_not_be_looked_up_is_counted(tmp_path: Path) -> None:
    assert audit(tmp_path, answering(SOUND, UNKNOWN)) == (0, "audit: 1 of 2 dependencies could not be audited\n")


@pytest.mark.parametrize("stand_in", [answering(UNKNOWN), "raise SystemExit('ConnectionError: no name')", ""])
def test_without_the_service_that_is_said_and_nothing_fails(tmp_path: Path, stand_in: str) -> None:
    status, words = audit(tmp_path, stand_in)
    assert status == 0
    assert words.startswith("audit: the dependencies could not be audited: no network")
