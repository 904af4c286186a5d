"""Detects a table's header, the lines above it, and the column with the references."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.option_names import COLUMN, SKIP_LINES
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.columns import alike, choose, listing, locate, looks_like_reference, quoted
from cancellist.jobs.parsing.documents.csv_records import Table, beyond, last_filled
from cancellist.jobs.parsing.documents.headings import is_decoration, is_words, keeps
from cancellist.jobs.parsing.documents.hints import BEYOND, Hints
from cancellist.jobs.parsing.documents.table_rows import (
    Row,
    agreement,
    holds,
    is_comment,
    is_filled,
    is_table,
    rows_of,
    usual_width,
)
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, normalise

_DELIMITERS: Final = ",;\t|"
_HEADER_WITHIN: Final = 30
"""The number of first rows that may be the header."""
_LIKELY_SHARE: Final = 0.5
_SURE: Final = 3
"""The number of rows with an extra blank cell that is no longer chance."""
# Excel's own way to name the delimiter; quoted, or with delimiters after it, where a program wrote it as a row.
_SEP: Final = re.compile(r"""["']?sep=(\\t|[^\w"'])["']?(?:\1)*["']?\s*""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A detected table: its shape, the name of its column (None without one), and the lines above its first row."""

    table: Table
    column: str | None
    above: int
    notes: tuple[str, ...]


def explicit(lines: Sequence[str]) -> tuple[str | None, int]:
    """The delimiter that the first line names, as in `sep=;`, and the number of lines that this takes."""
    for number, line in enumerate(lines, 1):
        if line.strip(NOISE):
            found = _SEP.fullmatch(line.lstrip(NOISE))
            return ("\t" if found[1] == "\\t" else found[1], number) if found else (None, 0)
    return None, 0


def delimiter_of(text: str, hints: Hints, pattern: ReferencePattern) -> str | None:
    """The separator of a table's cells; None where the text is no table."""
    tables = {one: rows for one in _DELIMITERS if one in text and (rows := rows_of(text, one))}
    tables = tables or {_DELIMITERS[0]: rows_of(text, _DELIMITERS[0])}
    headed = {
        one: len(rows[at].cells) for one, rows in tables.items() if (at := _named(rows, hints, pattern)) is not None
    }
    if headed:
        return max(headed, key=lambda one: headed[one])
    holding = {one: sum(is_table(row, pattern) for row in rows) for one, rows in tables.items()}
    if any(holding.values()):
        return max(tables, key=lambda one: (holding[one], agreement(tables[one])))
    agreed = [one for one, rows in tables.items() if agreement(rows) >= _LIKELY_SHARE and any(map(is_filled, rows))]
    return max(agreed, key=lambda one: agreement(tables[one]), default=None)


def table_of(rows: Sequence[Row], delimiter: str, hints: Hints, pattern: ReferencePattern) -> FoundTable:
    """Detects how to read a table.

    Args:
        rows: its first rows, at least one.
        delimiter: the separator of cells.
        hints: the user's options.
        pattern: the pattern of references.

    Raises:
        InputError: the column with the references is not clear, or the header does not fit the rows.
    """
    at, first = _header(rows, hints, pattern)
    _check_above(rows[: first if at is None else at], hints)
    header = rows[at].cells if at is not None else None
    data = rows[at + 1 :] if at is not None else rows[first:]
    width = _width(header, data)
    usable = [row for row in data if not beyond(row.cells, width)]
    held = Counter(
        position for row in usable for position, cell in enumerate(row.cells) if pattern.matches(normalise(bare(cell)))
    )
    counts = [held[position] for position in range(width)]
    position = _position(header, counts, len(usable), hints)
    if header:
        _check_below(data, position, header, hints, pattern)
        _check_named(header, counts, position, hints)
    if header and width > len(header) and not (len(data) >= _SURE and dict(held) == {position: len(data)}):
        # The extra cells may be blanks at the end, or cells may have moved. Only if all references are in one column,
        # and nowhere else, the cells have not moved.
        width = len(header)
    table = Table(delimiter, position, width, tuple(header or ()))
    above = rows[at].end if at is not None else rows[first - 1].end if first else data[0].line - 1
    column = bare(header[position]) if header and position < len(header) else None
    return FoundTable(table, column, above, _notes(rows, at, first, position, hints))


def _check_above(rows: Sequence[Row], hints: Hints) -> None:
    """Refuses a table below a line that says that its references are not meant.

    Raises:
        InputError: there is such a line.
    """
    for row in rows:
        if words := next(filter(keeps, row.cells), None):
            raise InputError(
                f"line {row.line + hints.skip_lines}: {quoted(words)} is above the table: skip it with {SKIP_LINES} if "
                "the references below are to be cancelled"
            )


def _check_below(
    data: Sequence[Row], position: int, header: Sequence[str], hints: Hints, pattern: ReferencePattern
) -> None:
    """Refuses a header if a row below it may be the header instead. The first may be a title, and name another column.

    Raises:
        InputError: a row above the first reference may be the header, too.
    """
    for row in data[:_HEADER_WITHIN]:
        if holds(row, pattern):
            return
        cells = [bare(cell) for cell in row.cells]
        if not is_decoration(cells) and _may_name(cells, position, [bare(cell) for cell in header]):
            raise InputError(
                f"line {row.line + hints.skip_lines} may be the header as well as the line with "
                f"{quoted(bare(header[position]))}: remove the lines above the header, or skip them with {SKIP_LINES}"
            )


def _may_name(cells: Sequence[str], position: int, header: Sequence[str]) -> bool:
    """Whether a row below a header may be the header instead.

    Such a row names references; or it has words in the chosen column and either only words, or a cell where the header
    above has none, as below a title that a spreadsheet filled up with empty cells.
    """
    if any(is_words(cell) and looks_like_reference(cell) for cell in cells):
        return True
    if position >= len(cells) or not is_words(cells[position]):
        return False
    unnamed = any(cell and (at >= len(header) or not header[at]) for at, cell in enumerate(cells))
    return unnamed or all(is_words(cell) for cell in cells if cell)


def _check_named(header: Sequence[str], held: Sequence[int], position: int, hints: Hints) -> None:
    """Refuses a header that names the chosen column, but not another column that holds references.

    Raises:
        InputError: the header may be a title.
    """
    for at, number in enumerate(held):
        if number and at != position and (at >= len(header) or not bare(header[at])) and hints.column is None:
            raise InputError(
                f"column {at + 1} has no name and holds references, and so does {quoted(bare(header[position]))}, "
                f"which may be a title: give the right column's name or number to {COLUMN}"
            )


def _notes(rows: Sequence[Row], at: int | None, first: int, position: int, hints: Hints) -> tuple[str, ...]:
    notes = []
    if begin := first if at is None else at:
        upto = rows[begin - 1].end + hints.skip_lines
        what = "first line was" if upto == 1 else f"first {upto} lines were"
        notes.append(f"the {what} skipped: the table begins below")
    if at is None and hints.header:
        notes.append(f"the input has no header; its references were taken from column {position + 1}")
    return tuple(notes)


def _header(rows: Sequence[Row], hints: Hints, pattern: ReferencePattern) -> tuple[int | None, int]:
    """The place of the header among `rows`, None without one, and that of the first row below titles.

    Raises:
        InputError: no header has the user's column, or it is not clear whether there is a header.
    """
    if not hints.header:
        return None, 0
    named = _named(rows, hints, pattern)
    if named is not None:
        return named, 0
    holding = next((at for at, row in enumerate(rows) if holds(row, pattern)), None)
    usual = usual_width(rows[holding or 0 :])
    above = rows[:holding]
    if hints.column is not None and hints.number is None:
        names = next((row.cells for row in above if len(row.cells) == usual), rows[0].cells)
        if holding == 0:
            raise InputError(
                f"there is no column {quoted(hints.column)}: the first line is no header, it holds a reference; "
                "give the column's number"
            )
        raise InputError(f"there is no column {quoted(hints.column)}; {listing(names)}")
    header = next((at for at, row in enumerate(above) if len(row.cells) == usual and not is_comment(row)), None)
    if header is not None or not holding:
        return header, 0
    if odd := next((row for row in above if not is_comment(row) and last_filled(row.cells) > 1), None):
        raise InputError(
            f"line {odd.line + hints.skip_lines} has {last_filled(odd.cells)} cells and the rows have {usual}, so it "
            f"may not be their header: give the column's name or number to {COLUMN}"
        )
    return None, holding


def _named(rows: Sequence[Row], hints: Hints, pattern: ReferencePattern) -> int | None:
    """The place of the first row with the user's column, or with a name for references, above any reference."""
    if not hints.header:
        return None
    # A number may be a cell of any row.
    column = hints.column if hints.number is None else None
    found = _candidates(rows, column, pattern)
    usual = [at for at in found if len(rows[at].cells) == usual_width(rows[at + 1 :])]
    return next(iter([*usual, *found]), None)


def _candidates(rows: Sequence[Row], column: str | None, pattern: ReferencePattern) -> list[int]:
    found = []
    for at, row in enumerate(rows[:_HEADER_WITHIN]):
        names = alike(row.cells, column) if column else [
            place for place, name in enumerate(row.cells) if looks_like_reference(name)
        ]  # fmt: skip
        referring = holds(row, pattern)
        # A wide pattern may match headings, too.
        if names and (not referring or all(pattern.matches(normalise(bare(row.cells[place]))) for place in names)):
            found.append(at)
        if referring:
            break
    return found


def _width(header: Sequence[str] | None, data: Sequence[Row]) -> int:
    """The number of cells of a row: as many as the header has, or more where all rows have the same extra blank cells.

    Raises:
        InputError: every row has more cells than the header.
    """
    if header is None:
        return usual_width(data)
    widths = {len(row.cells) for row in data}
    if data and all(beyond(row.cells, len(header)) for row in data):
        raise InputError(
            f"every row has more cells than the header, {last_filled(data[0].cells)} and not {len(header)}, so columns "
            "cannot be matched: give the header a name for each column"
        )
    return max(len(header), *widths) if len(widths) == 1 else len(header)


def _position(header: Sequence[str] | None, held: Sequence[int], sample: int, hints: Hints) -> int:
    column = hints.column
    if column is not None:
        place = locate(header, column) if header is not None else None
        if hints.number is not None:
            return _numbered(hints.number, place, header, len(held))
        if place is None:
            raise InputError(f"there is no header: give the number of the column, from 1, not {quoted(column)}")
        return place
    if header is not None:
        return choose([*header, *[""] * (len(held) - len(header))], held, sample)
    holding = [position for position, number in enumerate(held) if number]
    if len(holding) > 1:
        raise InputError(f"several columns hold references and there is no header: give one's number to {COLUMN}")
    if not holding or 2 * held[holding[0]] < sample:
        raise InputError(f"no column is known to hold the references: give its number to {COLUMN}")
    return holding[0]


def _numbered(number: int, named: int | None, header: Sequence[str] | None, width: int) -> int:
    """The column with a number. A column with that name goes first, if the first row has names for sure.

    Raises:
        InputError: there is no such column, or both may be meant.
    """
    if named is not None and named + 1 != number:
        if any(map(looks_like_reference, header or ())):
            return named
        raise InputError(f"column {number} and the column named '{number}' may both be meant: rename the latter")
    if not 1 <= number <= width:
        shown_as = str(number) if number < BEYOND else "with a number that large"
        raise InputError(f"there is no column {shown_as}: rows have {width} cells")
    return number - 1
