"""Detects the form of a document by its first lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cancellist.jobs.errors import InputError
from cancellist.jobs.option_names import COLUMN, DELIMITER, NO_HEADER
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.columns import listing, quoted
from cancellist.jobs.parsing.documents.csv_records import Table
from cancellist.jobs.parsing.documents.foreign_formats import refuse_text
from cancellist.jobs.parsing.documents.headers import delimiter_of, explicit, table_of
from cancellist.jobs.parsing.documents.hints import Hints
from cancellist.jobs.parsing.documents.json_text import is_string
from cancellist.jobs.parsing.documents.lines import header_of, plain
from cancellist.jobs.parsing.documents.table_rows import Row, rows_of
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, normalise

Form: TypeAlias = Literal["csv", "json", "jsonl", "lines"]
FORMS: Final[Mapping[Form, str]] = {
    "csv": "CSV", "json": "JSON", "jsonl": "JSON lines", "lines": "one reference a line",
}  # fmt: skip
"""The name of each form in messages."""

_SAMPLE: Final = 200
"""The number of lines by which the form is detected."""
_LEAST: Final = 10
"""The least rows by which a table is detected, unless the document has fewer."""


_LIST: Final = Table(",", position=0, width=1)


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a document.

    Attributes:
        form: its form.
        table: the shape of CSV records.
        column: the name of the CSV column with the references; None without a header.
        above: the number of lines above the first CSV row.
        notes: notes for the user.
    """

    form: Form
    table: Table = _LIST
    column: str | None = None
    above: int = 0
    notes: tuple[str, ...] = ()


def sniff(head: str, *, whole: bool, hints: Hints, pattern: ReferencePattern) -> Layout | None:
    """Detects the layout of a document.

    Args:
        head: the beginning of the document.
        whole: whether `head` is the whole document.
        hints: the user's options.
        pattern: the pattern of references.

    Returns:
        The layout; None where more of the document is needed.

    Raises:
        InputError: the document has none of the forms, or the column with the references is not clear.
    """
    start = head.lstrip(NOISE)
    if not start:
        return Layout("lines") if whole else None
    refuse_text(start)
    if start.startswith(("[", "{")):
        _refuse_table_hints(hints, "JSON")
        return Layout("json")
    # The last line may be cut off.
    lines = _sample((head if whole else head[: head.rfind("\n") + 1]).split("\n"))
    if not lines:
        return None
    text = "\n".join(lines) + "\n"
    named, above = explicit(lines)
    delimiter = hints.delimiter or named
    if delimiter is None:
        return _by_content(text, lines, whole=whole, hints=hints, pattern=pattern)
    rows = rows_of(text, delimiter, above)
    return _table(rows, delimiter, whole=whole, hints=hints, pattern=pattern)


def _sample(lines: list[str]) -> list[str]:
    """The first lines, up to `_SAMPLE` that are not blank."""
    filled = [at for at, line in enumerate(lines) if line.strip(NOISE)][:_SAMPLE]
    return lines[: filled[-1] + 1] if filled else []


def _by_content(
    text: str, lines: Sequence[str], *, whole: bool, hints: Hints, pattern: ReferencePattern
) -> Layout | None:
    delimiter = delimiter_of(text, hints, pattern)
    if delimiter is not None:
        return _table(rows_of(text, delimiter), delimiter, whole=whole, hints=hints, pattern=pattern)
    filled = [line for line in lines if line.strip(NOISE)]
    if hints.column is not None:
        if hints.column == "1" and not all(map(is_string, filled)):
            return Layout("lines")
        raise InputError(_no_column(hints.column, filled, pattern))
    if all(map(is_string, filled)):
        return Layout("json")
    at = header_of(lines, pattern) if hints.header else None
    if at is not None:
        name = bare(lines[at])
        notes = (f"the first {at} lines were skipped: the list begins below",) if at and any(lines[:at]) else ()
        return Layout("csv", Table(",", position=0, width=1, header=(name,)), name, at + 1, notes)
    return Layout("lines")


def _table(rows: list[Row], delimiter: str, *, whole: bool, hints: Hints, pattern: ReferencePattern) -> Layout | None:
    if len(rows) < _LEAST and not whole:
        return None
    if not rows:
        return Layout("lines")
    found = table_of(rows, delimiter, hints, pattern)
    return Layout("csv", found.table, found.column, found.above, found.notes)


def _refuse_table_hints(hints: Hints, what: str) -> None:
    if hints.delimiter is not None or not hints.header:
        raise InputError(f"the input is {what}: leave {DELIMITER} and {NO_HEADER} out, they are for CSV")


def _no_column(column: str, lines: Sequence[str], pattern: ReferencePattern) -> str:
    if pattern.matches(normalise(plain(lines[0]))):
        return f"there is no column {quoted(column)}: the input is one reference a line; leave {COLUMN} out"
    return f"there is no column {quoted(column)}; {listing([plain(lines[0])])}"
