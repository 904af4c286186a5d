"""Recognises text among references that may change their meaning: headings, remarks, and references among words."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, InvalidEntry, RawBatch, among_words, normalise

_DIGIT: Final = re.compile(r"\d")
_NOTHING: Final = frozenset(
    {"-", "--", "\u2013", "\u2014", "?", "n/a", "na", "#n/a", "n.a.", "none", "null", "nil", "nan", "tbc", "tbd"}
    | {"unknown", "empty", "blank"}
)
"""Words that people and programs write into an empty cell."""
_PARTING: Final = re.compile(
    r"\b(keep|kept|retain(ed)?|hold|held|exclud(e|es|ed|ing)|except|ignored?|skip(ped)?|do\s+not|don.?t|but\s+not|never|"
    r"cancel(s|led|ling|lation|lations)?|deleted?|removed?|replaced?|replaces|leave|remaining|others?|following|section)\b",
    re.IGNORECASE,
)
"""Words that say which references are meant, or not meant."""
_KEEPING: Final = re.compile(
    r"\b(keep|kept|retain(ed)?|hold|held|exclud(e|es|ed|ing)|except|ignored?|skip(ped)?|do\s+not|don.?t|but\s+not|"
    r"never)\b",
    re.IGNORECASE,
)
"""The words among them that say which references are not meant."""
_OTHERS: Final = re.compile(r"\breplac(ed|ement|ements|es|ing)\b", re.IGNORECASE)
"""Words in the name of a column that may hold replacements."""
_WORD: Final = re.compile(r"[\W_]*[^\W\d_]{2,}[\W_]*|[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*")
"""A word: two letters or more, or one letter that is not ASCII."""
_LABEL: Final = re.compile(r"[^\W\d_][^:\uff1a\n]{0,60}(?::\s+|\uff1a\s*)\S|[^\W\d_][^:\n]{0,60}:.*@", re.DOTALL)
"""A labelled line like those above a mail, in any language: a word, a colon, and a text."""
_WORD_ENDS: Final = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_SET_OFF: Final = re.compile(r"([=\-*#~_+])\1|.*[:;]$", re.DOTALL)
"""Words between rows of signs, or before a colon."""
_PAIR: Final = 2
"""In a table of this many columns or fewer, a row with one filled cell may be an ordinary row."""


def check_alone(line: int, text: str, pattern: ReferencePattern, *, first: bool = False) -> None:
    """Refuses a malformed entry, alone on its line, that may divide references or change which are meant.

    Args:
        line: its line.
        text: its text.
        pattern: the pattern of references.
        first: whether it may be the list's header.

    Raises:
        InputError: it is a heading or a remark, or holds a reference among other words. On the first line it is
            refused only if it says that references are not meant.
    """
    if among_words(text, pattern):
        raise InputError(
            f"line {line}: '{shown(text.strip(NOISE))}' holds a reference among other words: leave one reference on "
            "each line and nothing else, or hand in CSV with a header"
        )
    if _LABEL.match(bare(text)) or (keeps(text) if first else is_remark(text)):
        raise remark(line, text)


def remark(line: int, text: str) -> InputError:
    """The error for a text that may divide references that are meant from others."""
    return InputError(
        f"line {line}: '{shown(text.strip(NOISE))}' looks like a heading or a remark among references: remove it, and "
        "keep only references that are to be cancelled"
    )


def is_words(text: str) -> bool:
    """Whether a text is only words or decoration, without a digit, and not a word for an empty cell."""
    return not _DIGIT.search(text) and not says_nothing(text) and text.strip(NOISE).isprintable()


def is_remark(text: str) -> bool:
    """Whether words or decoration may divide references that are meant from others.

    These are words that say what to do with references, words set off by signs, and labelled lines. Any other word
    among references is only malformed.
    """
    cell = bare(text)
    if says_nothing(text) or not cell.isprintable():
        return False
    return bool(_PARTING.search(cell) or _SET_OFF.match(cell) or _LABEL.match(cell))


def is_title(text: str) -> bool:
    """Whether a text is several words, with or without digits. Among references it may be a heading.

    A reference that is broken by blanks is not, since it has no word of letters only.
    """
    words = [word for word in text.split() if any(map(str.isalnum, word))]
    return len(words) > 1 and any(map(_WORD.fullmatch, words))


def may_head(text: str) -> bool:
    """Whether a text above a list may be its header: only words, and none that says what is not meant."""
    return (
        is_words(text)
        and bare(text)[:1].isalpha()
        and not (keeps(text) or _SET_OFF.match(bare(text)) or _LABEL.match(bare(text)))
    )


def keeps(text: str) -> bool:
    """Whether a text says that references are not meant."""
    return not says_nothing(text) and bool(_KEEPING.search(text))


def says_which(name: str) -> bool:
    """Whether a name such as `toCancel` or `kept_ones` says which references are meant."""
    return bool(_PARTING.search(_WORD_ENDS.sub(" ", name)))


def says_not(name: str) -> bool:
    """Whether a name such as `doNotCancel` or `replaced_by` says that the references under it are not meant."""
    words = _WORD_ENDS.sub(" ", name)
    return bool(_KEEPING.search(words) or _OTHERS.search(words))


def says_nothing(text: str) -> bool:
    """Whether a text is blank, or a usual word for an empty cell."""
    return (cell := bare(text).casefold()) in _NOTHING or not cell


def is_decoration(row: Sequence[str]) -> bool:
    """Whether a row only separates others: it has neither letters nor digits."""
    return not any(map(str.isalnum, "".join(row)))


def is_heading(row: Sequence[str], pattern: ReferencePattern) -> bool:
    """Whether a row may name columns: it has words, no digit and no reference."""
    return not any(map(_DIGIT.search, row)) and any(map(is_words, row)) and not places(row, pattern)


def places(row: Sequence[str], pattern: ReferencePattern) -> set[int]:
    """The positions of the cells of a row that are references."""
    return {at for at, cell in enumerate(row) if pattern.matches(normalise(bare(cell)))}


def filled(row: Sequence[str]) -> int:
    """The number of cells of a row that are not blank."""
    return sum(1 for cell in row if cell.strip(NOISE))


def questioned(raw: RawBatch, invalid: Sequence[InvalidEntry]) -> Iterator[tuple[int, int]]:
    """The lines of malformed entries, and their places in a batch."""
    for entry in invalid:
        at = bisect_left(raw.lines, entry.line)
        if at < len(raw.lines) and raw.lines[at] == entry.line:
            yield entry.line, at


class Titles:
    """Watches a list for lines of several words between references, which may divide them."""

    def __init__(self, pattern: ReferencePattern) -> None:
        self._pattern = pattern
        self._begun = False
        self._title: tuple[int, str] | None = None

    def look(self, raw: RawBatch, alone: Sequence[tuple[int, str]], *, holds: bool) -> None:
        """Checks a batch.

        Args:
            raw: its entries.
            alone: the lines and texts of malformed entries that are alone on their lines.
            holds: whether the batch has a reference.

        Raises:
            InputError: there are references both above and below such a line.
        """
        if self._title and holds:
            raise remark(*self._title)
        titles = [one for one in alone if is_title(one[1])]
        if titles and holds:
            held = [line for line, value in zip(raw.lines, raw.values, strict=True) if self._refers(value)]
            titles = [one for one in titles if self._begun or one[0] > held[0]]
            if titles and titles[0][0] < held[-1]:
                raise remark(*titles[0])
        if titles and not self._title and (self._begun or holds):
            self._title = titles[0]
        self._begun = self._begun or holds

    def _refers(self, value: str) -> bool:
        return self._pattern.matches(normalise(value))


class Headings:
    """Watches the rows of a table for the beginning of another table.

    Attributes:
        seen: whether a row with a reference, or with digits, was seen.
    """

    def __init__(self, position: int, width: int, pattern: ReferencePattern) -> None:
        self.seen = False
        self._position = position
        self._width = width
        self._pattern = pattern
        self._gap = False
        self._line = 0
        self._row: Sequence[str] = ()
        self._known: set[int] = set()
        self._last: Sequence[str] = ()

    @property
    def watching(self) -> bool:
        """Whether the next rows must be checked one by one."""
        return self._gap or bool(self._line)

    def part(self) -> None:
        """Notes a blank row."""
        self._gap = True

    def forget(self) -> None:
        """Notes that the row repeats the header."""
        self._gap, self._line = False, 0

    def look(self, line: int, row: Sequence[str]) -> None:
        """Checks the next row.

        Raises:
            InputError: a row of words above it begins another table.
        """
        if is_decoration(row):
            self._gap = True
            return
        gap, self._gap = self._gap, False
        last, self._last = self._last, row
        if not self.watching and not gap and _DIGIT.search("".join(row)):
            self.seen = True
            return
        held = places(row, self._pattern)
        if held and self._line:
            new = held - self._known
            if any(at < len(self._row) and self._row[at].strip(NOISE) for at in new) or not self._known:
                raise InputError(
                    f"line {self._line}: '{shown(' '.join(self._row).strip(NOISE))}' looks like a heading among "
                    "references: if another table or part begins there, hand in each as a file of its own"
                )
            self._line = 0
        self.seen = self.seen or bool(held)
        if held or not self.seen or self._line or not is_heading(row, self._pattern):
            return
        alone = filled(row) == 1 and (len(row) == 1 or self._width > _PAIR) and not (
            len(row) > self._position and row[self._position].strip(NOISE)
        )  # fmt: skip
        self._line, self._row = line, row
        self._known = set() if gap or alone else places(last, self._pattern) | {self._position}
