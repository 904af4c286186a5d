"""The references that a request of the facade asks for, in order, and what became of each.

They lie in a private temporary database of SQLite, which stays in a cache of bounded size as long as it is small, and
is gone when it is closed. So a list of any length takes little memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self

from cancellist.api.facade.platform_words import Became
from cancellist.jobs.errors import CancellistError
from cancellist.jobs.model import Outcome, Result

BATCH: Final = 1000
_SETUP: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8192;
CREATE TABLE asked (
    place INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, written TEXT, outcome TEXT, message TEXT
);
"""
_ADD: Final = "INSERT INTO asked (reference, written, outcome) VALUES (?, ?, ?)"
_SETTLE: Final = "UPDATE asked SET outcome = ?, message = ? WHERE reference = ?"
_PAGE: Final = "SELECT place, coalesce(written, reference), outcome, message FROM asked WHERE place > ? LIMIT ?"


class RepeatedError(Exception):
    """A reference is in the list twice."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class AskedList:
    """What is asked for; to be closed."""

    def __init__(self) -> None:
        self.total = 0
        try:
            self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._disk.executescript(_SETUP)
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets all of it."""
        self._disk.close()

    def add(self, entries: Sequence[tuple[str, str, bool]]) -> None:
        """Adds entries: the reference, how it was written, and whether it is one.

        Raises:
            RepeatedError: one was there before.
            CancellistError: there is no room for them.
        """
        rows = [
            (reference, None if written == reference else written, None if valid else Outcome.INVALID.value)
            for reference, written, valid in entries
        ]
        try:
            self._disk.execute("BEGIN")
            for row, (_, written, _) in zip(rows, entries, strict=True):
                self._insert(row, written)
            self._disk.execute("COMMIT")
        except sqlite3.Error as error:
            raise _no_room(error) from error
        self.total += len(rows)

    def _insert(self, row: tuple[str, str | None, str | None], written: str) -> None:
        try:
            self._disk.execute(_ADD, row)
        except sqlite3.IntegrityError:
            raise RepeatedError(written) from None

    def note(self, results: Iterable[Result]) -> None:
        """Notes results.

        Raises:
            CancellistError: there is no room for them.
        """
        rows = [(one.outcome.value, one.message, one.reference) for one in results if one.outcome != Outcome.INVALID]
        try:
            self._disk.execute("BEGIN")
            self._disk.executemany(_SETTLE, rows)
            self._disk.execute("COMMIT")
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def counts(self) -> dict[Outcome | None, int]:
        """How many have each outcome; those of None have no result."""
        rows = self._disk.execute("SELECT outcome, count(*) FROM asked GROUP BY outcome")
        return {Outcome(outcome) if outcome else None: count for outcome, count in rows}

    def pages(self) -> Iterator[list[Became]]:
        """All of them in their order, some at a time."""
        at = 0
        while rows := self._disk.execute(_PAGE, (at, BATCH)).fetchall():
            yield [
                Became(written, Outcome(outcome) if outcome else None, message) for _, written, outcome, message in rows
            ]
            at = rows[-1][0]


def _no_room(error: Exception) -> CancellistError:
    return CancellistError(
        f"the references that are asked for do not fit on disk ({error}): set TMPDIR to a folder with more room"
    )
