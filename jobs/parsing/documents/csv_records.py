"""Reads CSV record by record. Quoted cells may hold delimiters, quotes and newlines."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.documents.cells import bare, without_blanks, wrapped
from cancellist.jobs.parsing.documents.columns import folded, looks_like_reference
from cancellist.jobs.parsing.documents.headings import Headings, check_alone, filled, keeps, places, questioned, remark
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY, LineBuffer
from cancellist.jobs.parsing.documents.spans import Spans
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, InvalidEntry, RawBatch, normalise

# It is put after the last whole line. At the end of a record it becomes a record of its own; inside of a quoted cell it
# closes that cell. So its place shows whether the last record is whole. NUL occurs nowhere else: decoding refuses it.
_SENTINEL: Final = '\0"'
_USUAL_NAMES: Final = ("reference", "consignment reference", "consignment_reference", "consignment", "ref")

csv.field_size_limit(4 * MAX_ENTRY)  # our own limit is `MAX_ENTRY`, and its error names the line


@dataclass(frozen=True, slots=True)
class Table:
    """The shape of a table's records.

    Attributes:
        delimiter: the separator of cells.
        position: the place of the reference in a record, from 0.
        width: the number of cells of a record. In a longer record the columns are not known.
        header: the names of the columns; empty without a header.
    """

    delimiter: str
    position: int
    width: int
    header: tuple[str, ...] = ()


class CsvParser:
    """Reads one column of a CSV table."""

    column = None

    def __init__(self, table: Table, pattern: ReferencePattern, line: int = 1) -> None:
        self._table = table
        self._pattern = pattern
        self._buffer = LineBuffer(line)
        self._cut_off = False
        self._rows = Headings(table.position, table.width, pattern)
        self._looked = False
        self._spans = Spans(table.delimiter, table.position, table.width, pattern)
        self._again = 0
        self._names = frozenset(folded(name) for name in table.header)
        self._headings = _spellings(table.header) if table.header else frozenset[str]()

    @property
    def swallowed(self) -> int:
        """References in rows inside of a quoted cell. They are not taken."""
        return self._spans.swallowed

    @property
    def span(self) -> tuple[int, str] | None:
        """The line of the first such cell, and a message about it."""
        return self._spans.first

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        lines = "1 line" if self._again == 1 else f"{self._again:,} lines"
        again = (f"the header is repeated on {lines} further down, and skipped there",) if self._again else ()
        return (*self._spans.notes, *again)

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Takes the next piece of text; returns the entries that are whole.

        Raises:
            InputError: a quoted cell is malformed or never closed, or it is not clear which cell is the reference.
        """
        taken = self._buffer.take(text, final=final)
        if not taken:
            return []
        if '"' in taken:
            rows, lines = self._quoted(taken, final=final)
            if rows and not self._rows.watching and set(map(len, rows)) == {self._table.width}:
                values = [row[self._table.position] for row in rows]
                return [self._clean(lines, values, rows) or self._each(lines, rows)]
            return [self._each(lines, rows)]
        whole = taken[:-1].split("\n")
        lines = self._buffer.advance(len(whole))
        delimiter, position = self._table.delimiter, self._table.position
        if not self._rows.watching and set(map(str.count, whole, repeat(delimiter))) == {self._table.width - 1}:
            upto = position + 1
            values = [one.split(delimiter, upto)[position] for one in whole] if self._table.width > 1 else whole
            if clean := self._clean(lines, values, whole):
                return [clean]
        return [self._each(lines, [one.split(delimiter) for one in whole])]

    def _clean(
        self, lines: Sequence[int], values: list[str], rows: Sequence[str] | Sequence[Sequence[str]]
    ) -> RawBatch | None:
        """Takes the cells of records of the right width, all at once; None where one is blank or may be a header."""
        if wrapped("".join(values)):
            values = list(map(bare, values))
        lines, values, blank = without_blanks(lines, values)
        if blank or not self._headings.isdisjoint(values):
            return None
        self._cut_off = False
        self._rows.seen = True
        self._looked = False
        return RawBatch(lines, values, rows=rows)

    def examine(self, raw: RawBatch, invalid: Sequence[InvalidEntry]) -> list[tuple[int, str]]:
        """Checks the malformed entries of a batch and the rows around them; returns those that are alone in a row.

        Raises:
            InputError: one is a heading or a remark, or holds a reference among other words.
        """
        alone = []
        for line, at in questioned(raw, invalid):
            row = self._parted(raw.rows[at])
            if filled(row) <= 1:
                alone.append((line, row[self._table.position]))
                check_alone(*alone[-1], self._pattern)
            elif not self._looked:
                self._look_near(raw, at)
        return alone

    def _look_near(self, raw: RawBatch, at: int) -> None:
        for near in range(max(0, at - 2), len(raw.rows)):
            self._rows.look(raw.lines[near], self._parted(raw.rows[near]))
            if near > at and not self._rows.watching:
                break

    def places(self, row: str | Sequence[str]) -> Iterator[str]:
        """The names of the columns in which a row holds a reference."""
        header = self._table.header
        for at in places(self._parted(row), self._pattern):
            yield (header[at] if at < len(header) else "") or f"column {at + 1}"

    def _parted(self, row: str | Sequence[str]) -> Sequence[str]:
        return row.split(self._table.delimiter) if isinstance(row, str) else row

    def _quoted(self, taken: str, *, final: bool) -> tuple[list[list[str]], Sequence[int]]:
        """The whole records and the lines on which they begin; an unfinished last record is held back."""
        first = self._buffer.line
        rows, held, fault = records(taken, self._table.delimiter, strict=True)
        if fault:
            raise InputError(f"line {first + held}: the CSV is malformed: {fault}")
        count = taken.count("\n")
        if held:
            count -= held
            if final:
                raise InputError(f"line {first + count}: a quote is opened here and never closed")
            parts = taken.rsplit("\n", held + 1)
            rest = taken[len(parts[0]) + 1 :] if len(parts) == held + 2 else taken
            if len(rest) > MAX_ENTRY:
                raise InputError(
                    f"line {first + count}: a quote is opened here and not closed within {MAX_ENTRY:,} characters"
                )
            self._buffer.put_back(rest)
        lines: Sequence[int] = self._buffer.advance(count)
        if len(rows) != count:
            lines = _beginnings(rows, first)
            for line, row in zip(lines, rows, strict=True):
                self._spans.look(line, row)
        return rows, lines

    def _each(self, lines: Sequence[int], rows: list[list[str]]) -> RawBatch:
        """Takes the cells one by one, of records that may be blank, too long or too short."""
        table = self._table
        self._looked = True
        kept: list[int] = []
        whole: list[list[str]] = []
        without: list[list[str]] = []
        values: list[str] = []
        invalid: list[InvalidEntry] = []
        for line, row in zip(lines, rows, strict=True):
            if not any(cell.strip(NOISE) for cell in row):
                self._rows.part()
                continue
            if not self._headings.isdisjoint(map(bare, row)) and self._is_header(line, row):
                self._rows.forget()
                continue
            self._rows.look(line, row)
            if beyond(row, table.width) or len(row) <= table.position:
                invalid.append(self._misshapen(line, row))
            else:
                if len(row) != table.width:
                    self._check_shape(line, row)
                if value := bare(row[table.position]):
                    kept.append(line)
                    values.append(value)
                    whole.append(row)
                else:
                    if filled(row) == 1 and (words := next(filter(keeps, row), None)):
                        raise remark(line, words)
                    without.append(row)
            self._cut_off = len(row) <= table.position
        return RawBatch(kept, values, tuple(invalid), len(without), whole, without)

    def _is_header(self, line: int, row: list[str]) -> bool:
        """Whether a record repeats the header.

        Raises:
            InputError: it is a different header, so the records below it have other columns.
        """
        place = self._table.position
        if len(row) > place and self._pattern.matches(normalise(bare(row[place]))):
            return False
        cells = [folded(cell) for cell in row if cell.strip(NOISE)]
        known = sum(cell in self._names or looks_like_reference(cell) for cell in cells)
        if 2 * known < len(cells) or known < min(2, self._table.width):
            return False
        if [folded(cell) for cell in row] != [folded(name) for name in self._table.header]:
            raise InputError(f"line {line}: another header begins here; hand in each table as a file of its own")
        self._again += 1
        return True

    def _misshapen(self, line: int, row: list[str]) -> InvalidEntry:
        table = self._table
        long = len(row) > table.width
        number = last_filled(row) if long else len(row)
        cells = "1 cell" if number == 1 else f"{number} cells"
        wanted = f"the header has {len(table.header)}" if table.header else f"other rows have {table.width}"
        return InvalidEntry(line, shown(table.delimiter.join(row).strip(NOISE)), f"{cells}, {wanted}")

    def _check_shape(self, line: int, row: list[str]) -> None:
        """Refuses a record whose cells may have moved, since another column's reference could be taken.

        An extra blank cell may come from a delimiter inside of another cell. A short record after another short one may
        be the rest of it.
        """
        cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        if len(row) > self._table.width:
            raise InputError(
                f"line {line}: it has {cells}, the last of them blank, and others have {self._table.width}: quote "
                "cells that hold the delimiter, or remove the extra delimiters at the line's end"
            )
        if self._cut_off:
            raise InputError(
                f"line {line}: it has {cells} and others have {self._table.width}, and the line above is short, too: "
                "if a line's end in a cell divided one row, quote that cell"
            )


