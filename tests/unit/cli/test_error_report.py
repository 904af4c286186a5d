"""Errors have codes that stay, and what is told of them holds no secret."""

import json
import re

import pytest

from cancellist.cli import error_report
from cancellist.cli.arguments import job_id
from cancellist.jobs import errors
from cancellist.jobs.errors import CancellistError, InputError, UnknownJobError
from cancellist.sandbox.command import CannotListenError
from tests.support import ROOT


def classes(of: type[CancellistError]) -> list[type[CancellistError]]:
    return [of, *(below for one in of.__subclasses__() for below in classes(one))]


def test_each_code_is_documented_and_no_two_errors_share_one():
    rows = re.findall(r"^\| `(\w+)` \| (\d) \|", (ROOT / "docs" / "reference" / "errors.md").read_text(), re.MULTILINE)
    documented = dict(rows)
    own = {one for one in classes(CancellistError) if one.__module__ in {errors.__name__, error_report.__name__}}
    codes = sorted(one.code for one in own)
    assert len(set(codes)) == len(own)
    assert sorted(documented) == sorted({*codes, "usage", "system", "internal", CannotListenError.code})
    others = {code: status for code, status in rows if status != "1"}
    guards = ("guard_refused", "new_host", "count_mismatch", "stale_plan")
    assert others == {"usage": "2", **dict.fromkeys(guards, "5")}


def test_the_tree_at_the_top_of_the_errors_has_each_with_its_code():
    drawn = dict(re.findall(r"(\w+Error) +(\w+):", str(errors.__doc__)))
    assert drawn == {one.__name__: one.code for one in classes(CancellistError) if one.__module__ == errors.__name__}


def test_an_error_is_its_message_and_its_hint():
    assert str(InputError("it is odd", hint="mend it")) == "it is odd; mend it"
    assert str(InputError("it is odd")) == "it is odd"
    assert str(InputError()) == ""


def told(capsys, error, *arguments) -> tuple[int, str]:
    status = error_report.tell(error, arguments)
    return status, capsys.readouterr().err


@pytest.mark.parametrize("group", [True, False])
def test_an_error_in_a_group_is_told_as_itself(capsys, group):
    error = UnknownJobError("x")
    status, line = told(capsys, ExceptionGroup("several", [ExceptionGroup("", [error])]) if group else error)
    assert (status, line) == (1, "cancellist: no job 'x'; `cancellist jobs` lists those there are\n")


def test_what_the_machine_refuses_is_one_line(capsys):
    error = FileNotFoundError(2, "No such file or directory", "/some/where")
    assert told(capsys, error) == (
        1,
        "cancellist: the operating system reports: No such file or directory: /some/where\n",
    )


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("CANCELLIST_API_KEY", "s3cret-key", "s3cret-key"),
        ("CANCELLIST_ACCOUNTS__EU__API_KEY", "s3cret-key", "s3cret-key"),
        ("CANCELLIST_API_TOKENS", "s3cret-token", "s3cret-token"),
        ("CANCELLIST_REDIS_URL", "rediss://user:s3cret%2Fword@host:6379/0", "s3cret/word"),
        ("CANCELLIST_REDIS_URL", "rediss://user:s3cret%2Fword@host:6379/0", "s3cret%2Fword"),
        ("CANCELLIST_REDIS_URL", "unix:///x.sock?password=s3cret", "s3cret"),
        ("HTTPS_PROXY", "http://user:s3cret@proxy:3128", "s3cret"),
    ],
)
def test_no_secret_is_told_or_kept(capsys, monkeypatch, tmp_path, name, value, secret):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    error = RuntimeError(f"cannot use {secret} here\nnor there")
    status, line = told(capsys, error, "--json")
    [kept] = tmp_path.iterdir()
    assert status == 1
    assert json.loads(line)["error"]["code"] == "internal"
    assert "cannot use *** here" in kept.read_text()
    for text in (line, kept.read_text()):
        assert secret not in text


def test_a_trace_that_cannot_be_kept_is_no_error_of_its_own(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    status, line = told(capsys, ZeroDivisionError("x" * 10_000))
    assert status == 1
    assert line.count("\n") == 1
    assert len(line) < 500
    assert "CANCELLIST_DEBUG=1" in line


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["jobs", "--json"], True), (["enqueue", "--json", "--", "--x"], True), (["enqueue", "--", "--json"], False),
        (["jobs"], False), ([], False),
    ],
)  # fmt: skip
def test_json_is_wanted_where_it_is_an_option(arguments, wanted):
    assert error_report.wants_json(arguments) is wanted


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("6W4H0V2M1X3Q", "6w4h0v2m1x3q"), (" 6w4h0v2m1x3q\r\n", "6w4h0v2m1x3q"), ("\ufeff6w4\u200b", "6w4"),
        ("No Such\x1b[J", "No Such\x1b[J"), (None, None),
    ],
)  # fmt: skip
def test_an_id_is_taken_as_it_is_meant(typed, taken):
    assert job_id(typed) == taken
