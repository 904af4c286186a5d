"""The example sink writes each result exactly once, whenever it is killed."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from tests.support.servers import Server, running
from tests.support.stage import wait_for

pytestmark = pytest.mark.acceptance

SINK = Path(__file__).parents[2] / "examples/sqlite_sink.py"
KILLS = 15
PART = 1_400
RESULTS = (KILLS + 1) * PART


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("valkey", tmp_path / "v") as server:
        yield server


def write(server: Server, first: int, count: int) -> None:
    with Redis(unix_socket_path=str(server.path)) as redis:
        pipe = redis.pipeline()
        for n in range(first, first + count):
            fields = {"job": "0abc", "reference": f"EC-{n}", "outcome": "cancelled", "status": "200", "attempts": "1"}
            pipe.xadd("cancellist:results", fields)
        pipe.execute()


def rows(path: Path) -> list[tuple[str]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone():
            return []
        return database.execute("SELECT reference FROM results ORDER BY rowid").fetchall()


def test_each_result_is_written_once_however_often_the_sink_is_killed(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    chance = random.Random(7)
    for round_number in range(KILLS):
        write(server, round_number * PART, PART)
        before = len(rows(path))
        process = subprocess.Popen([sys.executable, SINK, server.url, path, "billing"], stderr=subprocess.PIPE)
        try:
            goal = before + chance.randrange(1, PART)
            wait_for(lambda goal=goal: len(rows(path)) >= goal, 30)
        finally:
            process.kill()
            process.communicate()
    write(server, KILLS * PART, PART)
    last = f"import sys; sys.path.insert(0, {str(SINK.parent)!r}); import sqlite_sink, pathlib; "
    last += f"sqlite_sink.sink({server.url!r}, pathlib.Path({str(path)!r}), 'billing', wait=1)"
    subprocess.run([sys.executable, "-c", last], check=True)
    assert sorted(rows(path)) == sorted((f"EC-{n}",) for n in range(RESULTS))
    assert server.command_line("XPENDING", "cancellist:results", "billing")["pending"] == 0
