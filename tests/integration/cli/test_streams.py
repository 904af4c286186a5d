"""Standard streams that are closed, full, slow, or a pipe whose reader has gone: no command minds, nothing is lost."""

import contextlib
import fcntl
import os
import re
import resource
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.commands import Desk, Done
from tests.support.commands import desk as a_desk

ID = re.compile(r"[0-9a-z]{12}\n")
PAGE = resource.getpagesize()
READ = (
    "jobs", "status {job}", "results {job}", "results {job} --format csv", "watch {job}", "accounts --json",
    "explain --words --json", "enqueue two.txt --dry-run", "resume", "abort {job}", "--help",
)  # fmt: skip
"""Commands that write data, and what they are given."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("streams")) as desk:
        desk.file("two.txt", "\n".join(desk.fresh(2)))
        yield desk


@pytest.fixture(scope="module")
def job(desk: Desk) -> str:
    """A job that has ended, with more results than a pipe takes at once."""
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(1500))).out.strip()
    desk.ok("abort", "--yes", job)
    return job


@contextlib.contextmanager
def no_reader() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextlib.contextmanager
def a_full_device() -> Iterator[int]:
    """What takes nothing more."""
    with Path("/dev/full").open("wb") as full:
        yield full.fileno()


Target = Callable[[], contextlib.AbstractContextManager[int]]


def each(desk: Desk, job: str, *closed: int, **to: Target) -> Iterator[tuple[str, Done]]:
    """Every command with its streams as a shell may leave them; further tests have a real shell do it.

    Args:
        desk: where they are run.
        job: what they name.
        closed: numbers of streams.
        to: where the streams `stdout` and `stderr` lead.
    """
    for command in READ:
        with contextlib.ExitStack() as stack:
            given = {stream: stack.enter_context(target()) for stream, target in to.items()}
            yield command, desk.redirected(command.format(job=job).split(), closed=closed, **given)


@pytest.mark.parametrize(
    ("closed", "to"),
    [((1,), {}), ((2,), {}), ((0, 1, 2), {}), ((0,), {"stderr": a_full_device}), ((), {"stderr": no_reader})],
)
def test_commands_work_with_streams_that_are_closed_and_where_nobody_hears_what_is_said(desk: Desk, job, closed, to):
    for command, done in each(desk, job, *closed, **to):
        assert done.status == 0, (command, done)
        assert "Traceback" not in done.err
        assert bool(done.out) is (1 not in closed), (command, done)


def test_a_full_standard_output_is_one_line_and_exit_1(desk: Desk, job):
    for command, done in each(desk, job, stdout=a_full_device):
        assert done.status == 1, (command, done)
        error = "cancellist: standard output cannot be written: No space left on device\n"
        if "--json" in command:
            assert '"code": "output"' in done.err
            assert done.err.count("\n") == 1
        else:
            assert done.err.endswith(error), (command, done)
        assert "Traceback" not in done.err


def test_a_pipe_whose_reader_has_gone_ends_quietly_with_0(desk: Desk, job):
    for command, done in each(desk, job, stdout=no_reader):
        assert done.status == 0, (command, done)
        assert "Traceback" not in done.err
        assert "roken pipe" not in done.err


def test_an_id_is_printed_whoever_has_ceased_to_listen(desk: Desk):
    for redirection in ("2> >(true)", "2>&-", "2>/dev/full", "2> >(exec <&-)"):
        before = len(desk.jobs())
        done = desk.shell(f"$c enqueue two.txt {redirection}")
        assert done.status == 0
        assert ID.fullmatch(done.out)
        assert len(desk.jobs()) == before + 1


def test_an_id_that_cannot_be_written_is_in_the_one_line_of_the_error(desk: Desk):
    for options in ("", "--json"):
        done = desk.shell(f"$c enqueue two.txt {options} >/dev/full")
        assert (done.status, done.err.count("\n")) == (1, 1), done
        assert f"job {desk.jobs()[0].id} was handed in, but standard output cannot be written" in done.err
        assert "do not hand it in again" in done.err
    closed = desk.shell("$c enqueue two.txt >&-")
    assert closed.status == 0
    assert f"job {desk.jobs()[0].id} is queued" in closed.err


def test_a_closed_standard_input_is_not_taken_for_an_empty_file(desk: Desk):
    done = desk.shell("$c enqueue - <&-")
    assert (done.status, done.out) == (1, "")
    assert done.err == "cancellist: standard input cannot be read: Bad file descriptor\n"


def test_a_worker_does_its_work_without_standard_streams(desk: Desk):
    for closed in ("2>&-", "<&- >&- 2>&-", "2> >(true)"):
        job = desk.ok("enqueue", "two.txt").out.strip()
        done = desk.shell(f"$c worker --burst {closed}")
        assert done.status == 0, (closed, done)
        assert desk.ok("status", job, "--json").document["state"] == "completed"


def test_no_file_and_no_connection_takes_the_number_of_a_closed_stream(desk: Desk, job):
    """What writes to standard error all the same would else write into a connection, or a file of results."""
    done = desk.shell(f"$c results {job} --output whole.jsonl <&- >&- 2>&-; $c results {job} > piped.jsonl")
    assert done.status == 0
    assert (desk.folder / "whole.jsonl").read_bytes() == (desk.folder / "piped.jsonl").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["results {job}", "results {job} --output /dev/stdout", "sandbox --help"])
def test_the_first_signal_ends_a_command_whose_reader_is_slow(desk: Desk, job, number, command):
    with unread(desk, command.format(job=job).split()) as process:
        process.send_signal(number)
        assert process.wait(10) in {128 + number, -number}
        assert process.stderr.read() == b""


@pytest.mark.parametrize("options", ["", "--dry-run", "--json"])
def test_the_first_signal_ends_a_command_that_waits_for_a_named_pipe(desk: Desk, options):
    before = len(desk.jobs())
    done = desk.shell(f"rm -f f; mkfifo f; timeout -k 10 2 $c enqueue f {options}; exit $?")
    assert done.status == 124, done  # 137 where it had to be killed
    assert "Traceback" not in done.err
    assert len(desk.jobs()) == before


@contextlib.contextmanager
def unread(desk: Desk, arguments):
    """A command whose standard output is a pipe that is full, since nobody reads it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE)
    process = processes.Popen(
        [sys.executable, "-m", "cancellist", *arguments], cwd=desk.folder, env=desk.environment(),
        stdin=processes.DEVNULL, stdout=writing, stderr=processes.PIPE,
    )  # fmt: skip
    os.close(writing)
    try:
        wait_until_full(reading, process)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stderr.close()
        os.close(reading)


def wait_until_full(reading, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        if int.from_bytes(
            fcntl.ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder
        ):  # of one page: full, to who asks
            return
        time.sleep(0.02)
    raise AssertionError("it never filled its pipe")
