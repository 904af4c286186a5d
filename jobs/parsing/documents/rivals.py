"""Counts references in other columns or keys, to warn at the end if one holds more than the one that is read."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from cancellist.jobs.option_names import COLUMN
from cancellist.jobs.parsing.documents.columns import quoted
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import InvalidEntry, RawBatch, normalise

_Places = Callable[[Any], Iterable[str]]
_MOST: Final = 1000
"""The most names that are counted, since each object may have a key of its own."""


class Rivals:
    """Counts references of other columns, in batches that have rows without a reference in the column that is read.

    Other batches are not searched, so that reading stays fast. So a count is the least that a column holds.
    """

    def __init__(self, pattern: ReferencePattern) -> None:
        self._pattern = pattern
        self._taken = 0
        self._held: Counter[str] = Counter()

    def count(self, raw: RawBatch, invalid: Sequence[InvalidEntry], places: _Places) -> None:
        """Counts a batch.

        Args:
            raw: the batch.
            invalid: its malformed entries.
            places: returns the names of the columns in which a row holds a reference.
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
        """A note that another column holds more references than `column`; empty where none does."""
        name, number = max(self._held.items(), key=lambda one: one[1], default=("", 0))
        if number <= self._taken:
            return ""
        return (
            f"{quoted(name)} holds more references than {quoted(column)}, at least {number:,} and not {self._taken:,}: "
            f"choose one with {COLUMN}"
        )

    def _rows(self, raw: RawBatch, *, valid: bool) -> Iterator[Any]:
        """The rows whose column that is read holds a reference (`valid`), or something else."""
        for value, row in zip(raw.values, raw.rows, strict=False):
            if self._pattern.matches(normalise(value)) is valid:
                yield row
