"""Fixtures of pytest: `pytest_plugins = ["cancellist_client.testing.plugin"]` in the top `conftest.py`."""

from collections.abc import Generator

import pytest

from cancellist_client.testing import FakeServer, RealStack, real_stack


@pytest.fixture
def cancellist_fake() -> FakeServer:
    """A server in memory, for `FakeClient(cancellist_fake)` or `FakeAsyncClient(cancellist_fake)`."""
    return FakeServer()


@pytest.fixture(scope="session")
def cancellist_stack() -> Generator[RealStack, None, None]:
    """The real server, sandbox, worker and API, started once for all tests."""
    with real_stack() as stack:
        yield stack
