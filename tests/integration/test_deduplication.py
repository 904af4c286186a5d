import random
import tempfile
from pathlib import Path

import pytest

from cancellist.jobs.errors import CancellistError
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("in_memory", [0, 3, 100])
def test_each_reference_is_given_once_in_the_order_of_first_appearance(in_memory):
    with Deduplicator(in_memory) as deduplicator:
        assert deduplicator.unique(["d", "a", "d", "c"]) == ["d", "a", "c"]
        assert deduplicator.unique(["c", "b", "a", "e", "b"]) == ["b", "e"]
        assert deduplicator.unique(["a", "b", "c", "d", "e"]) == []
        assert deduplicator.unique(["z", "y"]) == ["z", "y"]
        assert deduplicator.unique([]) == []
        assert deduplicator.duplicates == 9
        assert deduplicator.spilled is (in_memory < 100)


def test_it_stays_exact_in_memory_on_disk_and_across(folder):
    rng = random.Random(7)
    entries = [f"EC-{rng.randrange(30_000):05}" for _ in range(60_000)]
    with Deduplicator(10_000) as deduplicator:
        given = []
        for start in range(0, len(entries), 1_000):
            given += deduplicator.unique(entries[start : start + 1_000])
        assert deduplicator.spilled
    assert given == list(dict.fromkeys(entries))
    assert deduplicator.duplicates == len(entries) - len(given)


def test_memory_holds_no_more_than_allowed():
    with Deduplicator(50) as deduplicator:
        for start in range(0, 1_000, 20):
            deduplicator.unique([str(number) for number in range(start, start + 20)])
        assert len(deduplicator._seen) <= 50


def test_text_of_any_script_is_told_apart_exactly():
    entries = ["é", "e\u0301", "É", "日本", "a", "A", "a ", '"', "\\", "😀"]
    with Deduplicator(0) as deduplicator:
        assert deduplicator.unique(entries) == entries
        assert deduplicator.unique(entries) == []


def test_nothing_is_left_on_disk_even_while_it_is_open(folder):
    with Deduplicator(0) as deduplicator:
        deduplicator.unique([str(number) for number in range(1_000)])
        assert list(folder.iterdir()) == []
    assert list(folder.iterdir()) == []
    deduplicator.close()


def test_a_disk_without_room_is_reported_with_the_mend():
    with Deduplicator(0) as deduplicator:
        deduplicator.unique(["a"])
        deduplicator._disk.execute("PRAGMA max_page_count = 2")
        with pytest.raises(CancellistError, match="TMPDIR"):
            deduplicator.unique([str(number) for number in range(10_000)])


def test_a_folder_that_cannot_be_written_is_reported_with_the_mend(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(Path("/nonexistent/folder")))
    with Deduplicator(0) as deduplicator, pytest.raises(CancellistError, match="TMPDIR"):
        deduplicator.unique(["a"])
