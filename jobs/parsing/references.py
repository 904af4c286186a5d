"""What makes a raw string a reference: normalised, checked against the accepted pattern, or said to be malformed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.patterns import DEFAULT_PATTERN, MAX_LENGTH, WHITE_SPACE, ReferencePattern

__all__ = [
    "DEFAULT_PATTERN",
    "MAX_LENGTH",
    "NOISE",
    "Batch",
    "InvalidEntry",
    "RawBatch",
    "ReferencePattern",
    "among_words",
    "classify",
    "normalise",
    "shown",
]

# What spreadsheets, mail and web pages leave around a pasted reference: white space, zero-width characters,
# direction marks and byte order marks.
_UNSEEN: Final = (
    "\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
NOISE: Final = WHITE_SPACE + _UNSEEN
"""The characters that `normalise` takes off both ends."""

_UPPER: Final = {ord(small): small.upper() for small in "abcdefghijklmnopqrstuvwxyz"}
# What stands between words: blanks, ASCII signs but for the hyphen and the underscore, several hyphens, dashes,
# bullets and arrows.
_BETWEEN: Final = re.compile(r"(?:[\s!-,./:-@\[-^`{-~\u00a1-\u00bf\u2010-\u2027\u2190-\u21ff\u25a0-\u27bf]|--+)+")
_AROUND: Final = NOISE + "\"'.,;"


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """An entry that is not a reference: it is never sent, and its result is `invalid`.

    Attributes:
        line: the line of the input on which it begins, from 1.
        text: what stood there: at most 100 characters, what cannot be printed escaped.
        reason: why it is none.
    """

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Entries as a document holds them, in its order.

    Attributes:
        lines: the line on which each of `values` begins, from 1; as long as `values`.
        values: the entries, unchecked.
        invalid: what the document's own form shows to be no entry, such as a row with more cells than the header.
        blank: cells that hold nothing, where a reference could have been; they are no entries.
        rows: the whole rows of a table, parted into cells or not, or the objects, that `values` were taken from.
        without: the rows or objects in which that is blank.
    """

    lines: Sequence[int]
    values: list[str]
    invalid: tuple[InvalidEntry, ...] = ()
    blank: int = 0
    rows: Sequence[Any] = ()
    without: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What is left of a `RawBatch` once it is checked: `valid` normalised, both in the input's order."""

    valid: list[str]
    invalid: list[InvalidEntry]


def normalise(raw: str) -> str:
    """Take white space, zero-width characters and byte order marks off both ends, and upper-case a to z.

    Other letters keep their case: `str.upper` makes an S of a long s, and so a reference of what is none.
    """
    stripped = raw.strip(NOISE)
    return stripped.upper() if stripped.isascii() else stripped.translate(_UPPER)


def among_words(text: str, pattern: ReferencePattern) -> bool:
    """Say whether a text, which is no reference, holds one among other words or signs."""
    if pattern.matches(normalise(text.strip(_AROUND))):
        return False  # malformed by what is around it, which says nothing of it
    return any(pattern.matches(normalise(part)) for part in _BETWEEN.split(text) if part)


def classify(raw: RawBatch, pattern: ReferencePattern) -> Batch:
    """Part the references from the malformed entries.

    A batch without noise is checked as one text; `valid` may then be the very list of `raw`.
    """
    values = raw.values
    text = "\n".join(values)
    if not raw.invalid and text.isascii() and text.count("\n") == len(values) - 1:
        upper = text.upper()
        if pattern.matches_all(upper + "\n"):
            return Batch(values if upper == text else upper.split("\n"), [])
    valid: list[str] = []
    invalid = list(raw.invalid)
    for line, value in zip(raw.lines, values, strict=True):
        reference = normalise(value)
        if reason := _fault(reference, pattern):
            invalid.append(InvalidEntry(line, shown(value.strip(NOISE)), reason))
        else:
            valid.append(reference)
    invalid.sort(key=lambda entry: entry.line)
    return Batch(valid, invalid)


def _fault(reference: str, pattern: ReferencePattern) -> str:
    if not reference:
        return "empty"
    if len(reference) > MAX_LENGTH:
        return f"longer than {MAX_LENGTH} characters"
    if not reference.isprintable():
        return "holds a control character, or one that cannot be seen"
    if not pattern.matches(reference):
        return f"not a reference by the pattern {pattern.pattern}"
    return ""
