"""What stands among references and is none: headings, remarks, and references among other words."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.references import (
    NOISE,
    InvalidEntry,
    RawBatch,
    ReferencePattern,
    among_words,
    normalise,
    shown,
)

_DIGIT: Final = re.compile(r"\d")
_NOTHING: Final = frozenset(
    {"-", "--", "\u2013", "\u2014", "?", "n/a", "na", "#n/a", "n.a.", "none", "null", "nil", "nan", "tbc", "tbd"}
    | {"unknown", "empty", "blank"}
)
"""What people and programs write into a cell that holds nothing."""
_PARTING: Final = re.compile(
    r"\b(keep|kept|retain(ed)?|hold|held|exclud(e|es|ed|ing)|except|ignored?|skip(ped)?|do\s+not|don.?t|but\s+not|never|"
    r"cancel(s|led|ling|lation|lations)?|deleted?|removed?|replaced?|replaces|leave|remaining|others?|following|section)\b",
    re.IGNORECASE,
)
"""Words that say which references are meant."""
_KEEPING: Final = re.compile(
    r"\b(keep|kept|retain(ed)?|hold|held|exclud(e|es|ed|ing)|except|ignored?|skip(ped)?|do\s+not|don.?t|but\s+not|"
    r"never)\b",
    re.IGNORECASE,
)
"""Those of them that say which are not."""
_OTHERS: Final = re.compile(r"\breplac(ed|ement|ements|es|ing)\b", re.IGNORECASE)
"""Words in a name that may be of what stands in another's place."""
_WORD: Final = re.compile(r"[\W_]*[^\W\d_]{2,}[\W_]*|[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*")
"""Two letters or more, or one that is not ASCII, which may be a word by itself."""
_LABEL: Final = re.compile(r"[^\W\d_][^:\uff1a\n]{0,60}(?::\s+|\uff1a\s*)\S|[^\W\d_][^:\n]{0,60}:.*@", re.DOTALL)
"""A line such as those above a mail, in any language: a word, a colon, and a text."""
_WORD_ENDS: Final = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_SET_OFF: Final = re.compile(r"([=\-*#~_+])\1|.*[:;]$", re.DOTALL)
"""Words between lines of signs, or before a colon."""
_PAIR: Final = 2
"""Columns of a table in which a row with one cell filled may be a row like others."""


def check_alone(line: int, text: str, pattern: ReferencePattern, *, first: bool = False) -> None:
    """Refuse an entry, which is no reference and has nothing beside it, where it parts or qualifies references.

    Args:
        line: where it stands.
        text: what it is.
        pattern: what a reference looks like.
        first: whether it may be the list's header.

    Raises:
        InputError: it is a heading or a remark, or holds a reference among other words. Above a list only what says
            that it is not meant is.
    """
    if among_words(text, pattern):
        raise InputError(
            f"line {line}: '{shown(text.strip(NOISE))}' holds a reference among other words: leave one reference on "
            "each line and nothing else, or hand in CSV with a header"
        )
    if _LABEL.match(bare(text)) or (keeps(text) if first else is_remark(text)):
        raise remark(line, text)


def remark(line: int, text: str) -> InputError:
    """Say that a text may part references that are meant from others."""
    return InputError(
        f"line {line}: '{shown(text.strip(NOISE))}' stands among references as a heading or a remark: take it out, and "
        "leave only references that are to be cancelled"
    )


def is_words(text: str) -> bool:
    """Say whether a text is words or decoration alone, without a digit, and not a way to say that there is nothing."""
    return not _DIGIT.search(text) and not says_nothing(text) and text.strip(NOISE).isprintable()


def is_remark(text: str) -> bool:
    """Say whether words or decoration may part references that are meant from others.

    Words that say what is to be done with them do, and words that are set off by signs, or follow a label. Any other
    word among references is merely malformed.
    """
    cell = bare(text)
    if says_nothing(text) or not cell.isprintable():
        return False
    return bool(_PARTING.search(cell) or _SET_OFF.match(cell) or _LABEL.match(cell))


