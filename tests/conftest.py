"""What tests of every kind share."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cancellist.jobs.ledger.core import Ledger
from tests.support.ledgers import opened_ledger
from tests.support.servers import KINDS, Server, running


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deals out the long tests first, so that no process of tests begins one when all others have ended.

    Each process of `--dist worksteal` begins with an equal part of the list, and takes from another's end when it
    has done its own.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("acceptance")]
    long.sort(key=_takes_s, reverse=True)
    short = [item for item in items if not item.get_closest_marker("acceptance")]
    ends = [len(short) * n // processes for n in range(processes + 1)]
    parts = [long[n::processes] + short[ends[n] : ends[n + 1]] for n in range(processes)]
    items[:] = [item for part in parts for item in part]


def _takes_s(item: pytest.Item) -> float:
    mark = item.get_closest_marker("takes")
    return mark.args[0] if mark else 0


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
    async with opened_ledger(any_server.url, emptied=True) as ledger:
        yield ledger


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Adds how many tests ended in which way to the file that `.ci/run-tests` sums up."""
    file = os.environ.get("TEST_COUNTS")
    if file and not hasattr(config, "workerinput"):  # which workers of xdist have: they tell the one that we are in
        ways = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
        counts = [f"{len(terminalreporter.getreports(way))} {way}\n" for way in ways]
        with Path(file).open("a", encoding="utf-8") as counted:
            counted.writelines(counts)
