"""`cancellist enqueue`: files of every form, and what is wrong with them."""

import json
import signal
from collections import Counter

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("enqueue")) as desk:
        yield desk


def wait_for_line(stream, start):
    for line in stream:
        if line.startswith(start):
            return line
    raise AssertionError(f"no line that begins with {start!r}")


def test_a_file_of_each_form_becomes_a_job_with_one_true_result_for_each_reference(desk: Desk):
    given = {form: desk.fresh(30) for form in ("csv", "json", "jsonl", "lines", "utf-16")}
    csv = "Order,Consignment Reference,Customer\r\n" + "".join(
        f'{n},{ref.lower()},"Müller, ""Zoë"""\r\n' for n, ref in enumerate(given["csv"])
    )
    inputs = {
        "csv": b"\xef\xbb\xbf" + csv.encode(),
        "json": json.dumps([*given["json"], given["json"][0]]).encode(),
        "jsonl": "".join(json.dumps({"reference": ref}) + "\n" for ref in given["jsonl"]).encode(),
        "lines": ("\n\n".join(f"  {ref}" for ref in given["lines"]) + "\nnot 1").encode(),
        "utf-16": "\n".join(given["utf-16"]).encode("utf-16"),
    }
    jobs = {}
    for form, content in inputs.items():
        document = desk.ok("enqueue", desk.file(f"{form}.txt", content), "--json").document
        assert list(document) == ["job", "state", "total", "duplicates", "invalid", "blank"]
        assert (document["state"], document["duplicates"]) == ("queued", int(form == "json"))
        assert (document["total"], document["invalid"]) == ((31, 1) if form == "lines" else (30, 0))
        jobs[form] = document["job"]
    desk.drain()
    for form, job in jobs.items():
        found = desk.ok("results", job).lines
        expected = Counter(given[form])
        if form == "lines":
            expected["not 1"] += 1
        assert Counter(result["reference"] for result in found) == expected
        record = desk.record(given[form])
        assert all(row["cancelled_by_call"] for row in record.values())
        assert all(result["outcome"] == "cancelled" for result in found if result["reference"] in record)


def test_standard_input_is_read_and_standard_output_holds_the_id_alone(desk: Desk):
    references = desk.fresh(3)
    bad = [f"line {n}" for n in range(25)]
    options = ("--reason", "recall [red]1147", "--max-invalid", "25")
    done = desk.ok("enqueue", "-", *options, text="\n".join([*references, *bad]))
    assert len(done.out.strip()) <= 12
    assert done.out.count("\n") == 1
    assert "  line 4: line 0\n" in done.err
    assert "  line 23: line 19\n" in done.err
    assert "line 24:" not in done.err
    assert "and 5 more" in done.err
    assert "no worker is running: start one with `cancellist worker`" in done.err
    assert desk.ok("status", done.out.strip(), "--json").document["reason"] == "recall [red]1147"


def test_the_same_key_with_the_same_content_names_the_same_job_and_with_other_content_is_refused(desk: Desk):
    file = desk.file("keyed.txt", "\n".join(desk.fresh(5)))
    first = desk.ok("enqueue", file, "--idempotency-key", "k-1")
    again = desk.ok("enqueue", file, "--idempotency-key", "k-1")
    assert again.out == first.out
    assert "handed in before" in again.err
    before = len(desk.jobs())
    other = desk.run("enqueue", "-", "--idempotency-key", "k-1", text="\n".join(desk.fresh(5)))
    assert (other.status, other.out) == (1, "")
    assert first.out.strip() in other.err
    assert len(desk.jobs()) == before