def is_title(text: str) -> bool:
    """Say whether a text is several words, with digits or without: among references it may be a heading.

    A reference that blanks have broken is not: it has no word of letters alone.
    """
    words = [word for word in text.split() if any(map(str.isalnum, word))]
    return len(words) > 1 and any(map(_WORD.fullmatch, words))


def may_head(text: str) -> bool:
    """Say whether a text, above a list, may be its header: words alone, and none that say what is not meant."""
    return (
        is_words(text)
        and bare(text)[:1].isalpha()
        and not (keeps(text) or _SET_OFF.match(bare(text)) or _LABEL.match(bare(text)))
    )


def keeps(text: str) -> bool:
    """Say whether words say that something is not meant."""
    return not says_nothing(text) and bool(_KEEPING.search(text))


def says_which(name: str) -> bool:
    """Say whether a name, such as `toCancel` or `kept_ones`, says which references are meant."""
    return bool(_PARTING.search(_WORD_ENDS.sub(" ", name)))


def says_not(name: str) -> bool:
    """Say whether a name, such as `doNotCancel` or `replaced_by`, says that references under it are not meant."""
    words = _WORD_ENDS.sub(" ", name)
    return bool(_KEEPING.search(words) or _OTHERS.search(words))


def says_nothing(text: str) -> bool:
    """Say whether a text is blank, or a usual word for it."""
    return (cell := bare(text).casefold()) in _NOTHING or not cell


def is_decoration(row: Sequence[str]) -> bool:
    """Say whether a row is there to part others: it holds neither letters nor digits."""
    return not any(map(str.isalnum, "".join(row)))


def is_heading(row: Sequence[str], pattern: ReferencePattern) -> bool:
    """Say whether a row may name columns: words alone, and no reference."""
    return not any(map(_DIGIT.search, row)) and any(map(is_words, row)) and not places(row, pattern)


def places(row: Sequence[str], pattern: ReferencePattern) -> set[int]:
    """Give the cells of a row that are references."""
    return {at for at, cell in enumerate(row) if pattern.matches(normalise(bare(cell)))}


def filled(row: Sequence[str]) -> int:
    """Give how many cells of a row hold something."""
    return sum(1 for cell in row if cell.strip(NOISE))


def questioned(raw: RawBatch, invalid: Sequence[InvalidEntry]) -> Iterator[tuple[int, int]]:
    """Give the lines of malformed entries, and their places in a batch."""
    for entry in invalid:
        at = bisect_left(raw.lines, entry.line)
        if at < len(raw.lines) and raw.lines[at] == entry.line:
            yield entry.line, at


class Titles:
    """Watches a list for several words in a line that stand between references, and so may part them."""

    def __init__(self, pattern: ReferencePattern) -> None:
        self._pattern = pattern
        self._begun = False
        self._title: tuple[int, str] | None = None

    def look(self, raw: RawBatch, alone: Sequence[tuple[int, str]], *, holds: bool) -> None:
        """Look at a batch.

        Args:
            raw: its entries.
            alone: its malformed entries that have nothing beside them, and their lines.
            holds: whether it has a reference.

        Raises:
            InputError: references stand above such words, and below them.
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
    """Watches the rows of a table for the beginning of another one.

    Attributes:
        watching: whether the next row has to be looked at.
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
        """Whether the rows to come have to be looked at, one by one."""
        return self._gap or bool(self._line)

    def part(self) -> None:
        """Take note of a blank row."""
        self._gap = True

    def forget(self) -> None:
        """Take note that the row is the header once more."""
        self._gap, self._line = False, 0

    def look(self, line: int, row: Sequence[str]) -> None:
        """Look at the next row.

        Raises:
            InputError: a row of words above it has begun another table.
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
                    f"line {self._line}: '{shown(' '.join(self._row).strip(NOISE))}' stands among references as a "
                    "heading does: where another table or part begins there, hand them in apart, as several files"
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
