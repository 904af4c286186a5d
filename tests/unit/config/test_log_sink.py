"""Log lines are taken at once, whatever becomes of them, and what is lost is counted."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cancellist.config import log_sink as sinks
from cancellist.config.log_sink import MOST_LINES, LogSink
from tests.support import ROOT

PIPE_BYTES = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A small pipe: (the end that is read, the end that is written)."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            assert fd == read


def everything(read: int, until: str) -> str:
    """What a reader that has come back finds."""
    found = b""
    while until.encode() not in found:
        found += os.read(read, 1 << 20)
    return found.decode()


def test_lines_are_written_in_order_and_whole(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    for number in range(5):
        print("line", number, file=sink, flush=True)
    sink.write("no end")
    sink.drain()
    assert everything(pipe[0], "no end") == "".join(f"line {n}\n" for n in range(5)) + "no end"


def test_who_does_not_read_holds_up_nobody_and_is_told_what_was_lost(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    written = 2 * MOST_LINES
    began = time.monotonic()
    for number in range(written):
        print("line", number, file=sink, flush=True)
    assert time.monotonic() - began < 5
    sink.drain()  # it gives up
    assert time.monotonic() - began < 10
    found = os.read(pipe[0], 1 << 20).decode()
    while f"line {MOST_LINES - 1}\n" not in found:
        found += os.read(pipe[0], 1 << 20).decode()
    print("the last", file=sink, flush=True)
    found += everything(pipe[0], "the last\n")
    lines = found.splitlines()
    (told,) = [line for line in lines if "lost" in line]
    lost = int(told.rpartition(" ")[2])
    assert lost > 0
    assert lost + len(lines) - 2 == written  # each line is there, or counted
    assert lines[-1] == "the last"


def test_a_few_long_lines_fill_the_queue_too(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    for _ in range(100):
        print("x" * (1 << 20), file=sink)
    assert sink._characters <= sinks.MOST_CHARACTERS
    os.close(pipe[0])
    sink.drain()
    assert not sink._lines  # else they are written to whatever gets the number of the pipe next


def test_a_reader_that_has_gone_raises_no_error(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    os.close(pipe[0])
    for number in range(100):
        print(number, file=sink, flush=True)
    sink.drain()
    assert not sink._lines


def test_a_full_disk_raises_no_error() -> None:
    with Path("/dev/full").open("wb") as full:
        sink = LogSink(full.fileno())
        print("line", file=sink, flush=True)
        sink.drain()
        assert sink._missing == 1


def test_a_disk_with_room_again_is_told_how_many_lines_were_lost(tmp_path: Path) -> None:
    target = os.open("/dev/full", os.O_WRONLY)
    sink = LogSink(target, "lost {}".format)
    for _ in range(3):
        print("line", file=sink, flush=True)
    sink.drain()
    there = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(there, target)
    print("line", file=sink, flush=True)
    sink.drain()
    assert (tmp_path / "log").read_text(encoding="utf-8") == "lost 3\nline\n"
    os.close(there)
    os.close(target)


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    sink = LogSink(pipe[1])
    for number in range(5_000):
        print("line", number, file=sink)
    assert everything(pipe[0], "line 4999\n") == "".join(f"line {n}\n" for n in range(5_000))


def test_without_a_descriptor_all_is_lost_and_nothing_fails() -> None:
    sink = LogSink(None)
    print("line", file=sink, flush=True)
    sink.drain()
    assert not sink.isatty()
    with pytest.raises(OSError, match="fileno"):
        sink.fileno()


PROGRAM = """
import os, sys
from cancellist.config import logs
from cancellist.worker.process import start
start.keep_descriptors()
connection = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)  # with the number of standard error, if that is free
logs.guard()
logs.configure("json", "info")
import structlog, logging
structlog.get_logger().warning("ours")
logging.getLogger("arq").warning("theirs")
sys.stderr.write("plain\\n")
"""


@pytest.mark.parametrize("redirection", ["2>&-", "2>&- >&-", "<&- >&- 2>&-"])
def test_lines_never_reach_what_took_the_number_of_a_closed_standard_error(redirection: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f'exec "$0" -c "$1" "$2" {redirection}', sys.executable, PROGRAM, str(tmp_path / "file")],
        cwd=ROOT, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_said_last_is_written_before_the_process_ends(form: str) -> None:
    program = PROGRAM.replace('"json"', f'"{form}"')
    done = subprocess.run(
        [sys.executable, "-c", program, os.devnull], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(word in line for word, line in zip(("ours", "theirs", "plain"), lines, strict=True))
