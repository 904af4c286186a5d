"""Reads one reference a line; and cuts text into whole lines for this form and CSV."""

import re
from collections.abc import Sequence
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.documents.cells import bare, without_blanks, wrapped
from cancellist.jobs.parsing.documents.headings import check_alone, may_head, questioned
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, InvalidEntry, RawBatch, normalise

MAX_ENTRY: Final = 1_000_000
"""The most characters of a line, a record or an element. It bounds the memory of reading."""

COMMENTS: Final = ("#", "//")
"""The beginnings of comment lines."""

_SEPARATORS: Final = ",;"
_CLEANED: Final = frozenset(_SEPARATORS)
_SIGNS: Final = "[]{}<>():#/"
# Brackets alone or beside quotes, brackets and colons at a line's end, [sections] and <tags>.
_STRUCTURE: Final = re.compile(
    r"""^[\[{(]\s*["']|["']\s*[\]}][,;]*$|^[\[\]{}()<>"',;:\s]*[\[\]{}()<>][\[\]{}()<>"',;:\s]*$"""
    r"""|[\[{(<:]["',;]*$|^\[[^\[\]]*\]$|^</?[a-z!?]""",
    re.IGNORECASE,
)


class LineBuffer:
    """Holds back an unfinished line.

    Attributes:
        line: the number of the first line that was not taken, from 1.
    """

    def __init__(self, line: int = 1) -> None:
        self.line = line
        self._rest = ""

    def take(self, text: str, *, final: bool) -> str:
        r"""Adds text; returns the whole lines so far, each with its `\n`, and at the end all that is left.

        Raises:
            InputError: a line is longer than `MAX_ENTRY`.
        """
        text = self._rest + text
        cut = len(text) if final else text.rfind("\n") + 1
        self._rest = text[cut:]
        if len(self._rest) > MAX_ENTRY:
            self.line += text.count("\n", 0, cut)
            raise too_long(self.line)
        return text[:cut] + "\n" if final and text and not text.endswith("\n") else text[:cut]

    def advance(self, lines: int) -> range:
        """Counts lines as taken; returns their numbers."""
        start, self.line = self.line, self.line + lines
        return range(start, self.line)

    def put_back(self, text: str) -> None:
        """Puts back the last lines that were taken, since they are no whole record yet."""
        self._rest = text + self._rest
        if len(self._rest) > MAX_ENTRY:
            raise too_long(self.line)


class LinesParser:
    """Reads one reference a line. Blank lines, quotes around a reference and a separator after it are ignored.

    Comments above the first entry are skipped. A text with a structure, such as brackets, headings or comments further
    down, is refused: the references of a part of it may not be meant.

    Attributes:
        notes: notes for the user.
    """

    swallowed = 0
    span = None
    column = None

    def __init__(self, pattern: ReferencePattern, line: int = 1) -> None:
        self.notes: tuple[str, ...] = ()
        self._pattern = pattern
        self._buffer = LineBuffer(line)
        self._begun = False
        self._first = 0

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Takes the next piece of text; returns the entries that are whole.

        Raises:
            InputError: the text has a structure.
        """
        taken = self._buffer.take(text, final=final)
        if not taken:
            return []
        values = taken[:-1].split("\n")
        lines: Sequence[int] = self._buffer.advance(len(values))
        if any(sign in taken for sign in _SIGNS) or not self._begun:
            lines, values = self._listed(lines, values)
        if not _CLEANED.isdisjoint(taken) or wrapped(taken):
            values = list(map(plain, values))
        # Blank lines are no entries, and are not counted.
        lines, values, _ = without_blanks(lines, values)
        if not self._first and lines:
            self._first = lines[0]
        return [RawBatch(lines, values)]

    def examine(self, raw: RawBatch, invalid: Sequence[InvalidEntry]) -> list[tuple[int, str]]:
        """Checks the malformed entries of a batch; returns them with their lines.

        Raises:
            InputError: one is a heading or a remark, or holds a reference among other words.
        """
        alone = [(line, raw.values[at]) for line, at in questioned(raw, invalid)]
        for line, text in alone:
            check_alone(line, text, self._pattern, first=line == self._first)
        return alone

    def places(self, _row: object) -> tuple[str, ...]:
        """The names of columns with references: none, since lines have no columns."""
        return ()

    def _listed(self, lines: Sequence[int], values: list[str]) -> tuple[Sequence[int], list[str]]:
        """Leaves out the comments at the beginning, and refuses a structure."""
        above = 0
        for at, (line, value) in enumerate(zip(lines, values, strict=True)):
            text = value.strip(NOISE)
            comment = text.startswith(COMMENTS) and not self._refers(text)
            if not self._begun and (comment or not text):
                above = at + 1
                self.notes = (f"comments were skipped, up to line {line}",) if comment else self.notes
            elif text:
                self._begun = True
                if (comment or _STRUCTURE.search(text)) and not self._refers(text):
                    raise InputError(
                        f"line {line}: '{shown(text)}' shows that this is no plain list (a heading, a remark or "
                        "brackets): hand in CSV, JSON, or one reference a line and nothing else"
                    )
        return lines[above:], values[above:]

    def _refers(self, text: str) -> bool:
        return self._pattern.matches(normalise(plain(text)))


def header_of(lines: Sequence[str], pattern: ReferencePattern) -> int | None:
    """The place of a list's header: only words, above lines that are all references; None without one."""
    filled = [at for at, line in enumerate(lines) if line.strip(NOISE)]
    while filled and lines[filled[0]].strip(NOISE).startswith(COMMENTS):
        filled.pop(0)
    if not filled or not may_head(lines[filled[0]]) or _STRUCTURE.search(lines[filled[0]].strip(NOISE)):
        return None
    head, below = plain(lines[filled[0]]), [plain(lines[at]) for at in filled[1:]]
    if pattern.matches(normalise(head)) or _may_be_one(head, below):
        return None
    return filled[0] if below and all(pattern.matches(normalise(entry)) for entry in below) else None


def _may_be_one(head: str, below: Sequence[str]) -> bool:
    """Whether words above references may be a mistyped reference: they have its separator, or only capitals."""
    return head.isupper() or ("-" in head and any("-" in entry for entry in below))


def plain(value: str) -> str:
    """Strips a separator from the end of a line, and what may surround a cell."""
    return bare(value.strip(NOISE).rstrip(_SEPARATORS))


def too_long(line: int) -> InputError:
    """The error for an entry longer than `MAX_ENTRY`."""
    return InputError(f"line {line}: an entry is longer than {MAX_ENTRY:,} characters; is this a list of references?")
