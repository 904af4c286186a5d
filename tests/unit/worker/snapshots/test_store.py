"""The store of snapshots: what it says is kept can be read, and nobody without the key reads or changes it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cancellist.jobs.errors import OutputError, SettingsError
from cancellist.jobs.safety.snapshot import Entry
from cancellist.worker.snapshots import cipher as ciphers
from cancellist.worker.snapshots.cipher import cipher_of
from cancellist.worker.snapshots.reading import entries_of
from cancellist.worker.snapshots.store import NotKeptError, SnapshotStore, trim

KEY = bytes(range(32))
SECRET = "Zoë Private, 12 Hidden Lane"
FULL = """
import resource, sys
from pathlib import Path
from tests.unit.worker.snapshots.test_store import entries, store_in
from cancellist.worker.snapshots.store import NotKeptError
store = store_in(Path(sys.argv[1]))
store.keep("job1", entries(3))
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
for count in (5, 1):
    try:
        store.keep("job1", entries(count, 10))
    except NotKeptError as error:
        print(error)
"""


def store_in(folder: Path, worker: str = "host-1-a", key: bytes = KEY) -> SnapshotStore:
    return SnapshotStore(folder, cipher_of(key), worker)


def entries(count: int, first: int = 0, job: str = "job1") -> list[Entry]:
    record = {"Addresses": [{"Contact": SECRET, "Town": "Ply" * 40}]}
    return [
        Entry(job, f"EC-000-000-{n:03}", n, "default", "host", "w", called=False, record=record)
        for n in range(first, first + count)
    ]


def read(folder: Path, job: str = "job1", key: bytes = KEY):
    found, files = [], []
    for file, entry in entries_of(folder, job, cipher_of(key)):
        files.append(file) if entry is None else found.append(entry)
    return found, files


def test_what_is_kept_is_read_and_stands_nowhere_in_plain_text(tmp_path):
    store = store_in(tmp_path)
    for n in range(3):
        store.keep("job1", entries(4, 4 * n))
    store.keep("job2", entries(1, job="job2"))
    store_in(tmp_path, "host-2-b").keep("job1", entries(2, 50))
    found, files = read(tmp_path)
    assert sorted(found, key=lambda one: one.at_ms) == entries(12) + entries(2, 50)
    assert sorted((file.entries, file.torn, file.why) for file in files) == [(2, False, None), (12, False, None)]
    assert len(list(tmp_path.iterdir())) == 3
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        held = path.read_bytes()
        assert not any(word.encode() in held for word in ("Private", "Hidden", "EC-000", "Addresses", "PlyPly"))
    assert len({path.read_bytes()[-40:] for path in tmp_path.iterdir()}) == 3


def test_no_byte_can_be_changed_and_no_record_moved(tmp_path):
    store_in(tmp_path).keep("job1", entries(3))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    size = (len(whole) - start) // 3
    one, two, three = (whole[start + n * size : start + (n + 1) * size] for n in range(3))
    path.write_bytes(whole[:start] + one + three + two)
    assert len(read(tmp_path)[0]) == 1
    path.write_bytes(whole[:start] + two + three)
    assert not read(tmp_path)[0]
    for at in [*range(0, start, 7), *range(start, len(whole), 11)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found, (file,) = read(tmp_path)
        assert len(found) == max(0, at - start) // size
        assert file.torn or file.why
    other = tmp_path / path.name.replace("job1", "job2")
    other.write_bytes(whole)
    assert [file.why for file in read(tmp_path, "job2")[1]] == ["it is of another job"]


def test_another_key_reads_nothing(tmp_path):
    store_in(tmp_path).keep("job1", entries(3))
    found, (file,) = read(tmp_path, key=bytes(32))
    assert (found, file.why) == ([], "another key has written it")


def test_a_torn_end_is_told_and_takes_nothing_else_with_it(tmp_path):
    store_in(tmp_path).keep("job1", entries(3))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    found, (file,) = read(tmp_path)
    assert (found, file.torn, file.why) == (entries(2), True, None)
    store_in(tmp_path, "host-1-b").keep("job1", entries(1, 9))
    assert len(read(tmp_path)[0]) == 3


def test_what_does_not_fit_on_the_disk_is_told_and_cut_off(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.splitlines() == ["CANCELLIST_SNAPSHOT_DIR: File too large"]
    found, files = read(tmp_path)
    assert found == entries(3) + entries(1, 10) or found == entries(1, 10) + entries(3)
    assert not any(file.torn or file.why for file in files)


def test_a_folder_that_is_not_there_or_not_ours_is_told_and_not_made(tmp_path):
    store = store_in(tmp_path / "none")
    for act in (store.check, lambda: store.keep("job1", entries(1))):
        with pytest.raises(NotKeptError, match="SNAPSHOT_DIR: No such file or directory"):
            act()
    assert not list(tmp_path.iterdir())
    store_in(tmp_path).check()


def test_a_file_that_was_removed_or_written_to_by_another_is_left_alone(tmp_path):
    store = store_in(tmp_path)
    store.keep("job1", entries(1))
    next(tmp_path.iterdir()).unlink()
    store.keep("job1", entries(1, 1))
    with next(tmp_path.iterdir()).open("ab") as file:
        file.write(b"x")
    with pytest.raises(NotKeptError):
        store.keep("job1", entries(1, 2))
    store.keep("job1", entries(1, 3))
    assert [one.at_ms for one in sorted(read(tmp_path)[0], key=lambda one: one.at_ms)] == [1, 3]


def test_old_files_are_removed_and_no_others(tmp_path):
    store = store_in(tmp_path)
    store.keep("job1", entries(1))
    store.keep("job2", entries(1, job="job2"))
    (tmp_path / "notes.txt").write_text("x")
    for path in tmp_path.iterdir():
        if not path.name.startswith("job2"):
            os.utime(path, (1000, 1000))
    assert trim(tmp_path, 2000) == 1
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == ["job2.", "notes"]


def test_a_key_is_made_once_read_again_and_used_only_where_nobody_else_reads_it(tmp_path):
    path = tmp_path / "key"
    ciphers.make_key(path)
    with pytest.raises(OutputError):
        ciphers.make_key(path)
    assert ciphers.load_cipher(path).id == ciphers.load_cipher(path).id
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        ciphers.load_cipher(path)
    for wrong in (b"", b"secret", b"A" * 40 + b"\xff==="):
        path.write_bytes(wrong)
        path.chmod(0o600)
        with pytest.raises(SettingsError, match="base64") as error:
            ciphers.load_cipher(path)
        assert "secret" not in str(error.value).replace(str(path), "")
