"""`cancellist enqueue`: several files as one job, how they are to be read, and pipes that nobody writes to."""

import gzip
import os
import signal

import psutil
import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk
from tests.support.waiting import until


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("files")) as desk:
        yield desk


def references_of(desk: Desk, job: str) -> set[str]:
    return {result["reference"] for result in desk.ok("results", job).lines}


def test_several_files_become_one_job_and_each_reference_is_in_it_once(desk: Desk):
    given = desk.fresh(6)
    files = [
        desk.file("one.csv", "Order,Reference\n" + "".join(f"1,{one}\n" for one in given[:3]) + "2,\n3,bad\n"),
        desk.file("two.txt.gz", gzip.compress("\n".join(given[2:5]).encode())),
        desk.file("three.json", f'{{"list": ["{given[5]}", "{given[0]}"]}}'),
    ]
    done = desk.ok("enqueue", *files, "--json")
    document = done.document
    assert [document[name] for name in ("total", "duplicates", "invalid", "blank")] == [7, 2, 1, 1]
    assert f"{files[0]}, line 6: bad" in done.err
    desk.drain()
    results = {result["reference"]: result for result in desk.ok("results", document["job"]).lines}
    assert set(results) == {*given, "bad"}
    assert f"in {files[0]}" in results["bad"]["message"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Order,Town\n1,Leeds\n", "no column is known"),
        (b"", "there is no reference"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\x1f\x8b\x08\x00", "the gzip breaks off"),
        (None, "there is no file"),
    ],
)
def test_of_several_files_one_that_is_refused_refuses_them_all_and_is_named(desk: Desk, content, words):
    good = desk.file("good.txt", "\n".join(desk.fresh(3)))
    other = desk.folder / "missing" if content is None else desk.file("other.csv", content)
    before = len(desk.jobs())
    done = desk.run("enqueue", good, other)
    assert (done.status, done.out) == (1, ""), done
    assert words in done.err
    assert str(other) in done.err
    assert done.err.count("\n") == 1
    assert len(desk.jobs()) == before


def test_standard_input_may_be_one_of_several_files_and_only_once(desk: Desk):
    first, second = desk.fresh(2)
    file = desk.file("first.txt", first)
    assert desk.ok("enqueue", file, "-", "--json", text=second).document["total"] == 2
    twice = desk.run("enqueue", "-", "-", text=second)
    assert (twice.status, twice.out) == (1, "")
    assert "give - once" in twice.err


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("Returns; Monday\n\nOrder^Ref\n1^{}\n2^{}\n", ["--delimiter", "^", "--column", "ref"]),
        ("1,{},x\n2,{},y\n", ["--no-header", "--column", "2"]),
        ("reference,{}\nreference,{}\n", ["--no-header", "--column", "2"]),
        ("junk\nmore [junk\n{}\n{}\n", ["--skip-lines", "2"]),
        ("Order\tRef no\n1\t{}\n2\t{}\n", ["--delimiter", "tab", "--column", "2"]),
        ("2,Reference,1\nx,y,{}\nz,,{}\n", ["--column", "1"]),
    ],
)
def test_what_is_said_of_a_file_is_how_it_is_read(desk: Desk, content, options):
    given = desk.fresh(2)
    plan = desk.ok("enqueue", desk.file("told.csv", content.format(*given)), *options, "--dry-run", "--json")
    if options == ["--column", "1"]:
        assert plan.document["column_number"] == 3
    assert (plan.document["total"], plan.document["invalid"]) == (2, 0)


def test_a_dry_run_says_how_each_file_was_understood_and_shows_malformed_lines(desk: Desk):
    (given,) = desk.fresh(1)
    csv = desk.file("shown.csv", f"# by us\nOrder;Consignment Reference\n1;{given}\n2;oops\n3;\n")
    one = desk.ok("enqueue", csv, "--dry-run")
    assert "CSV, utf-8, separated by semicolons, column 'Consignment Reference'" in one.out
    assert "line 4: oops" in one.err
    assert "the first line was skipped" in one.err
    lines = desk.file("shown.txt", given.encode("utf-16"))
    both = desk.ok("enqueue", csv, lines, "--dry-run", "--json").document
    assert (both["form"], both["encoding"]) == (None, None)
    assert [file["form"] for file in both["files"]] == ["csv", "lines"]
    assert [file["encoding"] for file in both["files"]] == ["utf-8", "utf-16-le"]
    assert both["malformed"][0] | {"reason": ""} == {"file": str(csv), "line": 4, "text": "oops", "reason": ""}
    assert (both["job"], both["state"], both["total"], both["duplicates"], both["blank"]) == (None, None, 2, 1, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("dry", [True, False])
def test_a_pipe_that_nothing_is_written_to_is_left_at_the_first_signal(desk: Desk, number, dry):
    pipe = desk.folder / f"silent-{number}-{dry}"
    os.mkfifo(pipe)
    with desk.started("enqueue", pipe, *(["--dry-run"] if dry else [])) as waiting:
        held = os.open(pipe, os.O_WRONLY)  # answers once the command reads it
        waiting.send_signal(number)
        assert waiting.wait(10) == 128 + number
        os.close(held)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_pipe_that_nobody_opens_is_left_at_the_first_signal(desk: Desk, number):
    async def threads() -> int:
        return psutil.Process(waiting.pid).num_threads()

    pipe = desk.folder / f"nobody-{number}"
    os.mkfifo(pipe)
    with desk.started("enqueue", pipe, "--dry-run") as waiting:
        await until(threads, lambda number: number > 1, 20)  # the second one opens it
        waiting.send_signal(number)
        assert waiting.wait(10) == 128 + number


def test_a_pipe_is_read_to_its_end(desk: Desk):
    given = desk.fresh(3)
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    with desk.started("enqueue", pipe, "--json") as reading:
        pipe.write_text("\n".join(given))
        assert '"total":3' in reading.stdout.read()


def test_max_invalid_is_a_setting_that_the_option_overrules(desk: Desk):
    file = desk.file("some.txt", "\n".join([*desk.fresh(10), *(f"bad {n}" for n in range(10))]))
    assert desk.run("enqueue", file).status == 1
    assert desk.ok("enqueue", file, "--json", max_invalid="50%").document["invalid"] == 10
    assert desk.run("enqueue", file, "--max-invalid", "9", max_invalid="100%").status == 1
    wrong = desk.run("enqueue", file, max_invalid="some")
    assert (wrong.status, wrong.err.count("\n")) == (1, 1)
    assert "CANCELLIST_MAX_INVALID" in wrong.err
