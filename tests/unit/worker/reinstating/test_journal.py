"""The file of what was created: it is private, survives a cut line, and is not believed where it is damaged."""

import json

import pytest

from cancellist.jobs.errors import OutputError
from cancellist.worker.reinstating.journal import Event, Journal

OLD, NEW = "EC-000-05D-1NS", "EC-000-05D-2NS"


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path, "default", {"run": "r1", "by": "anna"})


def test_the_last_line_of_each_consignment_counts_and_only_its_owner_may_read_it(journal):
    assert journal.read() == {}
    journal.check()
    journal.write(Event.SENDING, OLD, "a", at_ms=1000)
    journal.write(Event.SENDING, NEW, "b", at_ms=1000)
    journal.write(Event.CREATED, OLD, "a", at_ms=2000, new=NEW, job="j")
    found = journal.read()
    assert (found[OLD].event, found[OLD].new, found[OLD].at_ms) == (Event.CREATED, NEW, 2000)
    assert found[NEW].event is Event.SENDING
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert {json.loads(line)["by"] for line in journal.path.read_text().splitlines()} == {"anna"}


def test_a_line_that_was_cut_off_anywhere_is_left_out_and_the_next_one_stands_alone(journal):
    journal.write(Event.SENDING, OLD, "a", at_ms=1000)
    whole = journal.path.read_bytes()
    for length in range(1, len(whole)):
        journal.path.write_bytes(whole + whole.replace(b'"a"', b'"b"')[:length])
        journal.write(Event.CREATED, OLD, "a", at_ms=2000, new=NEW)
        assert journal.read()[OLD].new == NEW


@pytest.mark.parametrize(
    "damaged", [b"\0\0\0", b"[1]", b'{"at": "x"}', b'{"at":"2026-11-29T00:00:00Z","event":"lost"}']
)
def test_a_damaged_line_is_told(journal, damaged):
    journal.path.write_bytes(damaged + b"\n")
    with pytest.raises(OutputError, match="line 1 is damaged"):
        journal.read()


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    journal = Journal(tmp_path / "away", "default", {})
    with pytest.raises(OutputError, match="No such file"):
        journal.check()
    (tmp_path / "reinstated.default.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="cannot be used"):
        Journal(tmp_path, "default", {}).write(Event.SENDING, OLD, "a", at_ms=1)
