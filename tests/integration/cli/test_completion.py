"""Completion in the shell: ids, accounts and outcomes; it starts nothing, waits for nothing and tells no error."""

import socket
import time

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("completion")) as desk:
        desk.settings["accounts__second__api_url"] = desk.platform.url
        yield desk


@pytest.fixture(scope="module")
def jobs(desk: Desk) -> list[str]:
    return [desk.ok("enqueue", "-", text="\n".join(desk.fresh(1))).out.strip() for _ in range(3)]


def offered(desk: Desk, typed: str, **settings: str) -> list[str]:
    """What bash is offered for the last word."""
    words = typed.split(" ")
    asked = f"_CANCELLIST_COMPLETE=complete_bash COMP_WORDS='{typed}' COMP_CWORD={len(words) - 1} $c"
    done = desk.shell(asked, copied=True, **settings)
    assert (done.status, done.err) == (0, ""), done
    return done.out.split()


def test_ids_are_offered_newest_first_in_the_letters_in_which_they_are_begun(desk: Desk, jobs):
    assert offered(desk, "cancellist status ") == jobs[::-1]
    for command in ("results", "watch", "pause", "resume", "abort", "explain", "update", "retry"):
        assert offered(desk, f"cancellist {command} {jobs[0]}") == [jobs[0]]
    begun = jobs[1][:6].upper()
    assert [word.lower() for word in offered(desk, f"cancellist status {begun}") if word.startswith(begun)]


def test_accounts_and_outcomes_are_offered(desk: Desk, jobs):
    assert offered(desk, "cancellist pause --account ") == ["default", "second"]
    assert offered(desk, "cancellist explain --words --account s") == ["second"]
    assert offered(desk, f"cancellist results {jobs[0]} --outcome failed,c") == ["failed,cancelled"]


def test_no_server_is_started_and_no_error_told(desk: Desk, jobs):
    assert offered(desk, "cancellist status ", data_dir=str(desk.folder / "none")) == []
    assert not (desk.folder / "none").exists()
    assert offered(desk, "cancellist status ", lease_seconds="soon") == []
    assert offered(desk, "cancellist status ", redis_url="redis://127.0.0.1:1") == []
    assert offered(desk, "cancellist status ", redis_url="nonsense") == []


def test_a_server_that_does_not_answer_is_not_waited_for(desk: Desk):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert offered(desk, "cancellist status ", redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}") == []
        assert time.monotonic() - began < 10  # the machine may be busy; a server is waited for much longer
