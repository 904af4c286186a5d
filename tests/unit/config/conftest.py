import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the settings of this machine away, and stands in an empty folder."""
    for name in list(os.environ):
        if name.upper().startswith("CANCELLIST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
