"""The references in JSON values that stand side by side: strings that are references, or objects that hold them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.option_names import COLUMN
from cancellist.jobs.parsing.documents.cells import without_blanks
from cancellist.jobs.parsing.documents.columns import alike, choose, folded, listing, quoted
from cancellist.jobs.parsing.documents.json_text import spelt
from cancellist.jobs.parsing.references import NOISE, InvalidEntry, RawBatch, ReferencePattern, normalise

_SAMPLE: Final = 100
"""Values by which the key is found."""
_DEEPEST: Final = 8
_MISSING: Final = object()
_IN_THE_WAY: Final = object()


class Items:
    """Takes the references out of values, and tells which key of objects holds them.

    The key is settled by a sample; what was named is taken as it is, and an object without it holds a blank.

    Args:
        column: the key that was named; dotted, it reaches into inner objects.
        pattern: what a reference looks like, where the key is to be found.
        out: is given the batches.
        optional: whether values without the key that was named are passed over, since something else may be meant.

    Attributes:
        key: the key in use, dotted; None for strings, or as long as it is not settled.
        found: values under the key.
    """

    def __init__(
        self, column: str | None, pattern: ReferencePattern, out: list[RawBatch], *, optional: bool = False
    ) -> None:
        self.key: str | None = None
        self.found = 0
        self._column = column
        self._pattern = pattern
        self._out = out
        self._optional = optional
        self._held: list[tuple[list[Any], Sequence[int]]] = []
        self._path: tuple[str, ...] = ()
        self._names: list[str] = []
        self._kind: type[Any] | None = None

    def take(self, items: list[Any], lines: Sequence[int]) -> None:
        """Take values.

        Raises:
            InputError: the key cannot be told, or some are strings and some are objects.
        """
        if self._kind is None:
            self._held.append((items, lines))
            if sum(len(held) for held, _ in self._held) >= _SAMPLE:
                self._settle()
        elif self._kind is not type(None):
            self._emit(items, lines)

    def close(self) -> None:
        """Say that there are no more.

        Raises:
            InputError: as `take`; or nothing has the key that was named.
        """
        if self._kind is None and self._held:
            self._settle()
        if self._kind is dict and self._column and not self.found and not self._optional:
            raise InputError(f"no object has the key {quoted(self._column)}; {listing(self._names, 'keys')}")

    def _settle(self) -> None:
        held, self._held = self._held, []
        sample = [item for items, _ in held for item in items][:_SAMPLE]
        objects = [item for item in sample if isinstance(item, dict)]
        self._kind = dict if objects else str
        if objects:
            self._find_key(objects)
        elif self._optional:
            self._kind = type(None)
        elif self._column is not None:
            raise InputError(f"there is no key {quoted(self._column)}: the JSON holds no objects; leave {COLUMN} out")
        for items, lines in held:
            self.take(items, lines)

    def _find_key(self, objects: list[dict[str, Any]]) -> None:
        leaves = [dict(_leaves(item)) for item in objects]
        held = Counter(
            name
            for item in leaves
            for name, value in item.items()
            if isinstance(value, str) and self._pattern.matches(normalise(value))
        )
        names = list(dict.fromkeys(name for item in objects for name in item))
        dotted = [".".join(path) for path in dict.fromkeys(path for item in leaves for path in item) if len(path) > 1]
        self._names = [*names, *dotted]
        if self._column is not None:
            self._name(self._column, objects, names)
            return
        counts = [held[(name,)] for name in names]
        elsewhere = {".".join(path): number for path, number in held.items() if len(path) > 1}
        self._path = (names[choose(names, counts, len(objects), elsewhere)],)
        self.key = self._path[0]
        self._refuse_arrays(objects)

    def _name(self, column: str, objects: list[dict[str, Any]], names: Sequence[str]) -> None:
        """Settle on the key that was named, which need not be in the sample."""
        path = tuple(column.split("."))
        plain = any(column in item for item in objects)
        reached = len(path) > 1 and any(_reach(item, path) not in (_MISSING, _IN_THE_WAY) for item in objects)
        if plain and reached:
            raise InputError(f"both a key {quoted(column)} and keys within one another have that name: rename one")
        self._path = path if len(path) > 1 and not plain else (column,)
        if not plain and not reached:
            found = [(names[one],) for one in alike(names, column)] + _alike_within(objects, path)
            if len(found) > 1:
                spelt_so = ", ".join(quoted(".".join(one)) for one in found)
                raise InputError(f"several keys are like {quoted(column)}: name one of {spelt_so}")
            if found:
                self._path = found[0]
            elif self._optional:
                self._kind = type(None)
                return
        self.key = ".".join(self._path)
        if not self._optional:
            self._refuse_arrays(objects)

    def _refuse_arrays(self, objects: list[dict[str, Any]]) -> None:
        """Refuse objects that hold arrays where references are looked for, and nothing else there."""
        values = [_reach(item, self._path) for item in objects]
        array = next(filter(None, (_array_on(item, self._path) for item in objects)), None)
        if array and not any(isinstance(value, str) for value in values):
            raise InputError(
                f"{quoted(array)} holds an array within each object, where references are not looked for: hand in one "
                "array of all that is in them, or one object for each consignment"
            )

    def _emit(self, items: list[Any], lines: Sequence[int]) -> None:
        kinds = set(map(type, items))
        values: list[Any] = items
        if self._kind is dict and kinds == {dict} and len(self._path) == 1:
            key = self._path[0]
            values = [item.get(key) for item in items]
            kinds = set(map(type, values))
        elif self._kind is dict:
            kinds = {dict}
        if kinds != {str}:
            self._one_by_one(items, lines)
            return
        if without_blanks(lines, values)[2]:
            self._one_by_one(items, lines)
            return
        self.found += len(values)
        self._out.append(RawBatch(lines, values, rows=items))

    def _one_by_one(self, items: list[Any], lines: Sequence[int]) -> None:
        kept: list[int] = []
        values: list[str] = []
        invalid: list[InvalidEntry] = []
        whole: list[Any] = []
        without: list[Any] = []
        for line, item in zip(lines, items, strict=True):
            value = self._of(item, line)
            if value is _MISSING:
                without.append(item)
                continue
            self.found += 1
            if not isinstance(value, str):
                invalid.append(InvalidEntry(line, spelt(item), self._why(value, item)))
            elif value.strip(NOISE):
                kept.append(line)
                values.append(str(value))
                whole.append(item)
            else:
                without.append(item)
        self._out.append(RawBatch(kept, values, tuple(invalid), len(without), whole, without))

    def _of(self, item: Any, line: int) -> Any:
        """Give the value that ought to be a reference.

        Raises:
            InputError: strings and objects are mixed, or the key is spelt in another way here.
        """
        if self._kind is str:
            if isinstance(item, dict):
                raise _mixed(line)
            return item
        if not isinstance(item, dict):
            if type(item) is str:
                raise _mixed(line)
            return None
        value = _reach(item, self._path)
        if value is _MISSING and (other := _other_spelling(item, self._path)):
            raise InputError(
                f"line {line}: a key is spelt {quoted(other[0])} here and {quoted(other[1])} elsewhere: "
                "which is meant cannot be known; spell it in one way"
            )
        return value

    def _why(self, value: Any, item: Any) -> str:
        if value is _IN_THE_WAY:
            return f"no object on the way to {quoted('.'.join(self._path))}"
        what = "null" if value is None else "true or false" if isinstance(value, bool) else _kind(value)
        where = f" under {quoted('.'.join(self._path))}" if isinstance(item, dict) and self._path else ""
        return f"{what}{where}" if where or not self._path else "no object"


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "an array"


def _mixed(line: int) -> InputError:
    return InputError(f"line {line}: the JSON holds strings and objects side by side; hand in either")


def _reach(item: dict[str, Any], path: Sequence[str]) -> Any:
    """Give the value at `path`; `_MISSING` where there is none, `_IN_THE_WAY` where what leads to it is no object."""
    value: Any = item
    for name in path:
        if value is None:
            return _MISSING
        if not isinstance(value, dict):
            return _IN_THE_WAY
        if name not in value:
            return _MISSING
        value = value[name]
    return value


def places(item: object, pattern: ReferencePattern) -> Iterator[str]:
    """Give the keys of an object, dotted where they are of inner ones, that hold a reference."""
    for path, value in _leaves(item) if isinstance(item, dict) else ():
        if isinstance(value, str) and pattern.matches(normalise(value)):
            yield ".".join(path)


def _array_on(item: dict[str, Any], path: Sequence[str]) -> str | None:
    """Give the key on the way of `path`, whatever its case and blanks, that holds an array in an object."""
    value: Any = item
    way: list[str] = []
    for name in path:
        key = name if name in value else next((other for other in value if folded(other) == folded(name)), None)
        if key is None:
            return None
        way.append(key)
        value = value[key]
        if isinstance(value, list):
            return ".".join(way)
        if not isinstance(value, dict):
            return None
    return None


def _alike_within(objects: list[dict[str, Any]], path: Sequence[str]) -> list[tuple[str, ...]]:
    """Give the ways into inner objects that are `path` whatever its case and blanks."""
    if len(path) == 1:
        return []
    wanted = tuple(map(folded, path))
    ways = dict.fromkeys(way[: len(path)] for item in objects for way, _ in _leaves(item) if len(way) >= len(path))
    return [way for way in ways if tuple(map(folded, way)) == wanted]


def _other_spelling(item: dict[str, Any], path: Sequence[str]) -> tuple[str, str] | None:
    """Give the key that is one of `path` in other letters, and that one, in an object that has not got that."""
    for name in path:
        if name not in item:
            return next(((other, name) for other in item if folded(other) == folded(name)), None)
        value = item[name]
        if not isinstance(value, dict):
            return None
        item = value
    return None


def _leaves(item: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give what an object holds, that of inner objects with the way to it."""
    for name, value in item.items():
        path = (*above, name)
        if isinstance(value, dict) and len(path) < _DEEPEST:
            yield from _leaves(value, path)
        else:
            yield path, value
