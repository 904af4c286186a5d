"""Writes results as JSON lines, CSV, Parquet or a table: pages in, bytes out."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Final

from cancellist.cli.output.format import Format
from cancellist.cli.output.wording import clock
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.views.result_lines import CsvLines, json_lines
from cancellist.jobs.ledger.views.result_parquet import ParquetPages
from cancellist.jobs.model import Outcome, Result

Write = Callable[[Sequence[Result]], bytes]
"""Turns a page of results into bytes. The first call adds the header."""

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
        case Format.PARQUET:
            return ParquetPages()


def end_of(write: Write) -> bytes:
    """What a format has at its end, once all pages are written."""
    return write.end() if isinstance(write, ParquetPages) else b""


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
