"""Where a table begins, what parts its cells, and which column holds the references."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cancellist.jobs.errors import InputError
from cancellist.jobs.option_names import COLUMN, SKIP_LINES
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.columns import alike, choose, listing, locate, looks_like_reference, quoted
from cancellist.jobs.parsing.documents.csv_records import Table, beyond, last_filled, records
from cancellist.jobs.parsing.documents.headings import is_decoration, is_words, keeps
from cancellist.jobs.parsing.documents.hints import BEYOND, Hints
from cancellist.jobs.parsing.documents.lines import COMMENTS
from cancellist.jobs.parsing.references import NOISE, ReferencePattern, normalise

_DELIMITERS: Final = ",;\t|"
_HEADER_WITHIN: Final = 30
"""Rows among which a header is looked for."""
_LIKELY_SHARE: Final = 0.5
_SURE: Final = 3
"""Rows that tell that each has a blank cell too many, where one or two may be chance."""
# Excel's own way to name the delimiter; quoted, or with delimiters after it, where a program wrote it as a row.
_SEP: Final = re.compile(r"""["']?sep=(\\t|[^\w"'])["']?(?:\1)*["']?\s*""", re.IGNORECASE)


class Row(NamedTuple):
    """A record that is not blank.

    Attributes:
        line: the line on which it begins, from 1.
        end: the line on which it ends.
    """

    line: int
    end: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Found:
    """How a table is to be read: its column's name where it has one, and the lines above its first row."""

    table: Table
    column: str | None
    above: int
    notes: tuple[str, ...]


def explicit(lines: Sequence[str]) -> tuple[str | None, int]:
    """Give the delimiter that the first line names, as in `sep=;`, and how many lines that takes."""
    for number, line in enumerate(lines, 1):
        if line.strip(NOISE):
            found = _SEP.fullmatch(line.lstrip(NOISE))
            return ("\t" if found[1] == "\\t" else found[1], number) if found else (None, 0)
    return None, 0


def rows_of(text: str, delimiter: str, above: int = 0) -> list[Row]:
    """Give the rows of whole lines, but for those of the first `above` lines."""
    rows, line = list[Row](), above
    for cells in records(text.split("\n", above)[-1], delimiter, strict=False)[0]:
        begin, line = line + 1, line + 1 + sum(cell.count("\n") for cell in cells)
        if last_filled(cells):
            rows.append(Row(begin, line, cells))
    return rows


def delimiter_of(text: str, hints: Hints, pattern: ReferencePattern) -> str | None:
    """Give what parts the cells of a table; None where the text is none."""
    tables = {one: rows for one in _DELIMITERS if one in text and (rows := rows_of(text, one))}
    tables = tables or {_DELIMITERS[0]: rows_of(text, _DELIMITERS[0])}
    headed = {
        one: len(rows[at].cells) for one, rows in tables.items() if (at := _named(rows, hints, pattern)) is not None
    }
    if headed:
        return max(headed, key=lambda one: headed[one])
    holding = {one: sum(is_table(row, pattern) for row in rows) for one, rows in tables.items()}
    if any(holding.values()):
        return max(tables, key=lambda one: (holding[one], _agreement(tables[one])))
    agreed = [one for one, rows in tables.items() if _agreement(rows) >= _LIKELY_SHARE and any(map(_filled, rows))]
    return max(agreed, key=lambda one: _agreement(tables[one]), default=None)


def is_table(row: Row, pattern: ReferencePattern) -> bool:
    """Say whether a row holds a reference and something else."""
    return _filled(row) and _holds(row, pattern)


