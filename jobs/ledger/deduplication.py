"""Exact removal of duplicates within one job: in memory while it is small, on disk beyond.

The one part of submitting that must remember every reference of a job. The rest goes by batches.
"""

import json
import sqlite3
import tempfile
from itertools import islice
from types import TracebackType
from typing import Final, Self

from cancellist.jobs.errors import CancellistError

IN_MEMORY: Final = 2_000_000
"""Distinct references kept in memory; beyond, further ones go to disk."""

CACHE_KIB: Final = 64 * 1024
"""Memory of the database that further ones go to."""
_SETUP: Final = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -{cache_kib};
CREATE TABLE seen (reference TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ADD: Final = "INSERT OR IGNORE INTO seen SELECT value FROM json_each(?) ORDER BY value RETURNING reference"


class Deduplicator:
    """Gives each reference of a job once, in the order of their first appearance, however many there are.

    The first `in_memory` distinct references stay in memory. Those beyond go to a private temporary database of
    SQLite, whose name is deleted as soon as it is open: it is gone when this is closed, or the process dies. It lies in
    `TMPDIR`, else /tmp.

    Memory, measured with references of 14 characters: 95 bytes for each one kept, 182 MiB for the default of two
    million; and at most `cache_kib` more, the database's cache, however many lie on disk (22 bytes each there).

    To be used by one thread at a time.

    Attributes:
        duplicates: entries dropped so far, because they were given before.
    """

    def __init__(self, in_memory: int = IN_MEMORY, cache_kib: int = CACHE_KIB) -> None:
        self.duplicates = 0
        self._cache_kib = cache_kib
        self._in_memory = in_memory
        self._seen: dict[str, None] = {}
        self._disk: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def spilled(self) -> bool:
        """Whether memory was not enough."""
        return self._disk is not None

    def unique(self, batch: list[str]) -> list[str]:
        """Give those of `batch` that were not given before, in order; may be `batch` itself.

        Raises:
            CancellistError: there is no room on disk.
        """
        if self._disk is None and len(self._seen) + len(batch) <= self._in_memory:
            fresh = self._unique_in_memory(batch)
        else:
            fresh = self._unique_on_disk(batch)
        self.duplicates += len(batch) - len(fresh)
        return fresh

    def close(self) -> None:
        """Forget everything and free the disk."""
        self._seen = {}
        if self._disk is not None:
            self._disk.close()
            self._disk = None

    def _unique_in_memory(self, batch: list[str]) -> list[str]:
        # A dict keeps the order of insertion and updating a key does not move it: the keys that are new are its last.
        # So one pass both looks up and adds, where asking first costs two.
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
            added = {row[0] for row in self._disk.execute(_ADD, (json.dumps(unseen),))}
        except (sqlite3.Error, OSError) as error:
            raise CancellistError(
                f"the references already seen do not fit on disk ({error}): set TMPDIR to a folder with more room"
            ) from error
        return unseen if len(added) == len(unseen) else [reference for reference in unseen if reference in added]


def _open(cache_kib: int) -> sqlite3.Connection:
    with tempfile.NamedTemporaryFile(prefix="cancellist-", suffix=".sqlite") as file:
        disk = sqlite3.connect(file.name, isolation_level=None, check_same_thread=False)
        try:
            disk.executescript(_SETUP.format(cache_kib=cache_kib))
        except sqlite3.Error:
            disk.close()
            raise
    # The name is gone by here, the file stays until the connection closes.
    return disk
