"""Inputs of references on their way into a job: read by blocks, checked, judged, each reference once."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

from cancellist.jobs import option_names
from cancellist.jobs.errors import InputError, NoReferencesError
from cancellist.jobs.ledger.deduplication import Deduplicator
from cancellist.jobs.parsing.documents import FORMS, Hints, Reader
from cancellist.jobs.parsing.references import InvalidEntry, RawBatch, ReferencePattern, classify
from cancellist.jobs.parsing.shares import Limit

LISTED: Final = 20
"""Malformed entries that are listed; the rest is counted."""
MAX_INVALID: Final = Limit(percent=10)
"""The malformed entries of an input that are allowed, unless it is said otherwise."""


class Input(Protocol):
    """What is to be read: a file, or the body of a request."""

    @property
    def name(self) -> str:
        """What it is called where something is said of it."""

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """Its bytes, in blocks of any length.

        Raises:
            InputError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Listed:
    """A malformed entry that is shown, and the file that it is in."""

    file: str
    entry: InvalidEntry


class Reading:
    """One file: how it was read, and what was in it.

    Attributes:
        references: those in it, duplicates included.
        invalid: malformed entries.
        blank: cells without anything where a reference could have been.
        first: the first malformed entry.
    """

    def __init__(self, source: Input, reader: Reader) -> None:
        self.source = source
        self.reader = reader
        self.references = 0
        self.invalid = 0
        self.blank = 0
        self.first: InvalidEntry | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.source.name


class Feed:
    """The references of files, in order, each once, and their malformed entries.

    Attributes:
        readings: the files that were read, or begun.
        valid: distinct references so far.
        listed: the first few malformed entries.
    """

    def __init__(
        self,
        sources: Sequence[Input],
        *,
        hints: Hints,
        pattern: ReferencePattern,
        listed: int,
        limit: Limit,
        deduplicator: Deduplicator | None = None,
    ) -> None:
        self.readings: list[Reading] = []
        self.valid = 0
        self.listed: list[Listed] = []
        self._sources = sources
        self._hints = hints
        self._pattern = pattern
        self._most = listed
        self._limit = limit
        self._deduplicator = deduplicator or Deduplicator()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._deduplicator.close()

    @property
    def several(self) -> bool:
        """Whether there is more than one file."""
        return len(self._sources) > 1

    @property
    def pattern(self) -> str:
        """What references look like."""
        return self._pattern.pattern

    @property
    def invalid(self) -> int:
        """Malformed entries so far."""
        return sum(one.invalid for one in self.readings)

    @property
    def blank(self) -> int:
        """Blank cells so far."""
        return sum(one.blank for one in self.readings)

    @property
    def duplicates(self) -> int:
        """References left out so far, because they were named before."""
        return self._deduplicator.duplicates

    @property
    def total(self) -> int:
        """What will get a result: distinct references and malformed entries."""
        return self.valid + self.invalid

    async def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """Reads them all, and judges each at its end.

        Raises:
            InputError: one cannot be read, holds no reference, or more malformed entries than are allowed.
        """
        for source in self._sources:
            reading = Reading(source, Reader(hints=self._hints, pattern=self._pattern))
            self.readings.append(reading)
            try:
                async with aclosing(_raw(reading)) as batches:
                    async for raw in batches:
                        yield self._check(reading, raw)
                self._judge(reading)
            except InputError as error:
                if not self.several:
                    raise
                raise type(error)(f"{source.name}: {error}") from error

    def _check(self, reading: Reading, raw: RawBatch) -> tuple[list[str], list[InvalidEntry]]:
        checked = classify(raw, self._pattern)
        reading.reader.examine(raw, checked.invalid)
        fresh = self._deduplicator.unique(checked.valid)
        invalid = checked.invalid
        self.valid += len(fresh)
        reading.references += len(checked.valid)
        reading.invalid += len(invalid)
        reading.first = reading.first or next(iter(invalid), None)
        reading.blank += raw.blank
        self.listed += [Listed(reading.name, entry) for entry in invalid[: self._most - len(self.listed)]]
        if self.several:
            invalid = [replace(entry, reason=f"{entry.reason}, in {reading.name}") for entry in invalid]
        return fresh, invalid

    def _judge(self, reading: Reading) -> None:
        """Judges a file that was read to its end.

        Raises:
            InputError: it is not to be handed in.
        """
        if not reading.references:
            raise NoReferencesError(_nothing(reading))
        swallowed = reading.reader.swallowed
        lost = (self.invalid if self._limit.number is not None else reading.invalid) + swallowed
        of = reading.references + reading.invalid + swallowed
        if not self._limit.exceeded(lost, of):
            return
        raise InputError(
            f"{lost:,} of {of:,} entries are malformed or not taken, more than {self._limit} (the first: "
            f"{_first(reading)}): mend them, or allow more with {option_names.MAX_INVALID}"
        )


async def _raw(reading: Reading) -> AsyncGenerator[RawBatch, None]:
    async with aclosing(reading.source.blocks()) as blocks:
        async for block in blocks:
            for raw in reading.reader.feed(block):
                yield raw
                await asyncio.sleep(0)  # little may become much, once it is unpacked; a signal is to be heard
    for raw in reading.reader.flush():
        yield raw


def _first(reading: Reading) -> str:
    """What was lost first: a malformed entry, or rows that a quoted cell has swallowed."""
    entry, span = reading.first, reading.reader.span
    malformed = (entry.line, f"line {entry.line}: {why(entry)}") if entry else None
    return min(filter(None, (malformed, span)))[1]


def _nothing(reading: Reading) -> str:
    reader = reading.reader
    if not reading.invalid and not reading.blank:
        return "there is no reference in the input: hand in CSV, JSON, or one reference a line"
    column = (
        f"column '{reader.column}' was read" if reader.column else f"it was read as {FORMS[reader.form or 'lines']}"
    )
    return f"no line holds a reference; {column}: is it the right file, and the right {option_names.COLUMN}?"


def why(entry: InvalidEntry) -> str:
    """A malformed entry and what is wrong with it."""
    return ": ".join(filter(None, (f"'{entry.text}'", entry.reason)))
