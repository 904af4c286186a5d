"""The user's options for reading a document."""

from dataclasses import dataclass
from typing import Final

_DIGITS: Final = 9
BEYOND: Final = 10**_DIGITS
"""Stands for any longer number; no table has so many columns."""
_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


def parse_delimiter(value: str) -> str:
    """Returns the character that separates the cells of a CSV file.

    Raises:
        ValueError: it is no such character, nor the name of one.
    """
    found = _DELIMITERS.get(value.lower(), value)
    if len(found) != 1 or found.isalnum() or found in "\"'\r\n\0":
        raise ValueError(f"give one character, such as ; or |, or one of {', '.join(_DELIMITERS)}")
    return found


@dataclass(frozen=True, slots=True)
class Hints:
    """Options for reading a document. What is left out is detected by the content.

    Attributes:
        column: the name or number (from 1) of the CSV column with the references; or a key of JSON, with dots for keys
            of inner objects.
        delimiter: the separator of CSV cells.
        header: whether CSV may begin with a header.
        skip_lines: the number of lines to skip at the beginning.
    """

    column: str | None = None
    delimiter: str | None = None
    header: bool = True
    skip_lines: int = 0

    @property
    def number(self) -> int | None:
        """The column's number, if `column` is one; else None."""
        if self.column is None or not self.column.isdecimal():
            return None
        digits = self.column.lstrip("0") or "0"
        return int(digits) if len(digits) <= _DIGITS else BEYOND
