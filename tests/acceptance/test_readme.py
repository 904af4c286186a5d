"""Every `sh` block of a page, in order, in one shell: what it shows works as it is shown.

The pages are the README, the tutorial and the how-to pages. The README and the tutorial start all that they need. A
how-to page says that a platform and a worker run: here they are started first.

A block marked `sh terminal` is for a terminal of its own: it runs beside the following ones, from when it has said its
first word to the end, and must then end with exit status 0 on SIGTERM. There the installed command runs; in the other
blocks `cancellist` is a copy of a process that has imported it (`tests/support/door.py`).

Ports are replaced by free ones.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.door import door
from tests.support.ports import free_port
from tests.support.servers import binary

pytestmark = pytest.mark.acceptance


STANDING_ALONE = (ROOT / "README.md", ROOT / "docs/tutorial.md")
HOW_TO = sorted((ROOT / "docs/how-to").glob("*.md"))
PAGES = [*STANDING_ALONE, *HOW_TO]
SAID = {
    "README.md": ("cancelled", "EC-VC4-FBM-8GZ"),
    "docs/tutorial.md": (
        "exit status 3",
        "aborted",
        "from Python: EC-7VH-QMI-OW6 cancelled",
        "from Python: EC-VC4-FBM-8GZ already_cancelled",
    ),
    "docs/how-to/canary.md": ("exit status 5", "canary", "aborted"),
    "docs/how-to/consume-results.md": ("EC-VC4-FBM-8GZ", "already_cancelled"),
    "docs/how-to/diagnose.md": ("EC-VC4-FBM-8GZ", "held", "503-before"),
    "docs/how-to/enqueue-files.md": ("exit status 3", '"duplicates"', "completed"),
    "docs/how-to/enqueue-over-http.md": ('"state":"completed"', "EC-0CO-5FZ-7U9"),
    "docs/how-to/guard-an-account.md": ("exit status 5", "a job may name 3", '"overridden_by":'),
    "docs/how-to/hold-a-job.md": ("held until", "takes it back", "aborted"),
    "docs/how-to/keep-snapshots.md": ("records of 2 references", '"ConsignmentState":"Allocated"'),
    "docs/how-to/plan-first.md": ("not found", "these are 2; make a new plan", "3 references", "exit status 3"),
    "docs/how-to/produce-from-any-language.md": ("reason", "colour", "cancellist:replies:shop"),
    "docs/how-to/receipts.md": (
        "signed by the key that was given",
        "all 2 results",
        "result 1 of the receipt",
        "enqueue",
    ),
    "docs/how-to/receive-webhooks.md": ("delivered: HTTP 204", "job.results", "job.ended"),
    "docs/how-to/reinstate.md": (
        "2 consignments would be created",
        "price, label and pickup",
        "2 created anew",
        "EC-VC4-FBM-8GZ,EC-",
    ),
    "docs/how-to/replace-the-platforms-url.md": ('"IsSuccess":true', '"Data":"EC-VC4-FBM-8GZ"'),
    "docs/how-to/run-in-production.md": ("lives",),
    "docs/how-to/second-person.md": ("another person must approve it", "anna has approved", "rejected by anna"),
    "docs/how-to/several-accounts.md": ("north", "south"),
    "docs/how-to/stop-everything.md": ("no call starts any more", "the wrong list", "all accounts go on"),
    "docs/how-to/stop-on-failures.md": ("exit status 5", "more than the limit of 20", "not_found"),
    "docs/how-to/use-the-python-client.md": ("EC-VC4-FBM-8GZ cancelled", "aborted", "in all 4 results", "1 passed"),
}
"""Some of what the commands of each page write."""
FENCE = re.compile(r"^```(\S*)( terminal)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOSTS = ("apisandbox.electioapp.com", "api.electioapp.com")
PORTS = ("6379", "8088", "8089", "8090")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is 0 where the page only says that it was run."""

    line: int
    language: str
    is_terminal: bool
    text: str


BEFORE = (Block(0, "sh", True, "cancellist sandbox\n"), Block(0, "sh", True, "cancellist worker\n"))


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(text.count("\n", 0, m.start()) + 1, m[1], bool(m[2]), m[3]) for m in FENCE.finditer(text)]


