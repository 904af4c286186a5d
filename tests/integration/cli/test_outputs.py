"""`--output` to whatever it names: files that are replaced as a whole, pipes, devices, descriptors, links."""

import gzip
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("outputs")) as desk:
        yield desk


@pytest.fixture(scope="module")
def job(desk: Desk) -> str:
    """A job that has ended, with more results than a pipe takes at once."""
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(800))).out.strip()
    desk.ok("abort", "--yes", job)
    return job


@pytest.fixture(scope="module")
def whole(desk: Desk, job) -> str:
    """All its results, as standard output has them."""
    found = desk.ok("results", job).out
    assert found.count("\n") == 800
    return found


def parts(desk: Desk) -> list[str]:
    return [path.name for path in desk.folder.iterdir() if path.name.endswith(".part")]


def test_a_substituted_process_is_given_all_of_it(desk: Desk, job, whole):
    done = desk.shell(f"mkfifo ended; $c results {job} --output >(gzip > r.gz; echo > ended); cat ended")
    assert done.status == 0, done
    assert gzip.decompress((desk.folder / "r.gz").read_bytes()).decode() == whole


def test_a_dash_is_standard_output_and_no_file(desk: Desk, job, whole):
    done = desk.ok("results", job, "--output", "-")
    assert (done.out, done.err) == (whole, "")
    assert not (desk.folder / "-").exists()
    assert desk.ok("results", job, "--output", "./-").out == ""
    assert (desk.folder / "-").read_text() == whole


@pytest.mark.parametrize(
    ("output", "redirection"),
    [
        ("/dev/stdout", ">> all.csv"), ("/dev/fd/1", ">> all.csv"), ("/proc/self/fd/1", ">> all.csv"),
        ("/dev/fd/3", "3>> all.csv"), ("to-stdout", ">> all.csv"), ("-", ">> all.csv"), ("/dev/stderr", "2>> all.csv"),
    ],
)  # fmt: skip
def test_a_descriptor_is_written_to_as_the_shell_has_opened_it(desk: Desk, job, whole, output, redirection):
    desk.file("all.csv", "before\n")
    script = f"ln -sf /dev/stdout to-stdout; $c results {job} --output {output} {redirection} && echo after >> all.csv"
    done = desk.shell(script)
    assert done.status == 0, done
    written = (desk.folder / "all.csv").read_text()
    if output == "/dev/stderr":
        written = written.replace("800 results are in /dev/stderr\n", "")
    assert written == f"before\n{whole}after\n"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_that_was_there_keeps_its_mode(desk: Desk, job, whole, mode):
    path = desk.file("r.csv", "old")
    path.chmod(mode)
    desk.ok("results", job, "--output", "r.csv")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == whole
    assert parts(desk) == []


def test_a_new_file_has_the_mode_that_the_user_s_mask_leaves(desk: Desk, job):
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        desk.shell(f"umask {mask:o}; rm -f new.csv; $c results {job} --output new.csv")
        assert stat.S_IMODE((desk.folder / "new.csv").stat().st_mode) == mode


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_a_file_that_was_there_keeps_its_owner(desk: Desk, job):
    path = desk.file("owned.csv", "old")
    os.chown(path, 12345, 23456)
    desk.ok("results", job, "--output", "owned.csv")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_link_stays_a_link_and_what_it_names_is_written(desk: Desk, job, whole):
    target = desk.folder / "target.csv"
    for existing in (True, False):
        target.write_text("old") if existing else target.unlink()
        link = desk.folder / "link.csv"
        link.unlink(missing_ok=True)
        link.symlink_to("target.csv")
        desk.ok("results", job, "--output", "link.csv")
        assert link.is_symlink()
        assert target.read_text() == whole


def test_a_disk_that_is_full_leaves_what_was_there(desk: Desk, job):
    path = desk.file("kept.csv", "what was there")
    # a limit on the size of files fails a write in its middle, as a full disk does
    done = desk.shell(f"trap '' XFSZ; ulimit -f 8; $c results {job} --output kept.csv")
    assert (done.status, done.err.count("\n")) == (1, 1), done
    assert done.err.startswith("cancellist: kept.csv cannot be written: ")
    assert path.read_text() == "what was there"
    assert parts(desk) == []


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("/dev/full", "No space left on device"), ("/dev/fd/77", "Bad file descriptor"), (".", "Is a directory"),
        ("no/such/folder.csv", "No such file or directory"), ("r.csv/x", "Not a directory"),
        ("loop", "Too many levels of symbolic links"), ("$'caf\\xe9/x'", "No such file or directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_one_line(desk: Desk, job, output, words):
    desk.file("r.csv", "")
    done = desk.shell(f"ln -sfn loop loop; $c results {job} --output {output}")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert done.err.startswith("cancellist: ")
    assert words in done.err
    assert parts(desk) == []


def test_a_name_that_is_no_utf_8_is_a_name(desk: Desk, job, whole):
    assert desk.shell(f"$c results {job} --output $'caf\\xe9.csv'").status == 0
    assert (desk.folder / os.fsdecode(b"caf\xe9.csv")).read_text() == whole


def test_an_empty_name_is_refused(desk: Desk, job):
    done = desk.run("results", job, "--output", "")
    assert done.status == 2
    assert "it is empty" in done.err


def test_a_device_is_written_as_it_is(desk: Desk, job):
    assert desk.ok("results", job, "--output", "/dev/null").out == ""
    assert Path("/dev/null").is_char_device()


def test_a_pipe_whose_reader_leaves_ends_quietly_with_0(desk: Desk, job):
    done = desk.shell(f"$c results {job} --output >(true)")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_a_named_pipe_is_given_all_of_it_and_stays_one(desk: Desk, job, whole):
    path = desk.folder / "fifo"
    os.mkfifo(path)
    read = []
    with desk.started("results", job, "--output", "fifo") as process:
        reader = threading.Thread(target=lambda: read.append(path.read_text()))
        reader.start()
        assert process.wait(20) == 0
        reader.join(10)
    assert read == [whole]
    assert path.is_fifo()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_ends_it_while_nobody_reads_a_named_pipe(desk: Desk, job, number):
    path = desk.folder / f"unread-{number}"
    os.mkfifo(path)
    with desk.started("results", job, "--output", path.name) as process:
        assert process.stderr.readline() == f"waiting for a reader of {path.name}\n"
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert process.stderr.read() == ""
