"""Rigs for fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults.rig import Rig, rigged
from tests.servers import KINDS


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A fresh rig on each kind of server."""
    with rigged(request.param, tmp_path) as rig:
        yield rig


@pytest.fixture
def valkey_rig(tmp_path: Path) -> Iterator[Rig]:
    """The same on one kind, where the server's kind makes no difference."""
    with rigged("valkey", tmp_path) as rig:
        yield rig
