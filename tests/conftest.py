"""What tests of every kind share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
from tests.support.servers import KINDS, Server, running


@pytest.fixture(scope="session", params=KINDS)
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each kind of server in turn: one behaviour, one suite."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Valkey of its own for tests that need but one."""
    with running("valkey", tmp_path_factory.mktemp("v")) as server:
        yield server


@pytest.fixture
async def ledger(any_server: Server) -> AsyncIterator[Ledger]:
    """An empty ledger on each kind of server."""
    redis = await connect(any_server.url)
    await redis.flushall()
    ledger = Ledger(redis)
    await ledger.open()
    yield ledger
    await redis.aclose()
