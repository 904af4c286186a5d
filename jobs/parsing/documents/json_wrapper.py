"""A JSON object that wraps one array, or is one record: read key by key, so that the array may be of any length."""

from collections.abc import Sequence
from typing import Any, Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.option_names import COLUMN
from cancellist.jobs.parsing.documents.columns import folded, listing, looks_like_reference, quoted
from cancellist.jobs.parsing.documents.headings import keeps, says_not, says_which
from cancellist.jobs.parsing.documents.json_items import Items
from cancellist.jobs.parsing.documents.json_text import JsonText, Steps, Take
from cancellist.jobs.parsing.references import RawBatch, ReferencePattern, normalise

_MOST_KEYS: Final = 10_000
_DEEPEST: Final = 32
_MOST_HELD: Final = 200_000
_SAID: Final = 200
"""References that are put aside at most, so that memory is bounded."""


class Wrapper:
    """Reads one object and takes the references of the one array in it that is meant.

    Without a column that is the only array that is not empty, unless an empty one may be meant. A column names an
    array, dotted where it is in inner objects; or an array and the key in its objects; or that key alone, where there
    is one array. A name as it is spelt goes before one that differs in case or blanks: what that one holds is put aside
    until the end.

    Attributes:
        column: what was taken, as it could be named.
        arrays: the names of all that were found.
    """

    def __init__(self, text: JsonText, column: str | None, pattern: ReferencePattern, out: list[RawBatch]) -> None:
        self.column: str | None = None
        self.arrays: list[str] = []
        self._text = text
        self._wanted = column
        self._pattern = pattern
        self._out = out
        self._named: list[str] = []
        self._full: list[str] = []
        self._alike: list[str] = []
        self._aside: list[RawBatch] = []
        self._aside_column: str | None = None
        self._within: list[str] = []
        self._loose: list[str] = []
        self._said = ""
        self._record: tuple[Any, int] | None = None
        self._keys = 0

    def read(self) -> Steps[None]:
        """Read the object, whose brace is the next character.

        Raises:
            InputError: it is malformed, or what is meant cannot be told.
        """
        self._text.at += 1
        yield from self._object(())
        if self.arrays:
            self._judge()

    def _object(self, path: tuple[str, ...]) -> Steps[None]:
        if len(path) > _DEEPEST:
            raise InputError(f"line {self._text.line()}: the JSON is nested too deeply")
        if (yield from self._text.next()) == "}":
            self._text.at += 1
            return
        keys: set[str] = set()
        while True:
            key = yield from self._key()
            if key in keys:
                raise InputError(f"line {self._text.line()}: the key {quoted(key)} is twice in one object")
            keys.add(key)
            yield from self._text.expect(":", "in place of a colon")
            yield from self._member((*path, key))
            if (yield from self._text.expect(",}", "in place of a comma")) == "}":
                return

    def _key(self) -> Steps[str]:
        found = yield from self._text.next()
        if found != '"':
            raise self._text.fault(found, "in place of a key")
        self._keys += 1
        if self._keys > _MOST_KEYS:
            raise InputError(f"the JSON object has more than {_MOST_KEYS:,} keys; hand in an array")
        key: str = yield from self._text.value()
        return key

    def _member(self, path: tuple[str, ...]) -> Steps[None]:
        found = yield from self._text.next()
        self._look(path, path[-1])
        match found:
            case "[":
                self._text.at += 1
                yield from self._array(".".join(path))
            case "{":
                self._text.at += 1
                yield from self._object(path)
            case _:
                line = self._text.line()
                value = yield from self._text.value()
                self._look(path, value)
                self._loose_value(".".join(path), value, line)

    def _loose_value(self, name: str, value: Any, line: int) -> None:
        """Remember a value that is no array, where it was named, and words that say that something is not meant."""
        if isinstance(value, str) and len(value) <= _SAID and keeps(value):
            self._said = value
        if name == self._wanted:
            self._named.append(name)
            self._record = value, line
        elif self._wanted is not None and folded(name) == folded(self._wanted):
            self._alike.append(name)
            self._aside_column = name
            _take_alone(value, line, self._pattern, self._aside)

    def _look(self, path: tuple[str, ...], value: Any) -> None:
        """Remember references that are in no array."""
        if isinstance(value, str) and self._pattern.matches(normalise(value)):
            self._loose.append(".".join(path))

    def _array(self, name: str) -> Steps[None]:
        self.arrays.append(name)
        if (yield from self._text.next()) == "]":
            self._text.at += 1
            if self._wanted is not None and _begins(name, self._wanted):
                self._named.append(name)
            return
        self._full.append(name)
        items = self._items(name)
        if items is None:
            yield from self._text.elements(lambda _items, _lines: None)
            return
        aside = bool(self._alike) and self._alike[-1] == name
        yield from self._text.elements(self._held(items, name) if aside else items.take)
        items.close()
        if items.found and self._wanted and name not in (*self._named, *self._alike):
            self._within.append(name)
        if items.found and aside:
            self._aside_column = f"{name}.{items.key}" if items.key else name
        elif items.found:
            self.column = f"{name}.{items.key}" if items.key else name

    def _held(self, items: Items, name: str) -> Take:
        """Give what takes elements that are put aside, and refuses more than can be held."""
        held = 0

        def take(values: list[Any], lines: Sequence[int]) -> None:
            nonlocal held
            held += len(values)
            if held > _MOST_HELD:
                raise InputError(f"the array {quoted(name)} is long: name it to {COLUMN} as it is spelt")
            items.take(values, lines)

        return take

    def _items(self, name: str) -> Items | None:
        """Give what takes the elements of an array; nothing where they are not meant."""
        wanted = self._wanted
        if wanted is None:
            return Items(None, self._pattern, self._out) if len(self._full) == 1 else None
        if _begins(name, wanted):
            self._named.append(name)
            return Items(wanted[len(name) + 1 :] or None, self._pattern, self._out)
        if _begins(folded(name), folded(wanted)):
            if self._named:
                return None
            self._alike.append(name)
            rest = ".".join(wanted.split(".")[name.count(".") + 1 :])
            return Items(rest or None, self._pattern, self._aside)
        return Items(wanted, self._pattern, self._out, optional=True) if self._record or not self._named else None

    def _judge(self) -> None:
        names = listing(self.arrays, "arrays")
        if self._wanted is None:
            if len(self._full) > 1 or (self._full and self._telling()):
                raise InputError(f"the JSON object holds {len(self.arrays)} arrays: name one with {COLUMN}; {names}")
            if self._loose:
                raise InputError(
                    f"the JSON object holds a reference under {quoted(self._loose[0])} beside the array "
                    f"{quoted((self._full or self.arrays)[0])}: name the one that is meant with {COLUMN}"
                )
            if doubted := next(filter(says_not, self._full), None):
                raise InputError(
                    f"references are under {quoted(doubted)}, and by its name they may not be meant: name it with "
                    f"{COLUMN} if they are"
                )
            if self._said and self._full:
                raise InputError(
                    f"the JSON object says {quoted(self._said)} beside the array {quoted(self._full[0])}: name the "
                    f"array with {COLUMN} if what is in it is to be cancelled"
                )
            return
        self._take_alike(self._wanted)
        if len(self._named) > 1 or (self._within and (self._named or len(self._full) > 1)):
            places = [*self._named, *(f"{name}.{self._wanted}" for name in self._within)]
            raise InputError(
                f"{quoted(self._wanted)} may be meant in several places: give the whole name to {COLUMN}, such as "
                f"{quoted(places[0])}; {names}"
            )
        if not self._named and not self._within:
            raise InputError(f"there is neither an array nor a key {quoted(self._wanted)}; {names}")
        if self._record:
            _take_alone(*self._record, self._pattern, self._out)
            self.column = self._wanted

    def _telling(self) -> bool:
        """Say whether an array that is empty may be the one that is meant, by the names of all."""
        empty = [name for name in self.arrays if name not in self._full]
        meant = any(looks_like_reference(name.rpartition(".")[2]) for name in empty)
        return bool(empty) and (meant or any(map(says_which, self.arrays)))

    def _take_alike(self, wanted: str) -> None:
        """Take what was put aside, where nothing is spelt as it was named.

        Raises:
            InputError: several may be meant.
        """
        if self._named or not self._alike:
            return
        if len(self._alike) > 1:
            names = ", ".join(map(quoted, self._alike))
            raise InputError(f"several arrays or keys are like {quoted(wanted)}: name one of {names}")
        self._named, self.column = self._alike, self._aside_column
        self._out += self._aside


def _take_alone(value: Any, line: int, pattern: ReferencePattern, out: list[RawBatch]) -> None:
    record = Items(None, pattern, out)
    record.take([value], [line])
    record.close()


def _begins(name: str, wanted: str) -> bool:
    """Say whether a dotted name is `wanted`, or leads to it."""
    return f"{wanted}.".startswith(f"{name}.")


def is_record(item: Any, column: str | None, pattern: ReferencePattern) -> bool:
    """Say whether a lone object is surely a record: it holds a reference, and what arrays it has hold none.

    An array that was named is meant all the same.
    """
    if not isinstance(item, dict):
        return False
    loose, listed, named = False, False, False
    waiting: list[tuple[Any, str, bool]] = [(item, "", False)]
    while waiting:
        value, name, within = waiting.pop()
        if isinstance(value, dict):
            waiting += [(inner, f"{name}.{key}" if name else key, within) for key, inner in value.items()]
        elif isinstance(value, list):
            named = named or (not within and column is not None and _begins(folded(name), folded(column)))
            waiting += [(inner, name, True) for inner in value]
        elif isinstance(value, str) and pattern.matches(normalise(value)):
            loose, listed = loose or not within, listed or within
    return loose and not listed and not named
