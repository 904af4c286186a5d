"""Errors: one line that says what to do, or one JSON object; no traceback, and no secret in what is kept of one."""

import contextlib
import json
import stat

import pytest
from redis import Redis

from cancellist.cli.main import COMMANDS
from cancellist.jobs.ledger.keys import Keys
from tests.support.commands import Desk, Done
from tests.support.commands import desk as a_desk

NAMES = list(COMMANDS)
OF_A_JOB = ("status", "results", "watch", "pause", "resume", "abort", "explain", "update", "retry")
NEEDED = {"explain": ["EC-000-05D-1NS"], "update": ["--no-deadline"]}
"""Arguments that a command of a job needs beside its id."""
SECRET = "hunter2-of-the-subscription"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("errors")) as desk:
        desk.file("two.txt", "\n".join(desk.fresh(2)))
        yield desk


@pytest.fixture
def job(desk: Desk) -> str:
    """A job that waits."""
    return desk.ok("enqueue", "two.txt", "--start-at", "+1h").out.strip()


def error_of(done: Done) -> dict[str, str]:
    """The one JSON object that an error is under --json."""
    assert done.out == "", done
    assert done.err.count("\n") == 1, done
    document = json.loads(done.err)
    assert list(document) == ["error"]
    assert {"code", "message", "hint"} <= set(document["error"])
    assert all(isinstance(document["error"][name], str) for name in ("code", "message", "hint"))
    return document["error"]


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_an_example_in_its_help(desk: Desk, name):
    done = desk.ok(name, "--help")
    assert f"Example: cancellist {name}" in done.out


@pytest.mark.parametrize("name", NAMES)
def test_misuse_of_any_command_is_one_line_and_exit_2_or_one_object(desk: Desk, name):
    done = desk.run(name, "--no-such-option")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert done.err == f"cancellist: No such option: --no-such-option; see `cancellist {name} --help`\n"
    done = desk.run(name, "--json", "--no-such-option")
    assert done.status == 2
    assert error_of(done)["code"] == "usage"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("jobs", []), ("accounts", []), ("watch", []), ("pause", []), ("resume", []), ("worker", []),
        ("enqueue", ["two.txt"]), ("enqueue", ["two.txt", "--dry-run"]), ("explain", ["--words"]),
        *((name, ["6w4h0v2m1x3q", *NEEDED.get(name, [])]) for name in OF_A_JOB if name != "explain"),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong_is_one_line_of_any_command(desk: Desk, name, arguments):
    done = desk.run(name, *arguments, lease_seconds="soon")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert done.err.startswith("cancellist: CANCELLIST_LEASE_SECONDS")
    done = desk.run(name, *arguments, "--json", lease_seconds="soon")
    assert done.status == 1
    assert error_of(done)["code"] == "settings"


@pytest.mark.parametrize("name", OF_A_JOB)
def test_an_unknown_job_is_an_object_under_json(desk: Desk, name):
    done = desk.run(name, "nosuchjob", *NEEDED.get(name, []), "--json")
    assert done.status == 1
    assert error_of(done) == {
        "code": "unknown_job", "message": "no job 'nosuchjob'", "hint": "`cancellist jobs` lists those there are",
    }  # fmt: skip


def test_what_was_said_before_an_error_stands_in_its_object(desk: Desk):
    done = desk.run("enqueue", "-", "--json", "--account", "other", text="EC-000-05D-1NS")
    assert "no account" in error_of(done)["message"]
    done = desk.run("jobs", "--json", redis_url="redis://127.0.0.1:1")
    assert done.status == 1
    error = error_of(done)
    assert error["code"] == "server_unavailable"
    assert error["notes"] == ["waiting for redis://127.0.0.1:1 to answer"]


def test_a_port_that_is_taken_is_an_error_like_any_other(desk: Desk):
    port = desk.platform.url.rpartition(":")[2]
    done = desk.run("sandbox", "--port", port, "--json")
    assert done.status == 1
    assert error_of(done)["code"] == "cannot_listen"
    assert desk.run("sandbox", "--port", port).err.startswith(f"cancellist: cannot listen on 127.0.0.1:{port}")


@contextlib.contextmanager
def damaged(desk: Desk):
    """A server in which something is written that cancellist never writes: the secret, and what a terminal obeys."""
    state = Keys().state("default")
    with Redis(unix_socket_path=desk.url.removeprefix("unix://")) as redis:
        before = redis.hget(state, "gate")
        redis.hset(state, "gate", f"{SECRET} \x1b[31m")
        yield
        redis.hdel(state, "gate") if before is None else redis.hset(state, "gate", before)


