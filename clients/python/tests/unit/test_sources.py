import gzip
import io
import json
import os
import tempfile
import threading
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist_client import InputError
from cancellist_client.sources import source_of

REFERENCES = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=50)


def sent(source) -> list[str]:
    raw = b"".join(source.blocks())
    return json.loads(raw) if source.content_type == "application/json" else [json.loads(r) for r in raw.splitlines()]


@given(REFERENCES, st.sampled_from([list, tuple, iter, set, frozenset, dict.fromkeys, lambda rs: (r for r in rs)]))
def test_references_are_the_same_each_time_they_are_sent(references, given_as) -> None:
    given_now = given_as(references)
    wanted = sorted(set(references)) if isinstance(given_now, set | frozenset | dict) else references
    with source_of(given_now) as source:
        first, second = sent(source), sent(source)
    assert first == second
    assert (sorted(first) if isinstance(given_now, set | frozenset | dict) else first) == wanted


@pytest.mark.parametrize("count", [1, 5_000, 5_001, 20_000])
def test_many_references_are_sent_in_blocks(count) -> None:
    references = [f"EC-{n:09d}" for n in range(count)]
    with source_of(references) as source:
        assert (source.references is None) == (count > 5_000)
        assert sent(source) == references
        assert max(map(len, source.blocks())) < 150_000


@pytest.mark.parametrize(
    ("name", "kind", "packed"),
    [
        ("a.csv", "text/csv", False), ("a.CSV", "text/csv", False), ("a.tsv", "text/csv", False),
        ("a.json", "application/json", False), ("a.jsonl", "application/x-ndjson", False),
        ("a.ndjson", "application/x-ndjson", False), ("a.txt", "text/plain", False), ("a.b.txt", "text/plain", False),
        ("a.csv.gz", "text/csv", True), ("2026.11.29.txt.gz", "text/plain", True),
    ],
)  # fmt: skip
def test_a_name_tells_what_a_file_holds(tmp_path: Path, name, kind, packed) -> None:
    path = tmp_path / name
    path.write_bytes(b"raw")
    for given_now in (path, path.open("rb"), path.open()):
        with source_of(given_now) as source:
            assert (source.content_type, source.encoding == "gzip") == (kind, packed)
            assert b"".join(source.blocks()) == b"".join(source.blocks()) == b"raw"
        if not isinstance(given_now, PurePath):
            given_now.close()


@pytest.mark.parametrize("name", ["a", "a.gz", ".csv", "a.xlsx", "a.csv.zip", ".txt.gz"])
def test_a_name_that_tells_nothing_needs_the_type(tmp_path: Path, name) -> None:
    path = tmp_path / name
    path.write_bytes(b"raw")
    with pytest.raises(InputError, match="content_type"):
        source_of(path)
    with source_of(path, "text/plain") as source:
        assert source.content_type == "text/plain"
        assert (source.encoding == "gzip") == name.endswith(".gz")


class Pipe(io.RawIOBase):
    """Cannot be wound back."""

    def __init__(self, raw: bytes) -> None:
        self._left = io.BytesIO(raw)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._left.readinto(buffer)


@given(st.binary(min_size=1, max_size=3_000_000))
def test_what_can_be_read_but_once_is_kept_for_another_attempt(raw) -> None:
    with source_of(Pipe(raw), "text/plain") as source:
        assert b"".join(source.blocks()) == raw
        assert next(source.blocks()) == raw[: 256 * 1024]
        assert b"".join(source.blocks()) == raw


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"EC-1\n" * 100_000))
    writer.start()
    with source_of(path) as source:
        writer.join(10)
        assert b"".join(source.blocks()) == b"".join(source.blocks()) == b"EC-1\n" * 100_000


def test_nothing_is_kept_once_it_was_sent(monkeypatch) -> None:
    kept = []
    make = tempfile.SpooledTemporaryFile
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda *a: kept.append(make(*a)) or kept[-1])
    with source_of(iter(["EC-000-05D-1NS"])) as source:
        sent(source)
        assert not kept[0].closed
    assert kept[0].closed

    def failing():
        yield "EC-000-05D-1NS"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        source_of(failing())
    assert kept[1].closed


@pytest.mark.parametrize("at", [1, 6_000])
def test_what_is_no_text_is_told_with_its_place(at) -> None:
    references: list = ["EC-000-05D-1NS"] * 7_000
    references[at - 1] = None
    for given_now in (references, iter(references)):
        with pytest.raises(InputError, match=f"number {at:,} is no text but NoneType"):
            source_of(given_now)


def test_a_packed_file_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"EC-000-05D-1NS"))
    with source_of(path) as source:
        assert b"".join(source.blocks()) == path.read_bytes()
