"""A new key never takes the place of another, and none is half made."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cancellist.jobs.errors import OutputError
from cancellist.jobs.ledger import receipt_keys
from cancellist.worker.snapshots import cipher

MAKERS: dict[str, Callable[[Path], object]] = {"receipts": receipt_keys.make_key, "snapshots": cipher.make_key}
FILES = {"receipts": ["key", "key.pub"], "snapshots": ["key"]}
CASES = [(what, name) for what, names in FILES.items() for name in names]


def _all(folder: Path) -> dict[str, bytes | str]:
    return {path.name: str(path.readlink()) if path.is_symlink() else path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("what", MAKERS)
def test_a_second_run_is_refused_and_changes_nothing(tmp_path: Path, what: str) -> None:
    MAKERS[what](tmp_path / "key")
    before = _all(tmp_path)
    assert sorted(before) == FILES[what]
    with pytest.raises(OutputError, match="is there already, so no key was made"):
        MAKERS[what](tmp_path / "key")
    assert _all(tmp_path) == before


@pytest.mark.parametrize("there", ["a file", "a link that leads nowhere"])
@pytest.mark.parametrize(("what", "name"), CASES)
def test_whichever_file_is_there_no_other_is_left_behind(tmp_path: Path, what: str, name: str, there: str) -> None:
    if there == "a file":
        (tmp_path / name).write_bytes(b"another's")
    else:
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    before = _all(tmp_path)
    with pytest.raises(OutputError, match=f"{name} is there already, so no key was made"):
        MAKERS[what](tmp_path / "key")
    assert _all(tmp_path) == before


@pytest.mark.parametrize("written", [1, 2])
@pytest.mark.parametrize("what", MAKERS)
def test_a_disk_that_is_full_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, written: int
) -> None:
    real, files = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal files
        files += 1
        if files == written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    if written > len(FILES[what]):
        MAKERS[what](tmp_path / "key")
        return
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        MAKERS[what](tmp_path / "key")
    assert not _all(tmp_path)
