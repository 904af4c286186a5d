"""Removes the duplicates of one job exactly: in memory while the job is small, on disk beyond.

This is the only part of submitting that remembers every reference of a job. The rest works on batches.
"""

import json
import sqlite3
import tempfile
from itertools import islice
from types import TracebackType
from typing import Final, Self

from cancellist.jobs.errors import CancellistError

IN_MEMORY: Final = 2_000_000
"""Distinct references that are kept in memory; further ones go to disk."""

CACHE_KIB: Final = 64 * 1024
"""Memory of the database that further ones go to."""
_SETUP: Final = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -{cache_kib};
CREATE TABLE seen (reference TEXT PRIMARY KEY, batch INTEGER) WITHOUT ROWID;
BEGIN;
"""
"""All is one transaction, never ended: so a page is written only where the cache has no room for it."""
_ADD: Final = "INSERT OR IGNORE INTO seen SELECT value, ? FROM json_each(?)"
_EARLIER: Final = "SELECT reference FROM seen WHERE reference IN (SELECT value FROM json_each(?)) AND batch < ?"
"""Asked only where fewer were added than there are: to have each that was added told costs more than to add it."""


class Deduplicator:
    """Returns each reference of a job once, in the order of first appearance, for any number of references.

    The first `in_memory` distinct references stay in memory. Further ones go to a private temporary SQLite database in
    `TMPDIR`, else /tmp. Its name is deleted as soon as it is open, so it is gone when this object is closed, or when
    the process dies.

    Memory, measured with references of 14 characters: 95 bytes each, so 182 MiB for the default of two million, and at
    most `cache_kib` for the database's cache. On disk a reference takes 25 bytes.

    Only one thread at a time may use it.

    Attributes:
        duplicates: entries dropped so far.
    """

    def __init__(self, in_memory: int = IN_MEMORY, cache_kib: int = CACHE_KIB) -> None:
        self.duplicates = 0
        self._cache_kib = cache_kib
        self._in_memory = in_memory
        self._seen: dict[str, None] = {}
        self._disk: sqlite3.Connection | None = None
        self._batch = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def spilled(self) -> bool:
        """Whether references are kept on disk."""
        return self._disk is not None

    def unique(self, batch: list[str]) -> list[str]:
        """Returns the references of `batch` that are new, in order; may return `batch` itself.

        Raises:
            CancellistError: the disk has no room.
        """
        if self._disk is None and len(self._seen) + len(batch) <= self._in_memory:
            fresh = self._unique_in_memory(batch)
        else:
            fresh = self._unique_on_disk(batch)
        self.duplicates += len(batch) - len(fresh)
        return fresh

    def close(self) -> None:
        """Forgets all references and frees the disk."""
        self._seen = {}
        if self._disk is not None:
            self._disk.close()
            self._disk = None

    def _unique_in_memory(self, batch: list[str]) -> list[str]:
        # A dict keeps the order of insertion, and an update does not move a key, so new keys are the last ones.
        # One pass both looks up and adds; a look-up first would cost a second one.
        before = len(self._seen)
        self._seen.update(dict.fromkeys(batch))
        new = len(self._seen) - before
        if new == len(batch):
            return batch
        fresh = list(islice(reversed(self._seen), new))
        fresh.reverse()
        return fresh

    def _unique_on_disk(self, batch: list[str]) -> list[str]:
        unseen = [reference for reference in dict.fromkeys(batch) if reference not in self._seen]
        if not unseen:
            return []
        try:
            if self._disk is None:
                self._disk = _open(self._cache_kib)
            self._batch += 1
            named = json.dumps(sorted(unseen))  # neighbours in the table one after the other
            if self._disk.execute(_ADD, (self._batch, named)).rowcount == len(unseen):
                return unseen
            earlier = {row[0] for row in self._disk.execute(_EARLIER, (named, self._batch))}
        except (sqlite3.Error, OSError) as error:
            raise CancellistError(
                f"the references already seen do not fit on disk ({error}): set TMPDIR to a folder with more room"
            ) from error
        return [reference for reference in unseen if reference not in earlier]


def _open(cache_kib: int) -> sqlite3.Connection:
    with tempfile.NamedTemporaryFile(prefix="cancellist-", suffix=".sqlite") as file:
        disk = sqlite3.connect(file.name, isolation_level=None, check_same_thread=False)
        try:
            disk.executescript(_SETUP.format(cache_kib=cache_kib))
        except sqlite3.Error:
            disk.close()
            raise
    # The name is gone here; the file stays until the connection closes.
    return disk
