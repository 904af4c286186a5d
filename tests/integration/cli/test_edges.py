"""What stands at the edge: arguments that are no text, times beyond the calendar, records that others have written."""

import json
import os

import pytest
from redis import Redis

from cancellist.jobs.ledger.keys import Keys
from cancellist.jobs.times import parse_when_ms
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

BEYOND = ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "+600000w", f"+{'9' * 400}s")
IMPOSSIBLE = ("253402300800000", "-62135596800001", "9" * 30, "-" + "9" * 30, "2.5340230080001e+14", "soon", "inf", "")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("edges")) as desk:
        desk.file("two.txt", "\n".join(desk.fresh(2)))
        yield desk


def server(desk: Desk) -> Redis:
    return Redis(unix_socket_path=desk.url.removeprefix("unix://"))


@pytest.mark.parametrize("option", ["--deadline", "--start-at"])
@pytest.mark.parametrize("when", BEYOND)
def test_a_time_that_cannot_be_written_back_is_refused_in_one_line(desk: Desk, option, when):
    before = len(desk.jobs())
    done = desk.run("enqueue", "two.txt", option, when)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert "lies outside of the years 1 to 9999" in done.err
    assert len(desk.jobs()) == before


def test_a_hint_is_itself_a_time(desk: Desk):
    done = desk.run("enqueue", "two.txt", "--deadline", "2026-12-23")
    assert done.status == 2
    assert "write 2026-12-23T00:00:00+00:00, or" in done.err
    done = desk.run("enqueue", "two.txt", "--deadline", "tomorrow")
    hint = done.err.partition("write such as ")[2].split()[0]
    assert parse_when_ms(hint, now_ms=0)
    assert desk.ok("enqueue", "two.txt", "--deadline", hint, "--dry-run", "--json").document["deadline"]


def test_a_stored_time_that_is_impossible_breaks_no_listing(desk: Desk):
    zone = {"TZ": "Pacific/Kiritimati"}  # whose calendar ends before that of UTC
    broken = {when: desk.ok("enqueue", "two.txt", "--start-at", "+1h").out.strip() for when in IMPOSSIBLE}
    with server(desk) as redis:
        for stored, job in broken.items():
            fields = dict.fromkeys(("deadline", "start_at", "created_at", "started_at", "finished_at"), stored)
            redis.hset(Keys().job(job), mapping=fields | {"reason": b"caf\xe9"})
        redis.hset(Keys().job(broken["soon"]), mapping={"total": "many", "samples": "x", "sampled": "y"})
    done = desk.shell(f"export TZ={zone['TZ']}; $c jobs --json && $c pause --json && $c resume --json && $c jobs >&2")
    assert done.status == 0, done
    listed = {job["job"]: job for job in json.loads(done.out.splitlines()[0])["jobs"]}
    assert set(broken.values()) <= set(listed)
    for job in broken.values():
        assert listed[job]["reason"] == "caf\\xe9"
        for name in ("deadline", "start_at", "created_at"):
            assert listed[job][name] is None or parse_when_ms(listed[job][name], now_ms=0) is not None
        assert job in done.err
    assert listed[broken["253402300800000"]]["deadline"] == "9999-12-31T23:59:59.999Z"
    assert listed[broken["-62135596800001"]]["deadline"] == "0001-01-01T00:00:00.000Z"
    assert listed[broken["soon"]]["deadline"] is None
    for when in IMPOSSIBLE[:3]:
        shown = desk.shell(f"export TZ={zone['TZ']}; $c status {broken[when]} && $c status {broken[when]} --json")
        assert shown.status == 0, shown
    with desk.started("watch", "--json") as watch:
        seen = [json.loads(watch.stdout.readline())["job"] for _ in broken]
    assert set(broken.values()) == set(seen)
    for job in (broken["253402300800000"], broken["9" * 30]):
        desk.ok("abort", "--yes", job)
        assert len(desk.ok("results", job, "--format", "csv").out.splitlines()) == 3


ARGUMENTS = (
    "enqueue two.txt --reason {}", "enqueue two.txt --requested-by {}", "enqueue two.txt --idempotency-key {}",
    "enqueue two.txt --account {}", "enqueue two.txt --priority {}", "enqueue two.txt --deadline {}",
    "status {}", "results {}", "watch {}", "pause {}", "resume {}", "abort {}", "explain {} EC-000-05D-1NS",
    "explain 6w4h0v2m1x3q {}", "pause --account {}", "resume --account {}", "results 6w4h0v2m1x3q --outcome {}",
    "results 6w4h0v2m1x3q --format {}", "jobs --limit {}", "doctor --role {}", "{}", "jobs {}", "sandbox --mix {}",
)  # fmt: skip


@pytest.mark.parametrize("command", ARGUMENTS)
def test_an_argument_that_is_no_text_is_one_line_of_any_command(desk: Desk, command):
    before = len(desk.jobs())
    for typed in map(os.fsdecode, (b"caf\xe9", b"\xed\xa0\x80")):  # Latin-1, and half a character
        done = desk.run(*command.format(typed).split())
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
        assert done.err.startswith("cancellist: ")
        assert "Traceback" not in done.err
    done = desk.run(*command.format(typed).split(), "--json")
    assert json.loads(done.err)["error"]["code"] == "usage"
    assert len(desk.jobs()) == before


@pytest.mark.parametrize("name", ["--reason", "--requested-by", "--idempotency-key"])
def test_control_characters_reach_no_terminal(desk: Desk, name):
    text = "a\x1b[31m\x9bb\u202ec\r\n"
    done = desk.run("enqueue", "two.txt", name, text, "--dry-run")
    shown = done.out + done.err
    assert done.status == 0
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(shown)
    document = desk.ok("enqueue", "two.txt", name, text, "--dry-run", "--json")
    assert document.document[name[2:].replace("-", "_")] == text
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(document.out)


def test_a_job_that_is_no_id_is_shown_escaped(desk: Desk):
    done = desk.run("status", "x\x1b[2J\u202e")
    assert done.err == "cancellist: no job 'x\\x1b[2J\\u202e'; `cancellist jobs` lists those there are\n"


def test_a_file_whose_name_is_no_utf_8_is_read(desk: Desk):
    script = "cp two.txt $'caf\\xe9.txt'; $c enqueue $'caf\\xe9.txt' --dry-run --json; $c enqueue $'\\xfc'"
    done = desk.shell(script)
    assert json.loads(done.out)["total"] == 2
    assert done.err.count("\n") == 1
    assert "there is no file" in done.err
