"""What matters most of each table can be read on a terminal of 80 columns, without colour."""

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

COLUMNS = 80


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("narrow")) as desk:
        yield desk


def shown(desk: Desk, *arguments: object) -> list[str]:
    """The lines of the table that a command draws; what it says after it is prose, which the terminal wraps."""
    done = desk.typed(*arguments, columns=COLUMNS)
    assert done.status == 0, done
    drawn = done.out.partition(f"\n{arguments[-1]} is ")[0]
    lines = [line.rstrip() for line in drawn.splitlines()]
    assert max(map(len, lines)) <= COLUMNS, done.out
    return lines


def test_accounts_shows_what_keeps_an_account_from_going_on(desk: Desk):
    done = desk.ok("pause")
    assert done.out == "paused\n"
    assert "account default is paused" in done.err
    words = " ".join(" ".join(shown(desk, "accounts")).split())
    assert "default paused" in words
    assert "`cancellist resume` resumes it" in words
    done = desk.ok("resume")
    assert done.out == "running\n"
    assert "account default" in done.err


def test_results_and_explain_show_outcome_call_status_and_message(desk: Desk):
    [reference] = desk.fresh(1, "Manifested")
    job = desk.ok("enqueue", "-", text=reference).out.strip()
    desk.drain()
    [result] = desk.ok("results", job).lines
    assert result["message"]
    heading, _, row, *more = shown(desk, "results", job)
    assert [name in heading for name in ("reference", "outcome", "status", "message")] == [True] * 4
    for cell in (reference, result["outcome"], str(result["status"])):
        assert cell in row
    start = heading.index("message")
    assert " ".join(line[start:].strip() for line in [row, *more] if line).startswith(result["message"])

    [call, *_] = desk.ok("explain", job, reference, "--json").document["calls"]
    heading, row, *more = shown(desk, "explain", job, reference)
    assert [name in heading for name in ("call", "status", "answer")] == [True] * 3
    assert str(call["status"]) in row
    words = " ".join(" ".join(line[heading.index("answer") :].split()) for line in [row, *more])
    assert " ".join(call["reason"].split()) in words


def test_a_word_that_no_option_knows_is_told_in_plain_words(desk: Desk):
    for arguments in (("results", "x", "--format", "json"), ("enqueue", "-", "--priority", "soon")):
        done = desk.run(*arguments)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert f"{arguments[-1]!r} is not one of" in done.err
        assert "Value error" not in done.err
