"""Writes each result into a PostgreSQL database exactly once, whatever is killed when. It needs psycopg.

A result and its place in the stream are written in one transaction, and the result is acknowledged after it. Where the
program ends in between, the result comes again, its place is there already, and nothing is written.

    pip install 'cancellist-client[redis]' 'psycopg[binary]'
    python postgresql_sink.py redis://127.0.0.1:6379/0 postgresql:///shop billing [CONSUMER]

Several may write into one database at once, each with a CONSUMER of its own.
"""

import sys
from collections.abc import Iterable

import psycopg

from cancellist_client import Client, Result

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS results (
        entry text PRIMARY KEY, job text NOT NULL, reference text NOT NULL, outcome text NOT NULL, message text,
        status integer, state text, attempts integer NOT NULL, at timestamptz NOT NULL
    )
"""
_BATCH = "CREATE TEMPORARY TABLE batch (LIKE results) ON COMMIT DELETE ROWS"
_COPY = "COPY batch FROM STDIN"
_INSERT = "INSERT INTO results SELECT * FROM batch ORDER BY entry ON CONFLICT DO NOTHING"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('cancellist results'))"


def write(database: psycopg.Connection, results: Iterable[Result]) -> None:
    """Writes results in one transaction; those that are there already stay as they are."""
    with database.transaction(), database.cursor() as cursor:
        with cursor.copy(_COPY) as copy:
            for result in results:
                copy.write_row(_row(result))
        cursor.execute(_INSERT)


def sink(
    url: str,
    address: str,
    group: str,
    consumer: str = "postgresql",
    *,
    wait: float | None = None,
    take_over_after: float = 60,
) -> None:
    """Writes what a consumer group gets, until nothing has come for so many seconds; None goes on for ever."""
    with psycopg.connect(address, autocommit=True) as database, Client(url) as client:
        with database.transaction():  # two that begin at once would make the table twice
            database.execute(_ONE_AT_A_TIME)
            database.execute(_SCHEMA)
        database.execute(_BATCH)
        reading = client.consume(group, consumer=consumer, batch=500, wait=wait, take_over_after=take_over_after)
        for batch in reading.batches():
            write(database, batch)


def _row(result: Result) -> tuple[object, ...]:
    return (
        result.entry,
        result.job,
        result.reference,
        result.outcome.value,
        result.message and result.message.replace("\0", "\N{REPLACEMENT CHARACTER}"),  # a text here cannot hold it
        result.status,
        result.state,
        result.attempts,
        result.at,
    )


if __name__ == "__main__":
    if len(sys.argv) not in {4, 5}:
        sys.exit(__doc__)
    sink(*sys.argv[1:])
