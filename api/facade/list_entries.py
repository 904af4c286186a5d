"""What a request of the facade asks for, on its way into a job."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from cancellist.api.facade.asked_references import AskedList, RepeatedError
from cancellist.api.facade.platform_errors import RefusedError
from cancellist.api.problems import ProblemError
from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import InvalidEntry, RawBatch, classify, normalise


class NothingValidError(Exception):
    """Not one entry is a reference: there is nothing to hand in."""


class ListEntries:
    """What a request asks for, on its way into a job; `asked` gets all of it, in order.

    Args:
        values: the entries as they are written.
        asked: where they are noted.
        pattern: what a reference looks like.
        most: entries at most.
    """

    duplicates = 0

    def __init__(
        self, values: AsyncGenerator[list[str], None], asked: AskedList, pattern: ReferencePattern, most: int
    ) -> None:
        self._values = values
        self._asked = asked
        self._pattern = pattern
        self._most = most
        self.invalid = 0
        self.blank = 0
        self._valid = 0

    @property
    def total(self) -> int:
        """What will get a result."""
        return self._valid + self.invalid

    async def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """References and malformed entries.

        Raises:
            NothingValidError: not one is a reference.
            ProblemError: there are too many.
            RefusedError: one is there twice; or it is no list.
        """
        async with aclosing(self._values) as batches:
            async for values in batches:
                yield self._noted(values)
        if not self._valid:
            raise NothingValidError

    def _noted(self, values: list[str]) -> tuple[list[str], list[InvalidEntry]]:
        first = self._asked.total + 1
        checked = classify(RawBatch(range(first, first + len(values)), values), self._pattern)
        malformed = {entry.line for entry in checked.invalid}
        entries = [(normalise(value), value, place not in malformed) for place, value in enumerate(values, first)]
        try:
            self._asked.add(entries)
        except RepeatedError as error:
            words = "A consignment reference is in the list twice"
            named = f"{shown(error.reference)} is in the list twice"
            raise RefusedError(400, "duplicate_references", words, detail=named) from None
        if self._asked.total > self._most:
            raise ProblemError("body_too_large", f"a list may have {self._most:,} entries")
        invalid = [entry for entry in checked.invalid if entry.text]
        self._valid += len(checked.valid)
        self.invalid += len(invalid)
        self.blank += len(checked.invalid) - len(invalid)
        return checked.valid, invalid