def table_of(rows: Sequence[Row], delimiter: str, hints: Hints, pattern: ReferencePattern) -> Found:
    """Tell how a table is to be read.

    Args:
        rows: its first ones, of which there is one at least.
        delimiter: what parts their cells.
        hints: what the user says of it.
        pattern: what a reference looks like.

    Raises:
        InputError: the column with the references cannot be told, or the header does not fit the rows.
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
        # Filled up with blanks, or moved: only references that are all in one column, and nowhere else, tell.
        width = len(header)
    table = Table(delimiter, position, width, tuple(header or ()))
    above = rows[at].end if at is not None else rows[first - 1].end if first else data[0].line - 1
    column = bare(header[position]) if header and position < len(header) else None
    return Found(table, column, above, _notes(rows, at, first, position, hints))


def _check_above(rows: Sequence[Row], hints: Hints) -> None:
    """Refuse a table above which it is said that what is below is not meant.

    Raises:
        InputError: it is.
    """
    for row in rows:
        if words := next(filter(keeps, row.cells), None):
            raise InputError(
                f"line {row.line + hints.skip_lines}: {quoted(words)} stands above the table: pass over it with "
                f"{SKIP_LINES} if what is below is to be cancelled"
            )


def _check_below(
    data: Sequence[Row], position: int, header: Sequence[str], hints: Hints, pattern: ReferencePattern
) -> None:
    """Refuse a header below which another may stand: what was taken for it may be a title, and name another column.

    Raises:
        InputError: a row above the first reference may be the header as well.
    """
    for row in data[:_HEADER_WITHIN]:
        if _holds(row, pattern):
            return
        cells = [bare(cell) for cell in row.cells]
        if not is_decoration(cells) and _may_name(cells, position, [bare(cell) for cell in header]):
            raise InputError(
                f"line {row.line + hints.skip_lines} may be the header as well as the line with "
                f"{quoted(bare(header[position]))}. Take out the lines above the header, or pass over them with "
                f"{SKIP_LINES}"
            )


def _may_name(cells: Sequence[str], position: int, header: Sequence[str]) -> bool:
    """Say whether a row below a header may be the header instead.

    It names references; or it has words in the column that was found, and either nothing but words, or a cell where
    that header has none: a title that a spreadsheet has filled up is such a header.
    """
    if any(is_words(cell) and looks_like_reference(cell) for cell in cells):
        return True
    if position >= len(cells) or not is_words(cells[position]):
        return False
    unnamed = any(cell and (at >= len(header) or not header[at]) for at, cell in enumerate(cells))
    return unnamed or all(is_words(cell) for cell in cells if cell)


def _check_named(header: Sequence[str], held: Sequence[int], position: int, hints: Hints) -> None:
    """Refuse a header that names the column that was found, and not another one with references.

    Raises:
        InputError: that header may be a title.
    """
    for at, number in enumerate(held):
        if number and at != position and (at >= len(header) or not bare(header[at])) and hints.column is None:
            raise InputError(
                f"column {at + 1} has no name and holds references, as {quoted(bare(header[position]))} does: whether "
                f"that is a title or the header cannot be told; give the column's name or number to {COLUMN}"
            )


def _notes(rows: Sequence[Row], at: int | None, first: int, position: int, hints: Hints) -> tuple[str, ...]:
    notes = []
    if begin := first if at is None else at:
        upto = rows[begin - 1].end + hints.skip_lines
        what = "first line was" if upto == 1 else f"first {upto} lines were"
        notes.append(f"the {what} passed over: the table begins below")
    if at is None and hints.header:
        notes.append(f"the input has no header; its references were taken from column {position + 1}")
    return tuple(notes)


def _header(rows: Sequence[Row], hints: Hints, pattern: ReferencePattern) -> tuple[int | None, int]:
    """Give the place of the header among `rows`, if there is one, and that of the first row below titles.

    Raises:
        InputError: the column that was named is in none, or it cannot be told whether there is one.
    """
    if not hints.header:
        return None, 0
    named = _named(rows, hints, pattern)
    if named is not None:
        return named, 0
    holding = next((at for at, row in enumerate(rows) if _holds(row, pattern)), None)
    usual = _usual(rows[holding or 0 :])
    above = rows[:holding]
    if hints.column is not None and hints.number is None:
        names = next((row.cells for row in above if len(row.cells) == usual), rows[0].cells)
        if holding == 0:
            raise InputError(
                f"there is no column {quoted(hints.column)}: the first line is no header, it holds a reference; "
                "give the column's number"
            )
        raise InputError(f"there is no column {quoted(hints.column)}; {listing(names)}")
    header = next((at for at, row in enumerate(above) if len(row.cells) == usual and not _is_comment(row)), None)
    if header is not None or not holding:
        return header, 0
    if odd := next((row for row in above if not _is_comment(row) and last_filled(row.cells) > 1), None):
        raise InputError(
            f"line {odd.line + hints.skip_lines} has {last_filled(odd.cells)} cells and the rows have {usual}: whether "
            f"it is their header cannot be told; give the column's name or number to {COLUMN}"
        )
    return None, holding


def _named(rows: Sequence[Row], hints: Hints, pattern: ReferencePattern) -> int | None:
    """Give the place of the row that has the column's name, or one that names references, above all that hold any."""
    if not hints.header:
        return None
    # A number may be a cell of any row.
    column = hints.column if hints.number is None else None
    found = _candidates(rows, column, pattern)
    usual = [at for at in found if len(rows[at].cells) == _usual(rows[at + 1 :])]
    return next(iter([*usual, *found]), None)


