"""What a user says of a document, where it is not to be found out."""

from dataclasses import dataclass
from typing import Final

_DIGITS: Final = 9
BEYOND: Final = 10**_DIGITS
"""More columns than any table has: what a longer number stands for."""


@dataclass(frozen=True, slots=True)
class Hints:
    """How a document is to be read; what is left out is told by its content.

    Attributes:
        column: the name or the number, from 1, of the CSV column with the references; or a key of JSON, dotted where
            it is within other objects.
        delimiter: what parts the cells of CSV.
        header: whether CSV may begin with the names of its columns.
        skip_lines: the lines at the beginning that are passed over, whatever they hold.
    """

    column: str | None = None
    delimiter: str | None = None
    header: bool = True
    skip_lines: int = 0

    @property
    def number(self) -> int | None:
        """The number of the column, where it is one."""
        if self.column is None or not self.column.isdecimal():
            return None
        digits = self.column.lstrip("0") or "0"
        return int(digits) if len(digits) <= _DIGITS else BEYOND
