"""The file that remembers which jobs named a reference: SQLite, filled from the results stream.

Rows are only ever appended, to the youngest of many tables. A table that is full gets its index at once, from a sort,
and is dropped whole when it is old: so neither adding a row nor forgetting one becomes dearer as the file grows. The
youngest table has no index yet; a look-up reads through it.

Only one thread may use an object at a time, and only one process may write (index_lock.py).
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cancellist.jobs.ledger.references import index_rows
from cancellist.jobs.ledger.references.index_errors import is_damage, told
from cancellist.jobs.ledger.references.index_rows import Words
from cancellist.jobs.ledger.stream_place import Entry, Gap, Place
from cancellist.jobs.model import Result

FULL: Final = 200_000
"""Rows of a table before the next one is begun."""
FORM: Final = 1
"""The version of the file's form; a file of another form is made anew."""
_CACHE_KIB: Final = 8 * 1024
_BUSY_S: Final = 10
_PRIVATE: Final = 0o600
_SETUP: Final = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -{_CACHE_KIB};
PRAGMA journal_size_limit = 16777216;
"""
_TABLES: Final = (
    "CREATE TABLE place (ledger TEXT, cursor TEXT, read INTEGER, mark BLOB, gap_from INTEGER, gap_to INTEGER)",
    "CREATE TABLE parts (part INTEGER PRIMARY KEY, rows INTEGER, last INTEGER, indexed INTEGER)",
    "CREATE TABLE words (number INTEGER PRIMARY KEY, word BLOB)",
    f"PRAGMA user_version = {FORM}",
)


@dataclass(slots=True)
class _Part:
    number: int
    rows: int
    last: int
    indexed: bool


class ReferenceFile:
    """An open file. Every method but `close` raises ReferenceIndexError where the disk does not do its part.

    Attributes:
        path: its name.
        place: how far the stream was read into it.
    """

    def __init__(self, path: Path, ledger: str) -> None:
        """Opens the file, or makes it anew where it is of another ledger, of another form, or damaged.

        Args:
            path: its name; its folder is made.
            ledger: the identity of the ledger.
        """
        self.path = path
        self._words = Words()
        with told(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._open(ledger)
            except (sqlite3.DatabaseError, _OtherError) as error:
                if not isinstance(error, _OtherError) and not is_damage(error):
                    raise
                self.remove()
                self._open(ledger)
            self._inode = path.stat().st_ino

    def close(self) -> None:
        """Closes it."""
        with suppress(sqlite3.Error):
            self._db.close()

    @property
    def replaced(self) -> bool:
        """Whether another process has put another file in its place."""
        try:
            return self.path.stat().st_ino != self._inode
        except OSError:
            return True

    def refresh(self) -> None:
        """Takes note of what another process has written."""
        with told(self.path):
            self._load()

    def add(self, entries: Sequence[Entry], place: Place) -> None:
        """Adds results, and how far the stream was read with them: both or neither."""
        with told(self.path), self._transaction():
            try:
                rows = [index_rows.row(entry, self._words) for entry in entries if b"reference" in entry[1]]
                if rows:
                    part = self._youngest()
                    self._db.executemany("INSERT INTO words VALUES (?, ?)", self._words.take_new())
                    self._db.executemany(f"INSERT INTO part_{part.number} VALUES (?,?,?,?,?,?,?,?)", rows)
                    part.rows += len(rows)
                    part.last = rows[-1][0]
                    self._keep_part(part)
                self._keep_place(place)
            except BaseException:
                self._version = -1  # what is remembered here goes beyond what the file will hold
                raise

    def rewind(self, before: str | None, place: Place) -> None:
        """Forgets what was read of an entry and of all that follow; of nothing for None."""
        with told(self.path), self._transaction():
            self._version = -1
            if before is not None:
                for part in list(self._parts):
                    self._db.execute(
                        f"DELETE FROM part_{part.number} WHERE entry >= ?", (index_rows.number_of(before),)
                    )
                    left = self._db.execute(f"SELECT count(*), max(entry) FROM part_{part.number}").fetchone()
                    if left[0]:
                        part.rows, part.last = left
                        self._keep_part(part)
                    else:
                        self._drop(part)
            self._keep_place(place)

    def forget(self, before_ms: int) -> None:
        """Drops rows that are all older."""
        old = [part for part in self._parts if part.indexed and index_rows.at_ms_of(part.last) < before_ms]
        if old:
            with told(self.path), self._transaction():
                self._version = -1
                for part in old:
                    self._drop(part)

    def seal(self) -> None:
        """Gives a full table its index."""
        for part in [part for part in self._parts if not part.indexed and part.rows >= FULL]:
            with told(self.path), self._transaction():
                self._version = -1
                self._db.execute(f"CREATE INDEX reference_{part.number} ON part_{part.number} (reference)")
                part.indexed = True
                self._keep_part(part)

    def rows(self, reference: str, *, before: str | None, limit: int) -> list[Result]:
        """The results of a reference, of the newest jobs first.

        Args:
            reference: upper case.
            before: only of jobs that are older than this one.
            limit: how many at most.
        """
        found: list[Result] = []
        with told(self.path):
            self._load()
            for part in self._parts:
                found += self._rows(part.number, reference.encode(), (before or "~").encode(), limit)
        found.sort(key=lambda result: (result.job, result.at_ms), reverse=True)
        return found[:limit]

    def jobs_of(self, references: Iterable[str], *, since_ms: int) -> list[tuple[str, str]]:
        """The jobs that have had a result for one of these references since then: job and reference, each pair once.

        Args:
            references: upper case.
            since_ms: results that are older do not count.
        """
        since = index_rows.number_of(f"{max(0, since_ms)}-0")
        found: set[tuple[bytes, bytes]] = set()
        with told(self.path):
            self._load()
            self._db.execute("PRAGMA temp_store = MEMORY")
            self._db.execute("CREATE TEMP TABLE IF NOT EXISTS sought (reference BLOB PRIMARY KEY) WITHOUT ROWID")
            self._db.execute("DELETE FROM sought")
            named = ((reference.encode(),) for reference in references)
            self._db.executemany("INSERT OR IGNORE INTO sought VALUES (?)", named)  # of this connection, in memory
            for part in self._parts:
                found.update(
                    self._db.execute(
                        f"SELECT job, sought.reference FROM sought JOIN part_{part.number} AS part "
                        "ON part.reference = sought.reference WHERE entry >= ?",
                        (since,),
                    )
                )
            self._db.execute("DELETE FROM sought")
        return [(bytes(job).decode(), bytes(reference).decode()) for job, reference in found]

    def size(self) -> tuple[int, int]:
        """How many rows there are, and how many bytes the file has."""
        return sum(part.rows for part in self._parts), self.path.stat().st_size

    def _open(self, ledger: str) -> None:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE))
        self._db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.executescript(_SETUP)
            form = self._value("PRAGMA user_version")
            if form == 0 and not self._value("SELECT count(*) FROM sqlite_schema"):
                self._make(ledger)
            elif form != FORM or self._value("SELECT ledger FROM place") != ledger:
                raise _OtherError  # noqa: TRY301 - it goes the way of SQLite's own errors
            self._version = -1
            self._load()
        except BaseException:
            self._db.close()
            raise

    def _make(self, ledger: str) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            self._db.execute(statement)
        self._db.execute("INSERT INTO place VALUES (?, '0-0', 0, x'', NULL, NULL)", (ledger,))
        self._db.execute("COMMIT")

    def remove(self) -> None:
        """Deletes the file; what was open of it stays readable."""
        for end in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _load(self) -> None:
        """Reads what is remembered here, where the file has changed since."""
        version = self._value("PRAGMA data_version")
        if version == self._version:
            return
        cursor, read, mark, *gap = self._db.execute("SELECT cursor, read, mark, gap_from, gap_to FROM place").fetchone()
        self.place = Place(cursor, read, bytes(mark), None if gap[1] is None else Gap(*gap))
        self._parts = [_Part(*row) for row in self._db.execute("SELECT * FROM parts ORDER BY part")]
        self._words = Words(bytes(row[0]) for row in self._db.execute("SELECT word FROM words ORDER BY number"))
        self._version = version

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._load()
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._version = -1
            raise

    def _youngest(self) -> _Part:
        if not self._parts or self._parts[-1].indexed or self._parts[-1].rows >= FULL:
            part = _Part(self._parts[-1].number + 1 if self._parts else 1, 0, 0, indexed=False)
            self._db.execute(
                f"CREATE TABLE part_{part.number} (entry INTEGER PRIMARY KEY, reference BLOB, job BLOB, outcome, "
                "status, attempts, message, state)"
            )
            self._db.execute("INSERT INTO parts VALUES (?, 0, 0, 0)", (part.number,))
            self._parts.append(part)
        return self._parts[-1]

    def _keep_part(self, part: _Part) -> None:
        self._db.execute(
            "UPDATE parts SET rows = ?, last = ?, indexed = ? WHERE part = ?",
            (part.rows, part.last, part.indexed, part.number),
        )

    def _keep_place(self, place: Place) -> None:
        gap = (place.gap.from_ms, place.gap.to_ms) if place.gap else (None, None)
        values = (place.cursor, place.read, place.mark, *gap)
        self._db.execute("UPDATE place SET cursor = ?, read = ?, mark = ?, gap_from = ?, gap_to = ?", values)
        self.place = place

    def _drop(self, part: _Part) -> None:
        self._db.execute(f"DROP TABLE part_{part.number}")
        self._db.execute("DELETE FROM parts WHERE part = ?", (part.number,))

    def _rows(self, part: int, reference: bytes, before: bytes, limit: int) -> Iterator[Result]:
        found = self._db.execute(
            f"SELECT * FROM part_{part} WHERE reference = ? AND job < ? ORDER BY job DESC LIMIT ?",
            (reference, before, limit),
        )
        for row in found:
            yield index_rows.result(row, self._words)

    def _value(self, query: str) -> Any:
        with closing(self._db.execute(query)) as found:
            return found.fetchone()[0]


class _OtherError(Exception):
    """The file is of another ledger, or of another form."""