def test_a_dry_run_reads_all_touches_no_server_and_says_what_would_be_handed_in(desk: Desk):
    references = desk.fresh(250)
    content = "Order;Consignment Reference\n" + "\n".join(f"1;{ref}" for ref in [*references, references[0], "bad"])
    file = desk.file("plan.csv", content)
    nowhere = {"redis_url": "redis://127.0.0.1:1", "data_dir": "/nonexistent"}
    plan = desk.ok("enqueue", file, "--dry-run", "--json", "--priority", "bulk", **nowhere).document
    assert plan["dry_run"] is True
    assert (plan["form"], plan["encoding"], plan["column"]) == ("csv", "utf-8", "Consignment Reference")
    assert (plan["total"], plan["duplicates"], plan["invalid"], plan["calls"]) == (251, 1, 1, 3)
    assert (plan["platform"], plan["priority"]) == (desk.platform.url, "bulk")
    shown = desk.ok("enqueue", file, "--dry-run", **nowhere)
    assert "Consignment Reference" in shown.out
    assert desk.platform.url in shown.out
    assert "nothing was handed in" in shown.err


@pytest.mark.parametrize(
    ("content", "options", "words", "status"),
    [
        (None, [], "there is no file", 1),
        (b"\x00\x01\x02\xfe\xff\x00\x00", [], "not text", 1),
        (b"PK\x03\x04 [Content_Types].xml", [], "save the sheet as CSV", 1),
        (b"\xff\xfeE\x00C\x00-", [], "is damaged", 1),
        (b"a,b\n1,EC-000-05D-1NS\n", ["--column", "Reference"], "there is no column 'Reference'", 1),
        (b"", [], "there is no reference", 1),
        (b"\n \r\n\n", [], "there is no reference", 1),
        (b"Order,Consignment Reference\n", [], "there is no reference", 1),
        (b"Order,Consignment Reference\n1,\n2,\n", [], "no line holds a reference; column 'Consignment Reference'", 1),
        (b"foo\nbar\n", [], "no line holds a reference; it was read as one reference a line", 1),
        (b"EC-000-05D-1NS\nfoo1\nbar2\n", ["--max-invalid", "1"], "2 of 3 entries are malformed", 1),
        (b"EC-000-05D-1NS\nfoo1\n", ["--max-invalid", "0"], "(the first: line 2: 'foo1'", 1),
        (b"EC-000-05D-1NS\nfoo1\n", ["--max-invalid", "0%"], "more than 0%", 1),
        (
            b"EC-000-05D-1NS\n" * 10 + b"foo1\nbar2\n",
            [],
            "2 of 12 entries are malformed or not taken, more than 10%",
            1,
        ),
        (b"EC-000-05D-1NS", ["--max-invalid", "lots"], "neither a number such as 20 nor a share such as 10%", 2),
        (b"EC-000-05D-1NS", ["--delimiter", "ab"], "give one character", 2),
        (b"EC-000-05D-1NS", ["--column", " "], "it is empty", 2),
        (b'{"a": ["EC-000-05D-1NS"]}', ["--no-header"], "the input is JSON", 1),
        (b"EC-000-05D-1NS,x\n", ["--no-header", "--column", "Reference"], "give the number of the column", 1),
        (b"EC-000-05D-1NS,x\n", ["--column", "3"], "there is no column 3: rows have 2 cells", 1),
        (b'["EC-000-05D-1NS", ', [], "breaks off", 1),
        (b'reference,b\nEC-000-05D-1NS,"1\n', [], "never closed", 1),
        (b"EC-000-05D-1NS", ["--deadline", "2020-01-01T00:00:00Z"], "is past", 1),
        (b"EC-000-05D-1NS", ["--deadline", "+1h", "--start-at", "+2h"], "not before the deadline", 1),
        (b"EC-000-05D-1NS", ["--account", "other"], "no account 'other' is configured", 1),
        (b"EC-000-05D-1NS", ["--deadline", "2099-01-01T00:00:00"], "has no offset from UTC", 2),
        (b"EC-000-05D-1NS", ["--start-at", "tomorrow"], "is not a time", 2),
        (b"EC-000-05D-1NS", ["--idempotency-key", ""], "it is empty", 2),
        *[
            (b"EC-000-05D-1NS", [f"--{guard}", lost], f"Invalid value for '--{guard}'", 2)
            for guard in (
                "hold",
                "max-refused",
                "max-unconfirmed",
                "canary",
                "expect-count",
                "plan",
                "host",
                "override",
            )
            for lost in ("", " ", "\u200b")
        ],
        (b"EC-000-05D-1NS", ["--priority", "high"], "'urgent', 'normal', 'bulk'", 2),
    ],
)
def test_what_cannot_be_handed_in_is_told_in_one_line_and_leaves_nothing(desk: Desk, content, options, words, status):
    file = desk.folder / "missing.txt" if content is None else desk.file("input", content)
    before = len(desk.jobs())
    done = desk.run("enqueue", file, *options)
    assert (done.status, done.out) == (status, ""), done
    assert words in " ".join(done.err.replace("│", " ").split())
    if status == 1:
        assert done.err.startswith("cancellist: ")
        assert done.err.count("\n") == 1
    assert len(desk.jobs()) == before