@pytest.fixture
def ports() -> dict[str, str]:
    """A free port for each that a page names."""
    return {shown: str(free_port()) for shown in PORTS}


@pytest.fixture
def server(tmp_path: Path, ports: dict[str, str]) -> Iterator[None]:
    """The reader's own Redis server."""
    folder = tmp_path / "server"
    folder.mkdir()
    options = ["--port", ports["6379"], "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(
        [binary("redis"), *options, "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL
    )
    yield
    process.terminate()
    process.wait(10)


def script(page: Path, ports: dict[str, str]) -> str:
    """All `sh` blocks of a page as one script that stops at the first command that fails."""
    parts = ["set -eu", ": >pids"]
    terminals = 0
    before = () if page in STANDING_ALONE else BEFORE
    for block in (*before, *blocks(page)):
        if block.language != "sh":
            continue
        text = re.sub("|".join(PORTS), lambda m: ports[m[0]], block.text.rstrip("\n"))
        parts.append(f"echo '== {named(page)}:{block.line}'")
        if not block.is_terminal:
            parts.append(text)
            continue
        assert "\n" not in text, f"{named(page)}:{block.line}: one command for a terminal of its own"
        if text == "cancellist sandbox":
            text += f" --port {ports['8089']}"
        if text == "cancellist serve":
            text += f" --port {ports['8088']}"
        terminals += 1
        text = text.replace("cancellist", str(Path(sys.executable).with_name("cancellist")), 1)
        log = f"terminal{terminals}.log"
        parts.append(f"{text} >{log} 2>&1 &\necho $! >>pids")
        parts.append(f"until [ -s {log} ]; do kill -0 $! || {{ cat {log}; exit 1; }}; sleep 0.05; done")
    ending = 'kill $pid; wait $pid || { echo "terminal of process $pid ended with $?"; cat terminal*.log; exit 1; }'
    return "\n".join([*parts, "echo '== the end'", f"for pid in $(cat pids); do {ending}; done", ""])


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_shown_works(page: Path, tmp_path: Path, ports: dict[str, str], server: None) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    (tmp_path / "script.sh").write_text(script(page, ports), encoding="utf-8")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CANCELLIST_", "XDG_"))}
    own |= {"HOME": str(folder), "TMPDIR": str(folder), "CANCELLIST_API_URL": f"http://127.0.0.1:{ports['8089']}"}
    with door(tmp_path / "door") as copies, (tmp_path / "output").open("w+", encoding="utf-8") as output:
        own["PATH"] = os.pathsep.join([str(copies), str(Path(sys.executable).parent), own["PATH"]])
        shell = subprocess.Popen(
            ["sh", "../script.sh"], cwd=folder, env=own, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            status = shell.wait(240)
        finally:
            end_what_is_left(shell, folder)
        output.seek(0)
        said = output.read()
    assert status == 0, said
    for wanted in SAID[named(page)]:
        assert wanted in said, (wanted, said)


def end_what_is_left(shell: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Ends the shell with its terminals, and the servers that they would have stopped."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait(10)
    for file in folder.rglob("valkey.pid"):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(int(file.read_text()), signal.SIGKILL)


def test_ten_lines_of_python_hand_in_a_job_and_read_its_results() -> None:
    page = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"<<'END'\n(import .*?)^END$", page, re.MULTILINE | re.DOTALL)
    assert len(program.splitlines()) <= 10


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_is_not_run_here_is_little_and_marked(page: Path) -> None:
    """Those need Docker, a network, or this very checkout."""
    own = blocks(page)
    assert {block.language for block in own} <= {"sh", "console", "text", "js"}
    for block in own:
        if block.language == "console":
            commands = [line for line in block.text.splitlines() if line.startswith("$ ")]
            assert len(commands) == len(block.text.splitlines())
        elif block.language == "sh":
            assert not any(host in block.text for host in HOSTS), block
    assert any(block.language == "sh" for block in own)
    assert sum(block.language == "console" for block in own) <= 2
