"""Reads the inputs of a job block by block: parses, checks, removes duplicates, and judges each input at its end."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

from cancellist.jobs import option_names
from cancellist.jobs.errors import InputError, NoReferencesError
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.limits import Limit
from cancellist.jobs.parsing.documents import FORMS, Hints, Reader
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import InvalidEntry, RawBatch, classify

LISTED: Final = 20
"""Malformed entries that are listed; the rest is only counted."""
MAX_INVALID: Final = Limit(percent=10)
"""The default limit of an input's malformed entries."""


class Input(Protocol):
    """An input: a file, or the body of a request."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """Its bytes, in blocks of any length.

        Raises:
            InputError: the input cannot be read.
        """


class Entries(Protocol):
    """What is to be handed in, and how much of it there is, once all of it has been read."""

    @property
    def duplicates(self) -> int:
        """References left out, because they were named before."""

    @property
    def invalid(self) -> int:
        """Malformed entries."""

    @property
    def blank(self) -> int:
        """Cells without anything where a reference could have been."""

    @property
    def total(self) -> int:
        """What will get a result."""

    def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """References, each once, and malformed entries.

        Raises:
            InputError: they are not to be handed in.
        """


@dataclass(frozen=True, slots=True)
class MalformedEntry:
    """A malformed entry to be shown, and its file."""

    file: str
    entry: InvalidEntry


class FileReading:
    """One file: its reader and counts.

    Attributes:
        references: its references, including duplicates.
        invalid: malformed entries.
        blank: empty cells in the place of a reference.
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
        """The file's name."""
        return self.source.name


class Feed:
    """Gives the references of all files in order, each once, and the malformed entries.

    Attributes:
        readings: the files that were read so far; the last may be unfinished.
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
        self.readings: list[FileReading] = []
        self.valid = 0
        self.listed: list[MalformedEntry] = []
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
        """The pattern of references."""
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
        """Duplicates left out so far."""
        return self._deduplicator.duplicates

    @property
    def total(self) -> int:
        """The results that the job will have: one for each distinct reference and each malformed entry."""
        return self.valid + self.invalid

    async def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """Reads all files, and judges each at its end.

        Raises:
            InputError: a file cannot be read, has no reference, or has too many malformed entries.
        """
        for source in self._sources:
            reading = FileReading(source, Reader(hints=self._hints, pattern=self._pattern))
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

    def _check(self, reading: FileReading, raw: RawBatch) -> tuple[list[str], list[InvalidEntry]]:
        checked = classify(raw, self._pattern)
        reading.reader.examine(raw, checked.invalid)
        fresh = self._deduplicator.unique(checked.valid)
        invalid = checked.invalid
        self.valid += len(fresh)
        reading.references += len(checked.valid)
        reading.invalid += len(invalid)
        reading.first = reading.first or next(iter(invalid), None)
        reading.blank += raw.blank
        self.listed += [MalformedEntry(reading.name, entry) for entry in invalid[: self._most - len(self.listed)]]
        if self.several:
            invalid = [replace(entry, reason=f"{entry.reason}, in {reading.name}") for entry in invalid]
        return fresh, invalid

    def _judge(self, reading: FileReading) -> None:
        """Judges a file after its last block.

        Raises:
            InputError: the file has no reference, or too many malformed entries.
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
            f"{_first(reading)}): correct them, or allow more with {option_names.MAX_INVALID}"
        )


async def _raw(reading: FileReading) -> AsyncGenerator[RawBatch, None]:
    async with aclosing(reading.source.blocks()) as blocks:
        async for block in blocks:
            for raw in reading.reader.feed(block):
                yield raw
                await asyncio.sleep(0)  # a small compressed block may hold many batches; signals must be handled
    for raw in reading.reader.flush():
        yield raw


def _first(reading: FileReading) -> str:
    """Describes the first loss: a malformed entry, or rows inside of a quoted cell."""
    entry, span = reading.first, reading.reader.span
    malformed = (entry.line, f"line {entry.line}: {why(entry)}") if entry else None
    return min(filter(None, (malformed, span)))[1]


def _nothing(reading: FileReading) -> str:
    reader = reading.reader
    if not reading.invalid and not reading.blank:
        return "there is no reference in the input: hand in CSV, JSON, or one reference a line"
    column = (
        f"column '{reader.column}' was read" if reader.column else f"it was read as {FORMS[reader.form or 'lines']}"
    )
    return f"no line holds a reference; {column}: is it the right file, and the right {option_names.COLUMN}?"


def why(entry: InvalidEntry) -> str:
    """Describes a malformed entry and its fault."""
    return ": ".join(filter(None, (f"'{entry.text}'", entry.reason)))
