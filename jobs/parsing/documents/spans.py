"""Finds rows inside of quoted cells of several lines: a quote is probably missing there."""

from collections.abc import Sequence
from typing import Final

from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, normalise

_NOTED: Final = 3


class Spans:
    """Searches quoted cells of several lines for rows of the table.

    A line is a row if it has as many cells as rows have, and a reference in the column of references. The cell's first
    line is the end of a row, and its last line the beginning of one. A reference on a line of a note is no row: it gets
    a note, but is not counted.

    Attributes:
        swallowed: the number of references in such rows. They are not taken.
        first: the line of the first such cell, and a message about it.
    """

    def __init__(self, delimiter: str, position: int, width: int, pattern: ReferencePattern) -> None:
        self.swallowed = 0
        self.first: tuple[int, str] | None = None
        self._delimiter = delimiter
        self._position = position
        self._width = width
        self._pattern = pattern
        self._noted: list[str] = []
        self._more = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        more = f"and {self._more:,} more quoted cell{'s' if self._more > 1 else ''} of that kind"
        return (*self._noted, more) if self._more else tuple(self._noted)

    def look(self, line: int, row: Sequence[str]) -> None:
        """Searches the cells of a record that begins on `line`."""
        for at, cell in enumerate(row):
            upto = line + cell.count("\n")
            if "\n" in cell.strip(NOISE):
                lines = cell.split("\n")
                held = self._rows(lines, at, len(row))
                self.swallowed += held
                if held or any(map(self._names, lines)):
                    self._note(line, upto, lost=held > 0)
            line = upto

    def _note(self, line: int, upto: int, *, lost: bool) -> None:
        words = (
            f"a quoted cell spans lines {line} to {upto} and holds references; they are not taken: is a quote missing?"
        )
        if lost:
            self.first = self.first or (line, words)
        if len(self._noted) < _NOTED:
            self._noted.append(words)
        else:
            self._more += 1

    def _rows(self, lines: Sequence[str], at: int, cells: int) -> int:
        """Counts the rows with a reference in the lines of a cell, which is number `at` of `cells` in its record."""
        begun = self._fits(lines[0], self._width - at)
        ended = self._fits(lines[-1], self._width - (cells - at - 1))
        whole = sum(self._fits(line, self._width) and self._refers(line, self._position) for line in lines[1:-1])
        if not whole and not (begun and ended):
            return 0
        first = begun and self._position >= at and self._refers(lines[0], self._position - at)
        return whole + first + (ended and self._refers(lines[-1], self._position))

    def _fits(self, line: str, width: int) -> bool:
        """Whether a line has this many cells, ignoring blank ones at its end."""
        cells = line.split(self._delimiter)
        return len(cells) >= width and not any(cell.strip(NOISE) for cell in cells[max(width, 0) :])

    def _names(self, line: str) -> bool:
        """Whether a cell of a line is a reference."""
        return any(self._pattern.matches(normalise(bare(cell))) for cell in line.split(self._delimiter))

    def _refers(self, line: str, position: int) -> bool:
        cells = line.split(self._delimiter, position + 1)
        return position < len(cells) and self._pattern.matches(normalise(bare(cells[position])))
