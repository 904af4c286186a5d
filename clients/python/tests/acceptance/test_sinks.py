"""The example sinks write each result exactly once, wherever they are killed, and however many write at once."""

import contextlib
import functools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

from tests.support import postgresql
from tests.support.servers import Server, running

pytestmark = pytest.mark.acceptance

KILLS = 24
RESULTS = 24_000
TAKE_OVER_S = 0.3
WITHIN_S = 60
KILLED, ENDED = -signal.SIGKILL, -signal.SIGTERM
ODD = 'a\' "b"\n\tc\\N \0 \N{PILE OF POO}'
ROWS = "SELECT entry, reference, message FROM results"
COUNT = "SELECT count(*) FROM results"


@dataclass
class Sink:
    """A sink, and the database that it writes to."""

    name: str
    server: Server
    address: str
    ask: Callable[[str], list[tuple[Any, ...]]]
    process: "subprocess.Popen[str]"

    def live(self, *consumers: str, kill: tuple[int, float] | None = None) -> list[int]:
        """Runs sinks at once until they are killed, or nothing comes any more; only the first is killed."""
        self._begin(consumers, kill, wait=0.2)
        return self._told()

    def live_until(self, until: Callable[[], bool], *consumers: str, kill: tuple[int, float]) -> list[int]:
        """Runs sinks at once, the first until it is killed, the others until this is so; then it ends them."""
        others = self._begin(consumers, kill, wait=None)[1:]
        deadline = time.monotonic() + WITHIN_S
        try:
            while not until():
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            for pid in others:
                os.kill(pid, signal.SIGTERM)
            ends = self._told()
        return ends

    def _begin(self, consumers: Sequence[str], kill: tuple[int, float] | None, wait: float | None) -> list[int]:
        options = {"wait": wait, "take_over_after": TAKE_OVER_S}
        lives = [
            {"sink": self.name, "arguments": [self.server.url, self.address, "billing", consumer], "options": options}
            | {"kill": None if number else kill}
            for number, consumer in enumerate(consumers)
        ]
        assert self.process.stdin
        self.process.stdin.write(f"{json.dumps(lives)}\n")
        self.process.stdin.flush()
        return self._told()

    def _told(self) -> list[int]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with running("valkey", tmp_path_factory.mktemp("v")) as server:
        yield server


@pytest.fixture(scope="module")
def processes() -> Iterator["subprocess.Popen[str]"]:
    script = Path(__file__).with_name("sink_processes.py")
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgresql.running() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def sink(request, server: Server, processes, tmp_path: Path) -> Iterator[Sink]:
    server.command_line("FLUSHALL")
    with contextlib.ExitStack() as ending:
        if request.param == "sqlite":
            address = str(tmp_path / "results.sqlite")
            connection: Any = ending.enter_context(contextlib.closing(sqlite3.connect(address)))
        else:
            address = request.getfixturevalue("database")
            connection = ending.enter_context(psycopg.connect(address, autocommit=True))
            connection.execute("DROP TABLE IF EXISTS results")
        yield Sink(request.param, server, address, lambda query: connection.execute(query).fetchall(), processes)


def written(server: Server, count: int) -> list[tuple[str, str]]:
    """Adds results to the stream; answers their entries and references."""
    with Redis(unix_socket_path=str(server.path), decode_responses=True) as redis:
        pipe = redis.pipeline()
        fields = {"job": "0abc", "outcome": "rejected", "status": "400", "attempts": "1", "message": ODD}
        for n in range(count):
            pipe.xadd("cancellist:results", {"reference": f"EC-{n}", **fields})
        return [(entry, f"EC-{n}") for n, entry in enumerate(pipe.execute())]


def read(server: Server) -> int:
    """How many results the group was given, acknowledged or not: none before a sink has joined it and read."""
    with Redis(unix_socket_path=str(server.path), decode_responses=True) as redis:
        return sum(group["entries-read"] or 0 for group in redis.xinfo_groups("cancellist:results"))


def pending(server: Server) -> object:
    return server.command_line("XPENDING", "cancellist:results", "billing")["pending"]


def acknowledged(server: Server, count: int) -> bool:
    """Whether the group was given so many results, and each of them is acknowledged."""
    return read(server) == count and pending(server) == 0


def test_each_result_is_written_once_wherever_the_sink_is_killed(sink: Sink) -> None:
    wanted = written(sink.server, RESULTS)
    chance = random.Random(7)
    between = 0
    for number in range(KILLS):
        share = 1.0 if number % 2 else chance.random()
        assert sink.live("one", kill=(chance.randrange(2), share)) == [KILLED]
        between += share == 1.0 and sink.ask(COUNT)[0][0] == read(sink.server)
    assert between == KILLS / 2  # all that was given to it was committed, and the last of it was not acknowledged
    assert sink.live("one") == [0]
    assert sorted(row[:2] for row in sink.ask(ROWS)) == sorted(wanted)
    assert pending(sink.server) == 0


def test_consumers_at_once_write_each_result_once_and_take_over_from_one_that_is_killed(sink: Sink) -> None:
    wanted: list[tuple[str, str]] = []
    for share in (0.5, 1.0):
        wanted += written(sink.server, RESULTS // 4)
        all_written = functools.partial(acknowledged, sink.server, len(wanted))
        assert sink.live_until(all_written, "one", "two", "three", kill=(1, share)) == [KILLED, ENDED, ENDED]
    assert sorted(row[:2] for row in sink.ask(ROWS)) == sorted(wanted)
    assert {row[2].replace("\N{REPLACEMENT CHARACTER}", "\0") for row in sink.ask(ROWS)} == {ODD}
