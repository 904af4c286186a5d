"""A Valkey server of its own, whose streams a test fills by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.support.servers import Server, running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("valkey", tmp_path_factory.mktemp("v"), fsync="always") as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    shared.command_line("FLUSHALL")
    return shared


class Writer:
    """Writes results as a worker does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[str] = []

    def write(self, count: int) -> list[str]:
        first = len(self.written)
        with Redis(unix_socket_path=str(self.path)) as redis:
            pipe = redis.pipeline()
            for n in range(first, first + count):
                fields = {
                    "job": "0abc",
                    "reference": f"EC-{n}",
                    "outcome": "cancelled",
                    "status": "200",
                    "attempts": "1",
                }
                pipe.xadd("cancellist:results", fields)
            pipe.execute()
        self.written += [f"EC-{n}" for n in range(first, first + count)]
        return self.written[first:]


@pytest.fixture
def writer(server: Server) -> Writer:
    return Writer(server.path)
