"""Writes results as JSON lines, CSV or a table: pages in, bytes out."""

import csv
import io
import textwrap
from collections.abc import Callable, Sequence
from typing import Final

import orjson

from cancellist.cli.output.format import Format
from cancellist.cli.output.wording import clock
from cancellist.jobs.escaping import plain, plain_cell, plain_json
from cancellist.jobs.ledger.json_views import result_view
from cancellist.jobs.model import Outcome, Result

Write = Callable[[Sequence[Result]], bytes]
"""Turns a page of results into bytes. The first call adds the header."""

COLUMNS: Final = ("job", "reference", "outcome", "message", "status", "state", "attempts", "at")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_LEFT_OUT: Final = ("attempts", "at", "state")
"""Columns to leave out on a narrow terminal, the first one first, to make room for the message."""
_LEAST_WRAPPED: Final = 24
_GAP: Final = 2
_INDENT: Final = 4
_SHOWN: Final = ("reference", "outcome", "attempts", "status", "at", "state", "message")


def writer(form: Format, *, width: int | None) -> Write:
    """Returns the writer of a format.

    Args:
        form: the format.
        width: width of the terminal, to which a table is fitted; None without a terminal.
    """
    match form:
        case Format.JSONL:
            return json_lines
        case Format.CSV:
            return CsvLines(drawn=width is not None)
        case Format.TABLE:
            return TableLines(width)


def json_lines(page: Sequence[Result]) -> bytes:
    """Writes one JSON object a line."""
    lines = b"".join(orjson.dumps(result_view(result), option=orjson.OPT_APPEND_NEWLINE) for result in page)
    return lines if lines.isascii() else plain_json(lines.decode()).encode()


class CsvLines:
    """Writes CSV that is safe in a spreadsheet: a cell that looks like a formula gets a leading apostrophe.

    Control characters are escaped. Line ends within a cell are kept, except on a terminal.
    """

    def __init__(self, *, drawn: bool = False) -> None:
        self._headed = False
        self._plain = plain if drawn else plain_cell

    def __call__(self, page: Sequence[Result]) -> bytes:
        """Returns the rows of a page."""
        text = io.StringIO(newline="")
        plainly = csv.writer(text, lineterminator="\n")
        quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if not self._headed:
            self._headed = True
            plainly.writerow(COLUMNS)
        for result in page:
            # the csv module does not quote a lone carriage return, but readers end a row at it
            rows = quoted if "\r" in (result.message or "") + result.reference else plainly
            rows.writerow([self._safe(value) for value in result_view(result).values()])
        return text.getvalue().encode(errors="backslashreplace")

    def _safe(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        return self._plain(f"'{value}" if value.startswith(_FORMULA) else value)


class TableLines:
    """Writes a table, one page in memory at a time. The first page sets the widths of the columns.

    On a narrow terminal columns are left out and messages wrapped. References, outcomes and statuses are never cut.
    """

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._widths: list[int] = []
        self._kept: list[int] = list(range(len(_SHOWN)))
        self._below = False

    def __call__(self, page: Sequence[Result]) -> bytes:
        """Returns the rows of a page."""
        if not page:
            return b""
        rows = [_cells(result) for result in page]
        lines: list[Sequence[str]] = []
        if not self._widths:
            self._widths = [max(map(len, column)) for column in zip(_SHOWN, *rows, strict=True)]
            self._widths[1] = max(map(len, Outcome))
            self._fit()
            lines = [_SHOWN, ["-" * width for width in self._widths]]
        return "".join(self._line(row) for row in [*lines, *rows]).encode(errors="backslashreplace")

    def _fit(self) -> None:
        """Leaves columns out until the message has room, and gives it the rest of the width."""
        if self._width is None:
            return
        message = len(_SHOWN) - 1
        least = min(self._widths[message], _LEAST_WRAPPED)
        for name in (*_LEFT_OUT, None):
            room = self._width - sum(self._widths[place] + _GAP for place in self._kept if place != message)
            if room >= least or name is None:
                break
            self._kept.remove(_SHOWN.index(name))
        self._below = room < least
        self._widths[message] = max(1, min(self._widths[message], self._width - _INDENT if self._below else room))

    def _line(self, cells: Sequence[str]) -> str:
        """Returns a row. Its message may take several lines, beside or below the other cells."""
        *first, message = self._kept
        start = "".join(cells[place].ljust(self._widths[place]) + " " * _GAP for place in first)
        pieces = [cells[message]]
        if self._width is not None:
            pieces = textwrap.wrap(cells[message], self._widths[message])
        indent = " " * (_INDENT if self._below else len(start))
        if self._below or not pieces:
            pieces.insert(0, "")
        return "".join(f"{indent if at else start}{piece}".rstrip() + "\n" for at, piece in enumerate(pieces))


def _cells(result: Result) -> list[str]:
    return [
        plain(result.reference),
        result.outcome.value,
        str(result.attempts),
        "" if result.status is None else str(result.status),
        clock(result.at_ms)[:19],
        plain(result.state or ""),
        plain(result.message or ""),
    ]
