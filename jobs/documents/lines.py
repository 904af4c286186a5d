"""One reference a line; and the cutting of text into whole lines, which the other forms share."""

from typing import Final

from jobs.errors import InputError
from jobs.references import NOISE, RawBatch

MAX_ENTRY: Final = 1_000_000
"""Characters of a line, a record or an element, at most: what bounds the memory of reading."""

_SEPARATORS: Final = ",;"
_QUOTES: Final = "\"'"
_CLEANED: Final = frozenset(_SEPARATORS + _QUOTES)


class LineBuffer:
    """Holds back what is not a whole line yet.

    Attributes:
        line: the number of the first line that was not taken yet, from 1.
    """

    def __init__(self) -> None:
        self.line = 1
        self._rest = ""

    def take(self, text: str, *, final: bool) -> str:
        r"""Give the whole lines so far, each with its `\n`; at the end all that is left.

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
        """Count `lines` as taken and give their numbers."""
        start, self.line = self.line, self.line + lines
        return range(start, self.line)

    def put_back(self, text: str) -> None:
        """Hold back whole lines from the end of what was taken, which are no whole record yet."""
        self._rest = text + self._rest
        if len(self._rest) > MAX_ENTRY:
            raise too_long(self.line)


class LinesParser:
    """Reads one reference a line; blank lines, quotes around it and a separator after it are noise."""

    def __init__(self) -> None:
        self._buffer = LineBuffer()

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Take the next piece of text and give the entries that are whole."""
        taken = self._buffer.take(text, final=final)
        if not taken:
            return []
        values = taken[:-1].split("\n")
        lines = self._buffer.advance(len(values))
        if not _CLEANED.isdisjoint(taken):
            values = list(map(plain, values))
        if none_blank(values, taken):
            return [RawBatch(lines, values)]
        kept = [(line, value) for line, value in zip(lines, values, strict=True) if value.strip(NOISE)]
        return [RawBatch([line for line, _ in kept], [value for _, value in kept])]


def none_blank(values: list[str], text: str) -> bool:
    """Say whether each of `values`, parts of `text`, holds more than noise."""
    # Within ASCII, noise is what `strip` takes off by itself, four times as fast.
    return all(map(str.strip, values)) if text.isascii() else all(value.strip(NOISE) for value in values)


def plain(value: str) -> str:
    """Take a separator off the end of a line and the quotes off both."""
    value = value.strip(NOISE).rstrip(_SEPARATORS).strip(NOISE)
    if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        value = value[1:-1]
    return value


def too_long(line: int) -> InputError:
    """Say that an entry exceeds `MAX_ENTRY`."""
    return InputError(f"line {line}: an entry is longer than {MAX_ENTRY:,} characters; is this a list of references?")