def _candidates(rows: Sequence[Row], column: str | None, pattern: ReferencePattern) -> list[int]:
    found = []
    for at, row in enumerate(rows[:_HEADER_WITHIN]):
        names = alike(row.cells, column) if column else [
            place for place, name in enumerate(row.cells) if looks_like_reference(name)
        ]  # fmt: skip
        holds = _holds(row, pattern)
        # A pattern may be so wide that headings match it as well.
        if names and (not holds or all(pattern.matches(normalise(bare(row.cells[place]))) for place in names)):
            found.append(at)
        if holds:
            break
    return found


def _width(header: Sequence[str] | None, data: Sequence[Row]) -> int:
    """Give how many cells a row has: those of the header, or as many as all rows have, where more are blank.

    Raises:
        InputError: every row has more.
    """
    if header is None:
        return _usual(data)
    widths = {len(row.cells) for row in data}
    if data and all(beyond(row.cells, len(header)) for row in data):
        raise InputError(
            f"every row has more cells than the header, {last_filled(data[0].cells)} and not {len(header)}: which "
            "column is which cannot be known; give the header a name for each column, such as one for the row's own"
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
        raise InputError(f"no column is known to be the one with the references: give its number to {COLUMN}")
    return holding[0]


def _filled(row: Row) -> bool:
    """Say whether more than one of its cells holds something."""
    return sum(1 for cell in row.cells if cell.strip(NOISE)) > 1


def _numbered(number: int, named: int | None, header: Sequence[str] | None, width: int) -> int:
    """Give the column of a number; one of that name goes before it, where it is sure that the first row has names.

    Raises:
        InputError: there is none, or both may be meant.
    """
    if named is not None and named + 1 != number:
        if any(map(looks_like_reference, header or ())):
            return named
        raise InputError(f"column {number} and the column named '{number}' may both be meant: rename the latter")
    if not 1 <= number <= width:
        shown_as = str(number) if number < BEYOND else "of so high a number"
        raise InputError(f"there is no column {shown_as}: rows have {width} cells")
    return number - 1


def _holds(row: Row, pattern: ReferencePattern) -> bool:
    return any(pattern.matches(normalise(bare(cell))) for cell in row.cells)


def _is_comment(row: Row) -> bool:
    return row.cells[0].lstrip(NOISE).startswith(COMMENTS)


def _usual(rows: Sequence[Row]) -> int:
    """Give how many cells most rows have."""
    return Counter(len(row.cells) for row in rows).most_common(1)[0][0] if rows else 0


def _agreement(rows: Sequence[Row]) -> float:
    """Give the share of rows that have as many cells as most; 0 where these have a single one."""
    usual = _usual(rows)
    return sum(len(row.cells) == usual for row in rows) / len(rows) if usual > 1 else 0
