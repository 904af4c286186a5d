"""A command that asks does nothing without a yes, by whatever way it came: an answer, or --yes."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("asking")) as desk:
        yield desk


@pytest.fixture
def job(desk: Desk) -> str:
    """A job that waits."""
    return desk.ok("enqueue", "-", "--start-at", "+1h", text="\n".join(desk.fresh(2))).out.strip()


def state(desk: Desk, job: str) -> str:
    return str(desk.ok("status", job, "--json").document["state"])


@dataclass
class ErrorsElsewhere(Desk):
    """A terminal whose user sends standard error to a file."""

    def _command(self, arguments: Sequence[object]) -> list[str]:
        return ["bash", "-c", f"{shlex.join(super()._command(arguments))} 2>errors"]


@pytest.mark.parametrize("way", ["a pipe", "a file"])
@pytest.mark.parametrize("answer", ["n\n", "n", "no\n", "NO\r\n", "\n", " \n", "n\ny\n", "\ny\n"])
def test_what_is_not_agreed_to_is_not_done(desk: Desk, job, way: str, answer: str):
    if way == "a pipe":
        done = desk.run("abort", job, text=answer)
    else:
        with desk.file("answer", answer).open("rb") as file:
            done = desk.redirected(("abort", job), stdin=file)
    assert (done.status, done.out) == (1, ""), done
    assert done.err == f"cancellist: nothing was aborted: job {job} is held as before\n"
    assert state(desk, job) == "held"


@pytest.mark.parametrize("answer", ["y\n", "y", "YES\r\n", " Yes \n", "y\nn\n"])
def test_what_is_agreed_to_is_done(desk: Desk, job, answer: str):
    done = desk.run("abort", job, text=answer)
    assert (done.status, done.out) == (0, "aborted\n"), done


@pytest.mark.parametrize("answer", ["nein\n", "yn\n", "yes!\n", "\0\n", b"\xff\n", "y" * 1000, "y " * 99 + "\n"])
def test_what_is_no_answer_does_nothing(desk: Desk, job, answer: str | bytes):
    done = desk.run("abort", job, text=answer)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert "neither y nor n" in done.err
    assert "--yes" in done.err
    assert state(desk, job) == "held"


@pytest.mark.parametrize("nothing", ["</dev/null", "<&-", "<empty", "< <(:)"])
def test_a_script_that_has_nothing_to_say_needs_the_option_for_it(desk: Desk, job, nothing: str):
    desk.file("empty", "")
    copied = nothing != "<&-"  # a program with a closed stream gives its number to the first file that it opens
    done = desk.shell(f"$c abort {job} {nothing}", copied=copied)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert "no terminal to ask on" in done.err
    assert "--yes" in done.err
    assert state(desk, job) == "held"
    done = desk.shell(f"$c abort --yes {job} {nothing}", copied=copied)
    assert (done.status, done.out) == (0, "aborted\n"), done
    done = desk.shell(f"$c retry {job} {nothing}", copied=copied)
    assert (done.status, done.out, "--yes" in done.err) == (2, "", True), done


def test_a_pipe_that_nobody_writes_to_is_not_waited_for_and_is_no_yes(desk: Desk, job):
    for written in ("", "printf y >&3;"):
        done = desk.shell(f"mkfifo pipe; exec 3<>pipe; rm pipe; {written} $c abort {job} <&3", copied=True)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
        assert "no answer came on standard input" in done.err
        assert "--yes" in done.err
        assert state(desk, job) == "held"
    assert desk.shell(f"mkfifo pipe; exec 3<>pipe; rm pipe; $c abort --yes {job} <&3", copied=True).out == "aborted\n"


def test_an_answer_that_comes_late_is_kept_to(desk: Desk, job):
    done = desk.shell(f"(sleep 1; echo n) | $c abort {job}", copied=True)
    assert done.status in {1, 2}, done  # 2 where the machine was so slow that it came after the end
    assert state(desk, job) == "held"


def test_no_more_than_the_answer_is_read(desk: Desk, job):
    done = desk.shell(f"printf 'n\\nthe rest\\n' | (! $c abort {job} && cat)", copied=True)
    assert done.out == "the rest\n", done


def test_nothing_is_read_of_a_job_that_has_ended_nor_with_yes(desk: Desk, job):
    for option in ("--yes", ""):
        done = desk.shell(f"printf 'n\\n' | ($c abort {option} {job} && cat)", copied=True)
        assert done.out == "aborted\nn\n", done


def test_a_refusal_is_json_where_that_is_asked_for(desk: Desk, job):
    for answer, code in (("n", "declined"), ("what", "usage")):
        done = desk.run("abort", "--json", job, text=f"{answer}\n")
        assert done.out == ""
        assert f'"code": "{code}"' in done.err
        assert done.err.count("\n") == 1


def test_the_question_is_seen_also_where_errors_go_elsewhere(desk: Desk, job):
    terminal = ErrorsElsewhere(desk.folder, desk.platform, desk.url, desk.settings)
    done = terminal.typed("abort", job, keys="n\n", after="[y/N]")
    assert (done.status, "[y/N]" in done.out) == (1, True), done
    assert "nothing was aborted" in (desk.folder / "errors").read_text()
    assert state(desk, job) == "held"
