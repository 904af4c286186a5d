"""The body of `PUT /consignments/cancellist`: a JSON array of strings of any length, read as it comes."""

import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Final

import orjson

from cancellist.api.facade.platform_errors import RefusedError

_LONGEST: Final = 4096
"""Characters of one entry, quoted; no reference is so long."""
_BATCH: Final = 1000
_BLANKS: Final = " \t\r\n"
_TOKEN: Final = re.compile(r'[ \t\r\n]*(?:("(?:[^"\\\x00-\x1f]|\\.)*")|([\[\],]))')
_BEGINS: Final = frozenset('{["-0123456789tfn')
"""What a JSON value begins with."""
NOT_JSON: Final = "The request body is not valid JSON"
NO_LIST: Final = "The request body must be a list of at least one consignment reference"
NO_TEXT: Final = "Each consignment reference must be a string"


class ListReader:
    """Takes the strings out of the text of an array."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._wants = "["
        self._empty = True

    def feed(self, block: bytes, *, final: bool = False) -> Iterator[str]:
        """The strings that end in a block.

        Raises:
            RefusedError: it is no such array.
        """
        try:
            self._text += self._decoder.decode(block, final)
        except UnicodeDecodeError:
            raise _refused(NOT_JSON) from None
        at = 0
        while found := _TOKEN.match(self._text, at):
            at = found.end()
            value, sign = found.groups()
            if value is None:
                self._sign(sign)
            else:
                yield self._value(value)
        self._text = self._text[at:].lstrip(_BLANKS)
        self._look_at_rest(final=final)

    def _sign(self, sign: str) -> None:
        """Goes on behind a bracket or a comma: `_wants` says what may follow."""
        follows = {("[", "["): "first", (",", ","): "value", (",", "]"): "end", ("first", "]"): "end"}
        wants = follows.get((self._wants, sign))
        if wants is None:
            raise _refused(NO_TEXT if sign == "[" and self._wants in {"first", "value"} else NOT_JSON)
        self._wants = wants

    def _value(self, quoted: str) -> str:
        if self._wants not in {"first", "value"}:
            raise _refused(NO_LIST if self._wants == "[" else NOT_JSON)
        try:
            value: str = orjson.loads(quoted)
        except orjson.JSONDecodeError:
            raise _refused(NOT_JSON) from None
        if not value:
            raise _refused(NO_TEXT)
        self._wants, self._empty = ",", False
        return value

    def _look_at_rest(self, *, final: bool) -> None:
        """Looks at what is no token, or not yet."""
        rest = self._text
        if rest and (rest[0] != '"' or len(rest) > _LONGEST):
            wrong = {"[": NO_LIST, "first": NO_TEXT, "value": NO_TEXT}.get(self._wants, NOT_JSON)
            raise _refused(wrong if rest[0] in _BEGINS else NOT_JSON)
        if final and self._wants != "end":
            raise _refused(NOT_JSON)
        if final and self._empty:
            raise _refused(NO_LIST)


async def read(blocks: AsyncIterator[bytes]) -> AsyncGenerator[list[str], None]:
    """The strings, some at a time.

    Raises:
        RefusedError: the body is no array of them.
    """
    reader, found = ListReader(), list[str]()
    async with aclosing(_with_end(blocks)) as parts:
        async for block, final in parts:
            for value in reader.feed(block, final=final):
                found.append(value)
                if len(found) == _BATCH:
                    yield found
                    found = []
    if found:
        yield found


async def _with_end(blocks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[bytes, bool], None]:
    async for block in blocks:
        yield block, False
    yield b"", True


def _refused(words: str) -> RefusedError:
    return RefusedError(400, "invalid_request", words)
