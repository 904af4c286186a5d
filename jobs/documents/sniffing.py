"""What form a document has, judged by its first lines."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from jobs.documents.columns import choose, holders, listing, locate, looks_like_reference
from jobs.documents.json_values import is_string
from jobs.documents.lines import plain
from jobs.errors import InputError
from jobs.references import NOISE, ReferencePattern, normalise

Form: TypeAlias = Literal["csv", "json", "jsonl", "lines"]

_DELIMITERS: Final = ",;\t|"
_FIRST_LINES: Final = 100
_LIKELY_SHARE: Final = 0.5

_Table: TypeAlias = list[list[str]]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a document is to be read.

    Attributes:
        delimiter, position, column: of CSV: what parts the cells, which cell of a row is the reference, and that
            column's name.
        skip: of CSV: the records before the first row of data.
        warning: what the user should know of it, or nothing.
    """

    form: Form
    delimiter: str = ","
    position: int = 0
    column: str | None = None
    skip: int = 0
    warning: str = ""


def sniff(head: str, *, column: str | None, pattern: ReferencePattern) -> Layout:
    """Tell the form of a document by `head`: its beginning, up to a line's end where it has one.

    Raises:
        InputError: it has none of the forms, or the column with the references cannot be told.
    """
    lines = [line for line in head.split("\n") if line.strip(NOISE)][:_FIRST_LINES]
    if not lines:
        return Layout("lines")
    first = lines[0].strip(NOISE)
    if first.startswith("["):
        return Layout("json")
    if first == "{":
        raise InputError("this is a JSON object over several lines: hand in an array, or one object a line (jq -c)")
    if first.startswith("{"):
        return Layout("jsonl")
    if first.lower().startswith("sep=") and len(first) == len("sep=,"):
        # Excel's own way to name the delimiter.
        return _table(_rows(lines[1:], first[-1]), first[-1], column, pattern, skip=1)
    return _sniff_rows(lines, column, pattern)


def _sniff_rows(lines: Sequence[str], column: str | None, pattern: ReferencePattern) -> Layout:
    tables = {delimiter: rows for delimiter in _DELIMITERS if (rows := _rows(lines, delimiter))}
    if not tables:
        return Layout("lines")
    headed = [delimiter for delimiter, rows in tables.items() if _has_header(rows, column)]
    if headed:
        delimiter = max(headed, key=lambda one: len(tables[one][0]))
        return _table(tables[delimiter], delimiter, column, pattern)
    delimiter = max(tables, key=lambda one: (_agreement(tables[one]), len(tables[one][0])))
    if _is_table(tables[delimiter], pattern):
        return _table(tables[delimiter], delimiter, column, pattern)
    form: Form = "jsonl" if all(map(is_string, lines)) else "lines"
    if column is None:
        return Layout(form)
    if not pattern.matches(normalise(plain(lines[0]))):
        raise InputError(f"there is no column {column!r}; {listing([plain(lines[0])])}")
    raise InputError(f"there is no column {column!r}: the input is one reference a line; leave --column out")


def _table(rows: _Table, delimiter: str, column: str | None, pattern: ReferencePattern, *, skip: int = 0) -> Layout:
    if not rows:
        return Layout("csv", delimiter=delimiter, skip=skip)
    header, holding = rows[0], holders(rows, pattern)
    # A heading goes before content: a pattern may be so wide that headings match it as well.
    if _has_header(rows, column) or not holders([header], pattern):
        position = choose(header, rows[1:], column, pattern)
        return Layout("csv", delimiter, position, header[position].strip(NOISE), skip + 1)
    # A reference in the first row: there is no header, and to take that row for one would lose it.
    if column is not None:
        raise InputError(f"there is no column {column!r}: the first line is no header, it holds a reference")
    if len(holding) > 1:
        raise InputError("several columns hold references and there is no header: hand in one reference a line")
    position = holding.pop()
    warning = f"the input has no header; its references were taken from column {position + 1}"
    return Layout("csv", delimiter, position, None, skip, warning)


def _rows(lines: Sequence[str], delimiter: str) -> _Table:
    reader = csv.reader([f"{line}\n" for line in lines], delimiter=delimiter, skipinitialspace=True)
    return [row for row in reader if _filled(row)]


def _has_header(rows: _Table, column: str | None) -> bool:
    if column is not None:
        return locate(rows[0], column) is not None
    return any(map(looks_like_reference, rows[0]))


def _is_table(rows: _Table, pattern: ReferencePattern) -> bool:
    """Say whether rows are more than one reference a line, with separators after it or a malformed line among them."""
    if _agreement(rows) < _LIKELY_SHARE:
        return False
    return _filled(rows[0]) > 1 or any(_filled(row) > 1 and holders([row], pattern) for row in rows)


def _agreement(rows: _Table) -> float:
    """Give the share of rows as wide as the first; 0 where that has a single cell."""
    width = len(rows[0])
    return sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip(NOISE))
