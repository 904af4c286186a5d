"""Reads JSON: an array, a sequence of values (such as JSON lines), or an object around an array."""

from collections.abc import Iterator
from typing import Any, Final, Literal

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents.json_items import Items, places
from cancellist.jobs.parsing.documents.json_text import BLANKS, JsonText, Steps, skip
from cancellist.jobs.parsing.documents.json_wrapper import Wrapper, is_record
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY, too_long
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import RawBatch

_NOTHING: Final = object()


class JsonParser:
    """Reads a JSON document, with any line breaks.

    Attributes:
        form: `json` for an array, or an object around one; `jsonl` for a sequence of values.

    Args:
        column: the user's array or key.
        pattern: the pattern of references.
        line: the number of the first line.
    """

    notes: tuple[str, ...] = ()
    swallowed = 0
    span = None

    def __init__(self, column: str | None, pattern: ReferencePattern, line: int = 1) -> None:
        self._column = column
        self._pattern = pattern
        self._text = JsonText(line)
        self._out: list[RawBatch] = []
        self._items = Items(column, pattern, self._out)
        self._wrapper: Wrapper | None = None
        self._reading = self._document()
        self.form: Literal["json", "jsonl"] = "json"

    @property
    def column(self) -> str | None:
        """The array or key in use, as the user could give it to --column."""
        return self._items.key or (self._wrapper.column if self._wrapper else None)

    def parse(self, text: str, *, final: bool) -> list[RawBatch]:
        """Takes the next piece of text; returns the entries that are whole.

        Raises:
            InputError: the JSON is malformed or incomplete, has none of the forms, or it is not clear what is meant.
        """
        self._text.feed(text, final=final)
        next(self._reading, None)
        batches = self._out[:]
        self._out.clear()
        return batches

    def places(self, item: object) -> Iterator[str]:
        """The keys of an object that hold a reference."""
        return places(item, self._pattern)

    def _document(self) -> Steps[None]:
        first = yield from self._text.next(BLANKS)
        if first == "[":
            while (yield from self._text.next(BLANKS)) == "[":  # one array, or several, as pages are often kept
                self._text.at += 1
                yield from self._text.elements(self._items.take)
            yield from self._end("array")
        elif first == "{":
            yield from self._objects()
        else:
            self.form = "jsonl"
            yield from self._text.values(self._items.take)
        self._items.close()

    def _objects(self) -> Steps[None]:
        alone, item = yield from self._first()
        if not alone:
            self.form = "jsonl"
            yield from self._text.values(self._items.take)
            return
        line = self._text.line()
        if is_record(item, self._column, self._pattern):
            yield from self._text.value()
            yield from self._end("object")
            self._take_record(item, line)
            return
        self._wrapper = Wrapper(self._text, self._column, self._pattern, self._out)
        yield from self._wrapper.read()
        yield from self._end("object")
        if self._wrapper.arrays:
            return
        if item is _NOTHING:
            raise too_long(line)
        self._take_record(item, line)

    def _take_record(self, item: Any, line: int) -> None:
        self.form = "jsonl"
        self._items.take([item], [line])

    def _first(self) -> Steps[tuple[bool, Any]]:
        """Whether the first object is the only value, and the object, if it is short enough to be a record."""
        text = self._text
        while True:
            found = text.scan()
            if found and found[1] - text.at <= MAX_ENTRY:
                after = skip(BLANKS, text.text, found[1])
                if after < len(text.text):
                    return False, found[0]
                if text.final or after - text.at > 2 * MAX_ENTRY:
                    return True, found[0]
            elif found or len(text.text) - text.at > MAX_ENTRY:
                return True, _NOTHING
            elif text.final:
                text.at = len(text.text)
                raise text.fault("", "")
            yield

    def _end(self, what: str) -> Steps[None]:
        if (yield from self._text.next(BLANKS)):
            raise InputError(f"line {self._text.line()}: something follows the JSON {what}; hand in one {what} alone")
