"""JSON: an array read as a stream, or one value a line."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, overload

from jobs.documents.columns import choose, locate
from jobs.documents.lines import MAX_ENTRY, LineBuffer, too_long
from jobs.errors import InputError
from jobs.references import NOISE, InvalidEntry, RawBatch, ReferencePattern, shown

# Numbers are kept as they are spelt: a pattern decides on them, and their length is no matter.
_JSON: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_LONGEST_TOKEN: Final = len("-Infinity")
_SPACE: Final = re.compile(r"[ \t\n]*")


class Extract:
    """Takes the reference out of JSON values: a string is one, an object holds it under `key`.

    Attributes:
        key: settled by the first object.
    """

    def __init__(self, column: str | None, pattern: ReferencePattern) -> None:
        self.key: str | None = None
        self._column = column
        self._pattern = pattern

    def batch(self, items: list[Any], lines: Sequence[int]) -> RawBatch:
        """Give the references of `items`, and as invalid those that hold none.

        Raises:
            InputError: the first object does not tell which of its keys is meant.
        """
        kinds = set(map(type, items))
        if kinds == {str}:
            return RawBatch(lines, items)
        if self.key is None and dict in kinds:
            self.key = self._find_key(next(item for item in items if isinstance(item, dict)))
        if self.key is not None and kinds == {dict}:
            values = [item.get(self.key) for item in items]
            if set(map(type, values)) == {str}:
                return RawBatch(lines, values)
        return self._one_by_one(items, lines)

    def _one_by_one(self, items: list[Any], lines: Sequence[int]) -> RawBatch:
        kept: list[int] = []
        values: list[str] = []
        invalid: list[InvalidEntry] = []
        for line, item in zip(lines, items, strict=True):
            value = self._of(item) if isinstance(item, dict) else item
            if isinstance(value, str):
                kept.append(line)
                values.append(value)
            else:
                reason = f"no string under {self.key!r}" if isinstance(item, dict) else "neither a string nor an object"
                invalid.append(InvalidEntry(line, _spelt(item), reason))
        return RawBatch(kept, values, tuple(invalid))

    def _of(self, item: dict[str, Any]) -> Any:
        if self.key is None or self.key in item:
            return item.get(self.key or "")
        names = list(item)
        position = locate(names, self.key)
        return None if position is None else item[names[position]]

    def _find_key(self, item: dict[str, Any]) -> str:
        names = list(item)
        row = [value if isinstance(value, str) else "" for value in item.values()]
        return names[choose(names, [row], self._column, self._pattern)]


class JsonLinesParser:
    """Reads one JSON value a line; a line that is none is a malformed entry, not the end."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._buffer = LineBuffer()

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Take the next piece of text and give the entries that are whole."""
        taken = self._buffer.take(text, final=final)
        if not taken:
            return []
        texts = taken[:-1].split("\n")
        lines = self._buffer.advance(len(texts))
        try:
            items, ends = zip(*map(_JSON.raw_decode, texts), strict=True)
        except (json.JSONDecodeError, RecursionError):
            return [self._one_by_one(texts, lines)]
        if list(ends) != list(map(len, texts)):
            return [self._one_by_one(texts, lines)]
        return [self._extract.batch(list(items), lines)]

    def _one_by_one(self, texts: list[str], lines: Sequence[int]) -> RawBatch:
        kept: list[int] = []
        items: list[Any] = []
        broken: list[InvalidEntry] = []
        for line, text in zip(lines, texts, strict=True):
            bare = text.strip(NOISE)
            if not bare:
                continue
            try:
                items.append(_JSON.decode(bare))
            except (json.JSONDecodeError, RecursionError):
                broken.append(InvalidEntry(line, shown(bare), "not JSON"))
            else:
                kept.append(line)
        if not items:
            return RawBatch([], [], tuple(broken))
        batch = self._extract.batch(items, kept)
        return RawBatch(batch.lines, batch.values, (*batch.invalid, *broken))


class JsonArrayParser:
    """Reads the elements of one JSON array; it must be whole."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._line = 1
        self._text = ""
        self._opened = False
        self._closed = False

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Take the next piece of text and give the elements that are whole.

        Raises:
            InputError: it is malformed, breaks off, or something follows it.
        """
        self._text += text
        if not self._opened:
            self._opened = True
            self._drop(self._text.index("[") + 1)
        batches = [] if self._closed else [*self._many(), *self._one_by_one(final=final)]
        if self._closed:
            rest = self._text.lstrip(NOISE)
            if rest:
                self._drop(len(self._text) - len(rest))
                raise InputError(f"line {self._line}: something follows the JSON array; hand in one array alone")
            self._drop(len(self._text))
        elif final:
            self._drop(len(self._text))
            raise InputError(f"line {self._line}: the JSON array breaks off; is the input whole?")
        elif len(self._text) > MAX_ENTRY:
            raise too_long(self._line)
        return batches

    def _many(self) -> Iterator[RawBatch]:
        """Read all up to the last element's end in one go, where that is found at once.

        A guessed end is right if what comes before it is a JSON array once brackets are put around it.
        """
        start = _skip_space(self._text, 0)
        end = self._text.rfind("}," if self._text.startswith("{", start) else '",') + 1
        if not end:
            return
        part = self._text[:end]
        try:
            items = _JSON.decode(f"[{part}]")
        except (json.JSONDecodeError, RecursionError):
            return
        lines = _ElementLines(part, self._line, len(items))
        self._drop(end + 1)
        yield self._extract.batch(items, lines)

    def _one_by_one(self, *, final: bool) -> Iterator[RawBatch]:
        items: list[Any] = []
        lines: list[int] = []
        line, at = self._line, 0
        while True:
            start = _skip_space(self._text, at)
            line += self._text.count("\n", at, start)
            at = start
            if self._text.startswith("]", start):
                self._closed = True
                at += 1
                break
            found = self._element(start, line, final=final)
            if found is None:
                break
            item, end = found
            items.append(item)
            lines.append(line)
            line += self._text.count("\n", at, end)
            at = end
        self._drop(at)
        if items:
            yield self._extract.batch(items, lines)

    def _element(self, start: int, line: int, *, final: bool) -> tuple[Any, int] | None:
        """Give the element at `start` and where the next one begins; None where more text may make it whole."""
        text = self._text
        try:
            item, end = _JSON.raw_decode(text, start)
        except json.JSONDecodeError as error:
            room = 0 if final else _LONGEST_TOKEN
            if _skip_space(text, error.pos) + room < len(text) and not error.msg.startswith("Unterminated"):
                at = line + text.count("\n", start, error.pos)
                raise InputError(f"line {at}: the JSON array is malformed: {error.msg}") from error
            return None
        except RecursionError as error:
            raise InputError(f"line {line}: the JSON is nested too deeply") from error
        end = _skip_space(text, end)
        if end == len(text):
            return None
        if text[end] == ",":
            return item, end + 1
        if text[end] == "]":
            return item, end
        at = line + text.count("\n", start, end)
        raise InputError(f"line {at}: the JSON array is malformed: there is no comma after an element")

    def _drop(self, count: int) -> None:
        self._line += self._text.count("\n", 0, count)
        self._text = self._text[count:]


class _ElementLines(Sequence[int]):
    """The line on which each element of `part` begins, found only where one is asked for: where it is malformed."""

    def __init__(self, part: str, line: int, count: int) -> None:
        self._part = part
        self._line = line
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._numbers[index]

    @cached_property
    def _numbers(self) -> list[int]:
        numbers: list[int] = []
        line, at = self._line, 0
        while len(numbers) < self._count:
            start = _skip_space(self._part, at)
            line += self._part.count("\n", at, start)
            numbers.append(line)
            end = _skip_space(self._part, _JSON.raw_decode(self._part, start)[1]) + 1
            line += self._part.count("\n", start, end)
            at = end
        return numbers


def is_string(line: str) -> bool:
    """Say whether a line is a JSON string and nothing else."""
    bare = line.strip(NOISE)
    try:
        return bare.startswith('"') and isinstance(_JSON.decode(bare), str)
    except json.JSONDecodeError:
        return False


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _spelt(item: Any) -> str:
    try:
        return shown(json.dumps(item, ensure_ascii=False))
    except RecursionError:
        return ""
