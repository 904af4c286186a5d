"""CSV, a record at a time, with quoted cells that may hold delimiters, quotes and newlines."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from jobs.documents.lines import LineBuffer, none_blank
from jobs.errors import InputError
from jobs.references import NOISE, RawBatch

# Read after the last whole line. Where that ends a record, it is a record of its own; inside of a quoted cell it
# closes that cell. So its place tells whether the last record is whole. NUL occurs nowhere else: decoding refuses it.
_SENTINEL: Final = '\0"'


class CsvParser:
    """Reads the cells of one column.

    A row without that cell is an empty entry, unless the row is blank as a whole.
    """

    def __init__(self, delimiter: str, position: int, skip: int) -> None:
        self._delimiter = delimiter
        self._position = position
        self._skip = skip
        self._buffer = LineBuffer()

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Take the next piece of text and give the entries that are whole.

        Raises:
            InputError: a quoted cell is malformed or never closed.
        """
        taken = self._buffer.take(text, final=final)
        if not taken:
            return []
        if '"' in taken:
            rows, lines = self._quoted(taken, final=final)
            return [self._column(rows, lines)]
        records = taken[:-1].split("\n")
        lines = self._buffer.advance(len(records))
        if not self._skip and (values := self._cells(records)) and none_blank(values, taken):
            return [RawBatch(lines, values)]
        return [self._column([record.split(self._delimiter) for record in records], lines)]

    def _cells(self, records: list[str]) -> list[str]:
        """Give the column of records without quotes; nothing where one has no such cell."""
        upto, position = self._position + 1, self._position
        try:
            return [record.split(self._delimiter, upto)[position] for record in records]
        except IndexError:
            return []

    def _quoted(self, taken: str, *, final: bool) -> tuple[list[list[str]], Sequence[int]]:
        """Give the whole records and the lines on which they begin; hold back the last one if it is not whole."""
        first = self._buffer.line
        reader = csv.reader(
            io.StringIO(taken + _SENTINEL, newline="\n"), delimiter=self._delimiter, skipinitialspace=True, strict=True
        )
        try:
            rows = list(reader)
        except csv.Error as error:
            raise InputError(f"line {first + reader.line_num - 1}: the CSV is malformed: {error}") from error
        last = rows.pop()
        count = taken.count("\n")
        if last != [_SENTINEL]:
            held = sum(cell.count("\n") for cell in last)
            count -= held
            if final:
                raise InputError(f"line {first + count}: a quote is opened here and never closed")
            parts = taken.rsplit("\n", held + 1)
            self._buffer.put_back(taken[len(parts[0]) + 1 :] if len(parts) == held + 2 else taken)
        lines = self._buffer.advance(count)
        return rows, lines if len(rows) == count else _beginnings(rows, first)

    def _column(self, rows: Iterable[Sequence[str]], lines: Sequence[int]) -> RawBatch:
        kept: list[int] = []
        values: list[str] = []
        for line, row in zip(lines, rows, strict=True):
            if not any(cell.strip(NOISE) for cell in row):
                continue
            if self._skip:
                self._skip -= 1
                continue
            kept.append(line)
            values.append(row[self._position] if len(row) > self._position else "")
        return RawBatch(kept, values)


def _beginnings(rows: Iterable[Sequence[str]], line: int) -> list[int]:
    beginnings = []
    for row in rows:
        beginnings.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    return beginnings
