"""Scans the text of a JSON document that arrives in pieces. Values are taken as soon as they are whole.

A generator of type `Steps` yields when it needs more text.
"""

import json
import re
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar, overload

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY, too_long
from cancellist.jobs.parsing.references import NOISE

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
Take: TypeAlias = Callable[[list[Any], Sequence[int]], None]
"""Receives values, and the lines on which they begin."""

SPACE: Final = re.compile(r"[ \t\n\r]*")
BLANKS: Final = re.compile(f"[{re.escape(NOISE)}]*")
"""Blanks between the values of a document. Files that were joined may have byte order marks there."""

_LONGEST_TOKEN: Final = len("-Infinity")


class Number(str):
    """A number as it is spelt, of any length. The pattern decides whether it is a reference."""

    __slots__ = ()


class _RefusedError(ValueError):
    """A text that Python accepts although it is no JSON, or is ambiguous."""


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
    """The text at hand and a position in it.

    Attributes:
        text: the text at hand.
        at: the position up to which it was taken.
        final: whether no more text comes.
    """

    def __init__(self, line: int) -> None:
        self.text = ""
        self.at = 0
        self.final = False
        self._line = line

    def feed(self, text: str, *, final: bool) -> None:
        """Adds text, and drops what was taken."""
        self._line = self.line()
        self.text = self.text[self.at :] + text
        self.at = 0
        self.final = final

    def line(self, at: int | None = None) -> int:
        """The line of a position, by default the present one."""
        return self._line + self.text.count("\n", 0, self.at if at is None else at)

    def next(self, blanks: "re.Pattern[str]" = SPACE) -> Steps[str]:
        """Skips blanks; returns the next character without taking it, or an empty text at the end."""
        while True:
            self.at = skip(blanks, self.text, self.at)
            if self.at < len(self.text) or self.final:
                return self.text[self.at : self.at + 1]
            yield

    def expect(self, wanted: str, where: str) -> Steps[str]:
        """Takes the next character, which must be one of `wanted`.

        Raises:
            InputError: it is another character.
        """
        found = yield from self.next()
        if not found or found not in wanted:
            raise self.fault(found, where)
        self.at += 1
        return found

    def fault(self, found: str, where: str) -> InputError:
        """The error for JSON that is malformed or ends here."""
        if not found:
            return InputError(f"line {self.line()}: the JSON breaks off; is the input whole?")
        return InputError(f"line {self.line()}: the JSON is malformed: '{shown(found)}' {where}")

    def scan(self) -> tuple[Any, int] | None:
        """The value at the position, and where it ends; None where more text is needed.

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
        # A number may continue in the next piece, and this piece may end inside of `e+`.
        return found if self.text[found[1] : found[1] + len("e+0")].strip(".eE+-") else None

    def value(self) -> Steps[Any]:
        """Takes the value at the position.

        Raises:
            InputError: it is malformed, too long or incomplete.
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
        """Takes the elements of an array, whose opening bracket was taken, and its end.

        Raises:
            InputError: the array is malformed or incomplete.
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
        """Takes a sequence of values to the document's end.

        Raises:
            InputError: a value is malformed or incomplete.
        """
        while (yield from self.next(BLANKS)):
            before = self.at
            self._whole(take, BLANKS, "")
            if self.at == before:
                line = self.line()
                take([(yield from self.value())], [line])

    def _ahead(self, take: Take) -> None:
        """Takes all elements up to the last whole one in one go, if its end is easy to find.

        A guessed end is right if the text before it, in brackets, is a JSON array.
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
        """Takes the values that are whole and followed by the separator; leaves malformed ones to `value`."""
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
    """The line on which each value of a text begins. They are computed on first use, which only malformed values need.

    Args:
        text: the values; separated by commas if `starts` is None.
        line: the line on which the text begins.
        count: the number of values.
        starts: the positions at which they begin.
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
    """Whether a line is a JSON string and nothing else."""
    text = line.strip(NOISE)
    try:
        return text.startswith('"') and isinstance(_JSON.decode(text), str)
    except (ValueError, RecursionError):
        return False


def skip(blanks: "re.Pattern[str]", text: str, at: int) -> int:
    """The position after the blanks at `at`."""
    found = blanks.match(text, at)
    return found.end() if found else at


def spelt(item: Any) -> str:
    """A value as JSON, for messages."""
    try:
        return shown(json.dumps(item, ensure_ascii=False))
    except RecursionError:
        return ""
