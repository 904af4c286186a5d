"""The text of a JSON document, which comes in pieces: values are taken off it as soon as they are whole.

What waits for more text is a generator that yields when it needs some; `Steps` is its type.
"""

import json
import re
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar, overload

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY, too_long
from cancellist.jobs.parsing.references import NOISE, shown

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
Take: TypeAlias = Callable[[list[Any], Sequence[int]], None]
"""Is given values, and the lines on which they begin."""

SPACE: Final = re.compile(r"[ \t\n\r]*")
BLANKS: Final = re.compile(f"[{re.escape(NOISE)}]*")
"""What may stand between the values of a document: files are put together with the marks they began with."""

_LONGEST_TOKEN: Final = len("-Infinity")


class Number(str):
    """A number as it is spelt: a pattern decides on it, and its length is no matter."""

    __slots__ = ()


class _RefusedError(ValueError):
    """What Python reads as JSON and is none, or means two things."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    raise _RefusedError(f"the key '{shown(twice)}' is twice in one object; hand in each once")


def _constant(name: str) -> Any:
    raise _RefusedError(f"{name} is not JSON; write null")


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_constant
)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = _JSON.scan_once  # type: ignore[attr-defined] # it is there in all


class JsonText:
    """Text and a place in it.

    Attributes:
        text: what is at hand.
        at: the place up to which it was taken.
        final: whether no more comes.
    """

    def __init__(self, line: int) -> None:
        self.text = ""
        self.at = 0
        self.final = False
        self._line = line

    def feed(self, text: str, *, final: bool) -> None:
        """Add text, and drop what was taken."""
        self._line = self.line()
        self.text = self.text[self.at :] + text
        self.at = 0
        self.final = final

    def line(self, at: int | None = None) -> int:
        """Give the line of a place."""
        return self._line + self.text.count("\n", 0, self.at if at is None else at)

    def next(self, blanks: "re.Pattern[str]" = SPACE) -> Steps[str]:
        """Pass over blanks and give the next character without taking it; nothing at the end."""
        while True:
            self.at = skip(blanks, self.text, self.at)
            if self.at < len(self.text) or self.final:
                return self.text[self.at : self.at + 1]
            yield

    def expect(self, wanted: str, where: str) -> Steps[str]:
        """Take the next character, which must be one of `wanted`.

        Raises:
            InputError: it is another.
        """
        found = yield from self.next()
        if not found or found not in wanted:
            raise self.fault(found, where)
        self.at += 1
        return found

    def fault(self, found: str, where: str) -> InputError:
        """Say that the JSON is malformed here, or ends here."""
        if not found:
            return InputError(f"line {self.line()}: the JSON breaks off; is the input whole?")
        return InputError(f"line {self.line()}: the JSON is malformed: '{shown(found)}' {where}")

    def scan(self) -> tuple[Any, int] | None:
        """Give the value at the place and where it ends; None where more text may make it whole.

        Raises:
            InputError: it is malformed.
        """
        try:
            found = _JSON.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            room = 0 if self.final else _LONGEST_TOKEN
            if error.msg.startswith("Unterminated") or skip(SPACE, self.text, error.pos) + room >= len(self.text):
                return None
            raise InputError(f"line {self.line(error.pos)}: the JSON is malformed: {error.msg}") from error
        except _RefusedError as error:
            raise InputError(f"line {self.line()}: {error}") from None
        except RecursionError as error:
            raise InputError(f"line {self.line()}: the JSON is nested too deeply") from error
        if self.final or self.text[self.at] in '{["':
            return found
        # A number may go on, and what goes on may be cut within `e+`.
        return found if self.text[found[1] : found[1] + len("e+0")].strip(".eE+-") else None

    def value(self) -> Steps[Any]:
        """Take the value at the place.

        Raises:
            InputError: it is malformed, too long, or breaks off.
        """
        while (found := self.scan()) is None:
            if self.final:
                self.at = len(self.text)
                raise self.fault("", "")
            if len(self.text) - self.at > MAX_ENTRY:
                raise too_long(self.line())
            yield
        self.at = found[1]
        return found[0]

    def elements(self, take: Take) -> Steps[None]:
        """Take the elements of an array, whose bracket was taken, and its end.

        Raises:
            InputError: it is malformed or breaks off.
        """
        found = yield from self.next()
        if found == "]":
            self.at += 1
            return
        while found != "]":
            yield from self.next()
            self._ahead(take)
            self._whole(take, SPACE, ",")
            found = yield from self.next()
            if not found or found in "],":
                raise self.fault(found, "in place of a value")
            line = self.line()
            take([(yield from self.value())], [line])
            found = yield from self.expect(",]", "in place of a comma")

    def values(self, take: Take) -> Steps[None]:
        """Take values that follow one another, to the document's end.

        Raises:
            InputError: one is malformed or breaks off.
        """
        while (yield from self.next(BLANKS)):
            before = self.at
            self._whole(take, BLANKS, "")
            if self.at == before:
                line = self.line()
                take([(yield from self.value())], [line])

    def _ahead(self, take: Take) -> None:
        """Take all up to the last element's end in one go, where that is found at once.

        A guessed end is right if what comes before it is a JSON array once brackets are put around it.
        """
        end = self.text.rfind("}," if self.text.startswith("{", self.at) else '",', self.at) + 1
        if not end:
            return
        part = self.text[self.at : end]
        try:
            items = _JSON.decode(f"[{part}]")
        except (ValueError, RecursionError):
            return
        take(items, Lines(part, self.line(), len(items)))
        self.at = skip(SPACE, self.text, end + 1)

    def _whole(self, take: Take, blanks: "re.Pattern[str]", separator: str) -> None:
        """Take the values that are whole and followed by the separator; what is malformed is left for `value`."""
        text, at, starts = self.text, self.at, list[int]()
        items: list[Any] = []
        try:
            while at < len(text):
                item, end = _scan(text, at)
                after = skip(blanks, text, end)
                if after == len(text) or not text.startswith(separator, after):
                    break
                items.append(item)
                starts.append(at)
                at = skip(blanks, text, after + len(separator))
        except (StopIteration, ValueError, RecursionError):
            pass
        if items:
            take(items, Lines(text, self._line, len(items), starts))
            self.at = at


class Lines(Sequence[int]):
    """The line on which each value of `text` begins, found only where one is asked for: where it is malformed.

    Args:
        text: the values; with commas between them where no places are given.
        line: the line on which the text begins.
        count: how many values there are.
        starts: the places at which they begin.
    """

    def __init__(self, text: str, line: int, count: int, starts: list[int] | None = None) -> None:
        self._text = text
        self._line = line
        self._count = count
        self._starts = starts

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
        numbers, line, before = list[int](), self._line, 0
        for start in self._starts if self._starts is not None else self._found():
            line += self._text.count("\n", before, start)
            numbers.append(line)
            before = start
        return numbers

    def _found(self) -> list[int]:
        starts, at = list[int](), 0
        while len(starts) < self._count:
            starts.append(skip(SPACE, self._text, at))
            at = skip(SPACE, self._text, _scan(self._text, starts[-1])[1]) + 1
        return starts


def is_string(line: str) -> bool:
    """Say whether a line is a JSON string and nothing else."""
    text = line.strip(NOISE)
    try:
        return text.startswith('"') and isinstance(_JSON.decode(text), str)
    except (ValueError, RecursionError):
        return False


def skip(blanks: "re.Pattern[str]", text: str, at: int) -> int:
    """Give the place after the blanks at `at`."""
    found = blanks.match(text, at)
    return found.end() if found else at


def spelt(item: Any) -> str:
    """Give a value as JSON, to be shown."""
    try:
        return shown(json.dumps(item, ensure_ascii=False))
    except RecursionError:
        return ""
