"""Stages for acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import KINDS, running
from tests.support.stage import LEASE_S, Stage, platform


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A fresh server of each kind, with a platform that takes 20 ms a call."""
    yield from _stage(request.param, tmp_path)


@pytest.fixture
def valkey_stage(tmp_path: Path) -> Iterator[Stage]:
    """The same on one kind, where the server's kind makes no difference."""
    yield from _stage("valkey", tmp_path)


def _stage(kind: str, folder: Path) -> Iterator[Stage]:
    with running(kind, folder, fsync="always") as server, platform(folder, latency_ms=20) as world:
        settings = {"max_concurrent_calls": "8", "lease_seconds": str(LEASE_S), "call_timeout": "5"}
        with Stage(server, world, folder, settings) as stage:
            yield stage
