"""Reads snapshots: of one job, from all files in a folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cancellist.jobs.errors import InputError
from cancellist.jobs.safety.snapshot import Entry, authenticated, decoded, job_of, next_frame, read_header
from cancellist.worker.snapshots.cipher import Cipher


@dataclass(slots=True)
class FileRead:
    """One file, and what was found in it so far.

    Attributes:
        entries: how many entries were decrypted.
        references: of these entries.
        from_ms: when the first was read; None where there is none.
        to_ms: when the last was read.
        torn: whether it ends within a record, which was not kept.
        why: why no more of it can be read; None where nothing is wrong.
    """

    name: str
    entries: int = 0
    references: set[str] = field(default_factory=set)
    from_ms: int | None = None
    to_ms: int | None = None
    torn: bool = False
    why: str | None = None

    def note(self, entry: Entry) -> None:
        """Counts an entry."""
        self.entries += 1
        self.references.add(entry.reference)
        self.from_ms = entry.at_ms if self.from_ms is None else min(self.from_ms, entry.at_ms)
        self.to_ms = entry.at_ms if self.to_ms is None else max(self.to_ms, entry.at_ms)


def entries_of(folder: Path, job: str, cipher: Cipher) -> Iterator[tuple[FileRead, Entry | None]]:
    """Reads all files of a job, in the order of their names. After each file comes None once.

    An entry that was altered is told, and nothing of its file is read after it.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if job_of(path.name) == job)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or type(error).__name__}") from None
    for name in names:
        read = FileRead(name)
        for entry in _entries(folder / name, job, cipher, read):
            read.note(entry)
            yield read, entry
        yield read, None


def _entries(path: Path, job: str, cipher: Cipher, read: FileRead) -> Iterator[Entry]:
    place = 0
    try:
        with path.open("rb") as file:
            header, line = read_header(file.readline)
            _check(header.key == cipher.id, "another key has written it")
            while (sealed := next_frame(file.read)) is not None:
                entry = decoded(cipher.open(sealed, authenticated(line, place)))
                _check(entry.job == header.job == job, "it is of another job")
                yield entry
                place += 1
    except EOFError:
        read.torn = True
    except ValueError as error:
        read.why = f"record {place + 1}: {error}" if place else str(error)
    except OSError as error:
        read.why = error.strerror or type(error).__name__


def _check(holds: bool, why: str) -> None:
    if not holds:
        raise ValueError(why)
