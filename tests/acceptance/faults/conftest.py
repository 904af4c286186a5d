"""Rigs for fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults.harness.system import Rig, rigged


@pytest.fixture
def valkey_rig(tmp_path: Path) -> Iterator[Rig]:
    """A fresh rig, where the server's kind makes no difference."""
    with rigged("valkey", tmp_path) as rig:
        yield rig