def test_a_folder_is_no_file(desk: Desk):
    done = desk.run("enqueue", desk.folder)
    assert done.status == 1
    assert "Is a directory" in done.err


def test_a_host_that_wants_a_key_is_not_handed_work_without_one(desk: Desk):
    done = desk.run("enqueue", "-", text="EC-000-05D-1NS", api_url="https://platform.invalid")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("cancellist: CANCELLIST_API_KEY is not set, and platform.invalid wants one")


def test_malformed_lines_that_are_allowed_are_invalid_results(desk: Desk):
    (reference,) = desk.fresh(1)
    text = f"{reference}\nfoo1\nfoo1\n=1+1\n\x1b[31mred\n"
    with desk.started("worker"):
        done = desk.run("enqueue", "-", "--json", "--wait", text=text)
    assert done.status == 3, done
    assert "\x1b" not in done.err
    assert "\\x1b[31mred" in done.err
    document = done.document
    assert (document["state"], document["total"]) == ("completed", 5)
    assert document["outcomes"] == {"cancelled": 1, "invalid": 4}


def test_waiting_ends_with_a_status_that_says_how_it_went(desk: Desk):
    outcomes = {"open": ("cancelled", 0), "Cancelled": ("already_cancelled", 0), "Manifested": ("manifested", 3)}
    with desk.started("worker"):
        for standing, (outcome, status) in outcomes.items():
            done = desk.run("enqueue", "-", "--wait", "--json", text="\n".join(desk.fresh(3, standing)))
            assert done.status == status, done
            document = done.document
            assert document["outcomes"] == {outcome: 3}
            assert {"job", "state", "total", "duplicates", "invalid", "pending", "in_flight", "rate"} <= set(document)
            assert (document["pending"], document["state"]) == (0, "completed")
            assert f"{outcome} " in done.err


def test_waiting_for_a_job_that_is_aborted_ends_with_4(desk: Desk):
    file = desk.file("held.txt", "\n".join(desk.fresh(3)))
    with desk.started("enqueue", file, "--wait", "--start-at", "+1h") as waiting:
        job = waiting.stdout.readline().strip()
        assert desk.ok("status", job, "--json").document["state"] == "held"
        assert desk.ok("abort", "--yes", job).out == "aborted\n"
        assert waiting.wait(20) == 4


def test_ctrl_c_ends_the_waiting_and_not_the_job(desk: Desk):
    file = desk.file("interrupted.txt", "\n".join(desk.fresh(3)))
    with desk.started("enqueue", file, "--wait") as waiting:
        job = waiting.stdout.readline().strip()
        wait_for_line(waiting.stderr, f"{job} queued")
        waiting.send_signal(signal.SIGINT)
        said = waiting.stderr.read()
        assert waiting.wait(20) == 130
    assert f"job {job} goes on" in said
    assert f"cancellist abort {job}" in said
    assert desk.ok("status", job, "--json").document["state"] == "queued"
