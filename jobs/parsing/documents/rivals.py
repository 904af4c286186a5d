"""Which other column, or key, holds more references than the one that is read: known at the end alone."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from cancellist.jobs.option_names import COLUMN
from cancellist.jobs.parsing.documents.columns import quoted
from cancellist.jobs.parsing.references import InvalidEntry, RawBatch, ReferencePattern, normalise

_Places = Callable[[Any], Iterable[str]]
_MOST: Final = 1000
"""Names that are counted: objects may have a key each."""


class Rivals:
    """Counts the references of other columns, in batches with rows where the column that is read has none.

    Elsewhere they are not looked for, so that reading is fast: what is counted of a column is the least that it holds.
    """

    def __init__(self, pattern: ReferencePattern) -> None:
        self._pattern = pattern
        self._taken = 0
        self._held: Counter[str] = Counter()

    def count(self, raw: RawBatch, invalid: Sequence[InvalidEntry], places: _Places) -> None:
        """Count a batch.

        Args:
            raw: the batch.
            invalid: its malformed entries.
            places: gives the names of the columns of a row that hold a reference.
        """
        self._taken += len(raw.values) + len(raw.invalid) - len(invalid)
        if not raw.without and not invalid:
            return
        for row in chain(self._rows(raw, valid=False) if invalid else (), raw.without):
            for name in places(row):
                if name in self._held or len(self._held) < _MOST:
                    self._held[name] += 1
        if self._held:
            for row in self._rows(raw, valid=True):
                self._held.update(name for name in places(row) if name in self._held)

    def note(self, column: str) -> str:
        """Say that another column holds more references than `column`, which is read; nothing where none does."""
        name, number = max(self._held.items(), key=lambda one: one[1], default=("", 0))
        if number <= self._taken:
            return ""
        return (
            f"{quoted(name)} holds more references than {quoted(column)}, {number:,} at least and {self._taken:,}: "
            f"name one with {COLUMN}"
        )

    def _rows(self, raw: RawBatch, *, valid: bool) -> Iterator[Any]:
        """Give the rows in which the column that is read holds a reference, or holds something else."""
        for value, row in zip(raw.values, raw.rows, strict=False):
            if self._pattern.matches(normalise(value)) is valid:
                yield row
