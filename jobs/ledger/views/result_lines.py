"""Results as JSON lines or CSV: pages in, bytes out."""

import csv
import io
from collections.abc import Sequence
from typing import Final

import orjson

from cancellist.jobs.escaping import plain, plain_cell, plain_json
from cancellist.jobs.ledger.views.json_views import result_view
from cancellist.jobs.model import Result

COLUMNS: Final = ("job", "reference", "outcome", "message", "status", "state", "attempts", "at")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def json_lines(page: Sequence[Result]) -> bytes:
    """A JSON object a line."""
    lines = b"".join(orjson.dumps(result_view(result), option=orjson.OPT_APPEND_NEWLINE) for result in page)
    return lines if lines.isascii() else plain_json(lines.decode()).encode()


class CsvLines:
    """CSV that a spreadsheet can open: a cell that it would take for a formula gets a leading apostrophe.

    What cannot be printed is escaped; the ends of lines within a cell are kept, but on a terminal.
    """

    def __init__(self, *, drawn: bool = False) -> None:
        self._headed = False
        self._plain = plain if drawn else plain_cell

    def __call__(self, page: Sequence[Result]) -> bytes:
        """The rows of a page."""
        text = io.StringIO(newline="")
        plainly = csv.writer(text, lineterminator="\n")
        quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if not self._headed:
            self._headed = True
            plainly.writerow(COLUMNS)
        for result in page:
            # csv quotes no lone carriage return, at which readers end a row
            rows = quoted if "\r" in (result.message or "") + result.reference else plainly
            rows.writerow([self._safe(value) for value in result_view(result).values()])
        return text.getvalue().encode(errors="backslashreplace")

    def _safe(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        return self._plain(f"'{value}" if value.startswith(_FORMULA) else value)
