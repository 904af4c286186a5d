"""The first rows of a table. They show its delimiter and its header."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.csv_records import last_filled, records
from cancellist.jobs.parsing.documents.lines import COMMENTS
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, normalise


class Row(NamedTuple):
    """A record that is not blank.

    Attributes:
        line: the line on which it begins, from 1.
        end: the line on which it ends.
    """

    line: int
    end: int
    cells: list[str]


def rows_of(text: str, delimiter: str, above: int = 0) -> list[Row]:
    """The rows of whole lines, without the first `above` lines."""
    rows, line = list[Row](), above
    for cells in records(text.split("\n", above)[-1], delimiter, strict=False)[0]:
        begin, line = line + 1, line + 1 + sum(cell.count("\n") for cell in cells)
        if last_filled(cells):
            rows.append(Row(begin, line, cells))
    return rows


def is_table(row: Row, pattern: ReferencePattern) -> bool:
    """Whether a row holds a reference and something else."""
    return is_filled(row) and holds(row, pattern)


def is_filled(row: Row) -> bool:
    """Whether more than one cell of a row is not blank."""
    return sum(1 for cell in row.cells if cell.strip(NOISE)) > 1


def holds(row: Row, pattern: ReferencePattern) -> bool:
    """Whether a cell of a row is a reference."""
    return any(pattern.matches(normalise(bare(cell))) for cell in row.cells)


def is_comment(row: Row) -> bool:
    """Whether a row begins with a comment sign."""
    return row.cells[0].lstrip(NOISE).startswith(COMMENTS)


def usual_width(rows: Sequence[Row]) -> int:
    """The number of cells that most rows have."""
    return Counter(len(row.cells) for row in rows).most_common(1)[0][0] if rows else 0


def agreement(rows: Sequence[Row]) -> float:
    """The share of rows that have the most usual number of cells; 0 where that is one cell."""
    usual = usual_width(rows)
    return sum(len(row.cells) == usual for row in rows) / len(rows) if usual > 1 else 0
