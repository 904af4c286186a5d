"""Writes each result into an SQLite database exactly once, whatever is killed when.

A result and its place in the stream are written in one transaction, and the result is acknowledged after it. Where the
program ends in between, the result comes again, its place is there already, and nothing is written.

    python sqlite_sink.py redis://127.0.0.1:6379/0 results.sqlite billing [CONSUMER]

Several may write into one database at once, each with a CONSUMER of its own.
"""

import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from cancellist_client import Client, Result

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS results (
        entry TEXT PRIMARY KEY, job TEXT NOT NULL, reference TEXT NOT NULL, outcome TEXT NOT NULL, message TEXT,
        status INTEGER, state TEXT, attempts INTEGER NOT NULL, at TEXT NOT NULL
    ) STRICT
"""
_INSERT = "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


def write(database: sqlite3.Connection, results: Iterable[Result]) -> None:
    """Writes results in one transaction; those that are there already stay as they are."""
    with database:
        database.executemany(_INSERT, map(_row, results))


def sink(
    url: str,
    path: str | Path,
    group: str,
    consumer: str = "sqlite",
    *,
    wait: float | None = None,
    take_over_after: float = 60,
) -> None:
    """Writes what a consumer group gets, until nothing has come for so many seconds; None goes on for ever."""
    with closing(sqlite3.connect(path)) as database, Client(url) as client:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(_SCHEMA)
        reading = client.consume(group, consumer=consumer, batch=500, wait=wait, take_over_after=take_over_after)
        for batch in reading.batches():
            write(database, batch)


def _row(result: Result) -> tuple[str | int | None, ...]:
    return (
        result.entry,
        result.job,
        result.reference,
        result.outcome.value,
        result.message,
        result.status,
        result.state,
        result.attempts,
        result.at.isoformat(),
    )


if __name__ == "__main__":
    if len(sys.argv) not in {4, 5}:
        sys.exit(__doc__)
    sink(*sys.argv[1:])
