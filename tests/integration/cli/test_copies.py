"""Tests start commands as copies of a process that has imported the program: a copy is what a user's process is."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import ROOT, processes
from tests.support.stage import wait_for

COMMANDS = (
    (), ("status", "x"), ("enqueue", "-", "--dry-run", "--json"), ("enqueue", os.fsdecode(b"caf\xe9.txt")),
    ("worker", "--check"),
)  # fmt: skip
TEXT = b"EC-000-05D-1NS\nEC-000-05D-1NT\n"


def environment(folder: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}
    return {**own, "PYTHONPATH": str(ROOT), "CANCELLIST_REDIS_URL": "redis://127.0.0.1:1", "TMPDIR": str(folder)}


def both(words: Sequence[str], folder: Path, **options: Any) -> tuple[Any, Any]:
    """What a copy does, and what a process does that starts from nothing: exit status, output, errors."""
    found = []
    for popen in (processes.Popen, subprocess.Popen):
        with popen(
            [sys.executable, "-m", *words], cwd=folder, env=environment(folder), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        ) as process:  # fmt: skip
            out, err = process.communicate(TEXT, 40)
        found.append((process.returncode, out, err))
    return found[0], found[1]


@pytest.mark.parametrize("command", COMMANDS, ids=ascii)
def test_it_says_and_answers_what_a_process_from_nothing_does(tmp_path: Path, command: tuple[str, ...]) -> None:
    copy, real = both(("cancellist", *command), tmp_path)
    assert copy == real


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(
    ("words", "has_spoken"),
    [(("cancellist.sandbox", "--port", "0"), True), (("cancellist", "enqueue", "-", "--dry-run"), False)],
    ids=["a sandbox", "what waits for its standard input"],
)
def test_signals_end_it_as_they_end_a_process_from_nothing(
    tmp_path: Path, words: tuple[str, ...], has_spoken: bool, number: int
) -> None:
    found = []
    for popen in (processes.Popen, subprocess.Popen):
        with popen(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            _wait_until_it_waits(process, has_spoken=has_spoken)
            process.send_signal(number)
            found.append((process.wait(20), process.stderr.read()))
    assert found[0] == found[1]


def test_a_signal_that_comes_as_it_starts_ends_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "cancellist.sandbox", "--port", "0"]
    for _ in range(16):  # of such signals, a fifth were lost
        with processes.Popen(
            words, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            finally:
                process.kill()


@pytest.mark.skipif(processes.ALL_REAL, reason="only a copy can say it")
def test_one_that_does_not_end_says_where_it_hangs(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "cancellist.sandbox", "--port", "0"]
    log = tmp_path / "log"
    with (
        log.open("wb") as errors,
        processes.Popen(
            words, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired) as hanging:
            process.wait(0.01)
        process.terminate()
        assert process.wait(20) == 0
    said = str(hanging.value)
    assert re.search(r"sandbox/server.py:\d+ serve\n.*Event.wait\n", said), said  # a task, and what it waits for
    assert re.search(r"File .*, line \d+ in main\n", said), said  # a thread


def _wait_until_it_waits(process: "subprocess.Popen[bytes]", *, has_spoken: bool) -> None:
    if has_spoken:
        assert process.stdout
        process.stdout.readline()
        return
    assert process.stdin
    process.stdin.write(TEXT)
    process.stdin.flush()
    unread = process.stdin.fileno()
    wait_for(lambda: fcntl.ioctl(unread, termios.FIONREAD, bytes(4)) == bytes(4), 20)


def test_it_is_our_child_with_the_folder_the_group_and_no_descriptor_but_its_own(tmp_path: Path) -> None:
    with processes.Popen(
        [sys.executable, "-m", "cancellist.sandbox", "--port", "0"], cwd=tmp_path, env=environment(tmp_path),
        stdout=processes.PIPE, stderr=processes.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        process.stdout.readline()
        there = psutil.Process(process.pid)
        assert there.ppid() == os.getpid()
        assert there.cwd() == str(tmp_path)
        assert os.getsid(process.pid) == process.pid
        assert "warm" in " ".join(there.cmdline())  # else this has tested a process from nothing
        process.terminate()


def test_what_tells_python_something_starts_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.exit(42)\n")
    told = {**environment(tmp_path), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    assert processes.run([sys.executable, "-m", "cancellist", "--version"], env=told).returncode != 0
