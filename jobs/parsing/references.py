"""Normalises raw strings, and sorts them into references and malformed entries."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.patterns import MAX_LENGTH, WHITE_SPACE, ReferencePattern

# Spreadsheets, mail and web pages leave these around a pasted reference: white space, zero-width characters, direction
# marks and byte order marks.
_UNSEEN: Final = (
    "\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
NOISE: Final = WHITE_SPACE + _UNSEEN
"""The characters that `normalise` strips."""

_UPPER: Final = {ord(small): small.upper() for small in "abcdefghijklmnopqrstuvwxyz"}
# Separators of words: blanks, ASCII signs except the hyphen and the underscore, several hyphens, dashes, bullets and
# arrows.
_BETWEEN: Final = re.compile(r"(?:[\s!-,./:-@\[-^`{-~\u00a1-\u00bf\u2010-\u2027\u2190-\u21ff\u25a0-\u27bf]|--+)+")
_AROUND: Final = NOISE + "\"'.,;"


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """An entry that is no reference. It is never sent, and its result is `invalid`.

    Attributes:
        line: the line of the input on which it begins, from 1.
        text: its text, cut to 100 characters, with unprintable characters escaped.
        reason: why it is no reference.
    """

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Unchecked entries of a document, in its order.

    Attributes:
        lines: the line on which each of `values` begins, from 1; as long as `values`.
        values: the entries, unchecked.
        invalid: entries that the document's form shows to be malformed, such as a row with more cells than the header.
        blank: empty cells in the place of a reference. They are no entries.
        rows: the whole rows (split into cells or not) or objects from which `values` were taken.
        without: the rows or objects whose cell is empty.
    """

    lines: Sequence[int]
    values: list[str]
    invalid: tuple[InvalidEntry, ...] = ()
    blank: int = 0
    rows: Sequence[Any] = ()
    without: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """A checked `RawBatch`: normalised references, and malformed entries, both in the input's order."""

    valid: list[str]
    invalid: list[InvalidEntry]


def normalise(raw: str) -> str:
    """Strips white space, zero-width characters and byte order marks, and converts a to z to upper case.

    Other letters keep their case: `str.upper` turns a long s into S, and could make a reference of another text.
    """
    stripped = raw.strip(NOISE)
    return stripped.upper() if stripped.isascii() else stripped.translate(_UPPER)


def checked(raw: str, patterns: Iterable[ReferencePattern]) -> str | None:
    """The reference that a text is by one of these patterns; None where it is none."""
    reference = normalise(raw)
    return reference if any(not _fault(reference, pattern) for pattern in patterns) else None


def among_words(text: str, pattern: ReferencePattern) -> bool:
    """Whether a text that is no reference holds one among other words or signs."""
    if pattern.matches(normalise(text.strip(_AROUND))):
        return False  # only the signs around it make it malformed
    return any(pattern.matches(normalise(part)) for part in _BETWEEN.split(text) if part)


def classify(raw: RawBatch, pattern: ReferencePattern) -> Batch:
    """Separates references from malformed entries.

    A batch without noise is checked as one text, and `valid` may then be the same list as in `raw`.
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