def _spellings(names: Sequence[str]) -> frozenset[str]:
    """The spellings of a header that is repeated: as it is, and in the usual cases."""
    spelt = {bare(name) for name in names} | set(_USUAL_NAMES)
    return frozenset(one for name in spelt if name for one in (name, name.lower(), name.upper(), name.title()))


def records(text: str, delimiter: str, *, strict: bool) -> tuple[list[list[str]], int, str]:
    r"""Splits whole lines into records.

    Returns:
        The whole records; the number of `\n` in an unfinished last record; and the fault of malformed CSV, in which
        case the second value is its line, from 0.
    """
    reader = csv.reader(
        io.StringIO(text + _SENTINEL, newline="\n"), delimiter=delimiter, skipinitialspace=True, strict=strict
    )
    try:
        rows = list(reader)
    except csv.Error as error:
        return [], reader.line_num - 1, str(error)
    last = rows.pop()
    return rows, 0 if last == [_SENTINEL] else sum(cell.count("\n") for cell in last), ""


def last_filled(row: Sequence[str]) -> int:
    """The number of a record's last cell that is not blank, from 1; 0 where all are."""
    return next((number for number in range(len(row), 0, -1) if row[number - 1].strip(NOISE)), 0)


def beyond(row: Sequence[str], width: int) -> bool:
    """Whether a record has a cell that is not blank beyond the header's last column."""
    return len(row) > width and last_filled(row) > width


def _beginnings(rows: list[list[str]], line: int) -> list[int]:
    beginnings = []
    for row in rows:
        beginnings.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    return beginnings
