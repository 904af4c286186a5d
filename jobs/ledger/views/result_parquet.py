"""Results as Parquet: pages in, bytes out, one row group in memory at a time. pyarrow is an extra.

Texts are as the platform sent them: nothing is escaped.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Final

from cancellist.jobs.errors import ParquetMissingError
from cancellist.jobs.model import Result

MEDIA_TYPE: Final = "application/vnd.apache.parquet"
ROWS: Final = 20_000
"""Rows of a row group."""


def is_there() -> bool:
    """Whether Parquet can be written here."""
    return find_spec("pyarrow") is not None


class ParquetPages:
    """Writes results as one Parquet file. It can be read once `end` was written, and not before.

    Times are UTC timestamps of milliseconds; an outcome, a state and a job are dictionary-encoded.

    Raises:
        ParquetMissingError: pyarrow is not installed; the text says how to install it.
    """

    def __init__(self) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import
            import pyarrow.parquet as pq  # noqa: PLC0415 - as above
        except ImportError as error:
            raise ParquetMissingError(
                "Parquet needs pyarrow, which is not installed", hint="pip install 'cancellist[parquet]'"
            ) from error
        text = pa.string()
        word = pa.dictionary(pa.int32(), text)
        self._pa = pa
        self._schema = pa.schema(
            [
                pa.field("job", word, nullable=False),
                pa.field("reference", text, nullable=False),
                pa.field("outcome", word, nullable=False),
                pa.field("message", text),
                pa.field("status", pa.int16()),
                pa.field("state", word),
                pa.field("attempts", pa.int32(), nullable=False),
                pa.field("at", pa.timestamp("ms", tz="UTC"), nullable=False),
            ]
        )
        self._file = _Taken()
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        self._waiting: list[Result] = []

    def __call__(self, page: Sequence[Result]) -> bytes:
        """Takes a page; returns the bytes that are ready by now, often none."""
        self._waiting += page
        while len(self._waiting) >= ROWS:
            group, self._waiting = self._waiting[:ROWS], self._waiting[ROWS:]
            self._write(group)
        return self._file.take()

    def end(self) -> bytes:
        """The rest of the file."""
        if self._waiting:
            self._write(self._waiting)
            self._waiting = []
        self._writer.close()
        return self._file.take()

    def _write(self, group: Sequence[Result]) -> None:
        columns: list[Sequence[Any]] = [
            [one.job for one in group],
            [one.reference for one in group],
            [one.outcome.value for one in group],
            [one.message for one in group],
            [one.status for one in group],
            [one.state for one in group],
            [one.attempts for one in group],
            [one.at_ms for one in group],
        ]
        arrays = [self._pa.array(values, type=field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=ROWS)


class _Taken:
    """A file in memory whose bytes are taken as they come."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken

    def flush(self) -> None:
        """All is written at once."""

    def close(self) -> None:
        """Nothing is held."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
