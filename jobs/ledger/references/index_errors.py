"""Tells what SQLite and the system say of the reference index: damage, or a disk that does not do its part."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cancellist.jobs.errors import ReferenceIndexError

_NOT_OURS: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""What SQLite says of a file that is damaged, or that something else has written."""


class DamagedIndexError(ReferenceIndexError):
    """The file is damaged: it is to be made anew."""


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is damaged, or something else has written it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_OURS


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Translates what SQLite and the system say of the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        said = getattr(error, "strerror", None) or error
        kind = (
            DamagedIndexError if isinstance(error, sqlite3.DatabaseError) and is_damage(error) else ReferenceIndexError
        )
        raise kind(
            f"the index of references {path} cannot be used: {said}",
            hint="see that its disk has room and may be written, or delete the file: it is made anew from the results",
        ) from error