def test_what_nobody_foresaw_is_one_line_and_its_trace_is_kept_without_secrets(desk: Desk, job):
    with damaged(desk):
        done = desk.run("status", job, api_key=SECRET)
        shown = desk.run("status", job, "--json", api_key=SECRET, debug="1")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert done.err.startswith("cancellist: this is a bug in cancellist: ValueError: ")
    [kept] = desk.folder.glob("cancellist-*.log")
    assert str(kept) in done.err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    trace = kept.read_text()
    for text in (trace, shown.err):
        assert text.startswith("Traceback")
        assert "accounts.py" in text
    assert json.loads(shown.err.splitlines()[-1])["error"]["code"] == "internal"
    for text in (trace, done.err, shown.err):
        assert SECRET not in text
        assert "\x1b" not in text


def test_debugging_shows_the_trace_of_a_mistake_too(desk: Desk):
    done = desk.run("status", "nosuchjob", debug="1")
    assert "UnknownJobError" in done.err
    assert done.err.endswith("cancellist: no job 'nosuchjob'; `cancellist jobs` lists those there are\n")


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n", "nonsense\n", "\x04"])
def test_a_question_that_is_not_answered_with_yes_says_that_nothing_was_done(desk: Desk, job, answer):
    done = desk.typed("abort", job, keys=answer, after="[y/N]", columns=200)
    assert done.status == 1
    assert f"cancellist: nothing was aborted: job {job} is held as before" in done.out
    assert "Aborted" not in done.out
    assert desk.ok("status", job, "--json").document["state"] == "held"


def test_a_question_that_is_answered_with_yes_is_acted_on(desk: Desk, job):
    done = desk.typed("abort", job, keys="Y\n", after="[y/N]")
    assert done.status == 0
    assert desk.ok("status", job, "--json").document["state"] == "aborted"


def test_ctrl_c_at_a_question_says_that_nothing_was_done(desk: Desk, job):
    done = desk.typed("abort", job, keys="\x03", after="[y/N]")
    assert done.status == 130
    assert "nothing was aborted" in done.out
    assert desk.ok("status", job, "--json").document["state"] == "held"


@pytest.mark.parametrize("spelt", [str.upper, lambda job: f"  {job}\n", lambda job: f"\u00a0{job.title()}\ufeff\t"])
def test_an_id_is_taken_in_any_case_and_with_blanks_around_it(desk: Desk, job, spelt):
    named = {"update": ("--priority", "bulk"), "abort": ("--yes",)}
    for name in ("status", "pause", "resume", "update", "abort", "watch"):
        assert desk.ok(name, spelt(job), "--json", *named.get(name, ())).lines[0]["job"] == job
    assert desk.ok("explain", spelt(job), desk.ok("results", spelt(job)).lines[0]["reference"], "--json")


@pytest.mark.parametrize("name", OF_A_JOB)
def test_an_id_that_is_empty_names_no_job_and_no_account(desk: Desk, name):
    """As a variable that is not set leaves it: `pause ""` must not pause the whole account."""
    for empty in ("", "  "):
        done = desk.run(name, empty)
        assert (done.status, done.out) == (2, "")
        assert "it is empty" in done.err
    assert desk.run("pause", "--account", "").status == 2


@pytest.mark.parametrize("columns", [10, 14, 30, 50, 60, 100])
def test_jobs_never_cuts_an_id(desk: Desk, job, columns):
    shown = desk.typed("jobs", columns=columns)
    assert shown.status == 0
    assert job in [line.split()[0] for line in shown.out.splitlines() if line.strip()]


def test_outcomes_are_named_one_by_one_or_with_commas(desk: Desk):
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(2))).out.strip()
    desk.ok("abort", "--yes", job)
    for options in (["--outcome", "failed,aborted"], ["--outcome", " Aborted ,"], ["--outcome", "failed", "--outcome",
                    "aborted,invalid"], ["--outcome=aborted"]):  # fmt: skip
        assert len(desk.ok("results", job, *options).lines) == 2
    for wrong in ("", ",", "nope", "aborted,nope", "aborted;failed"):
        done = desk.run("results", job, "--outcome", wrong)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert "already_cancelled" in done.err
