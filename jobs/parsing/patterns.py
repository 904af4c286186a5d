"""The pattern of references: checked once, then matched against whole batches."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

DEFAULT_PATTERN: Final = r"EC-[A-Z0-9]{3}-[A-Z0-9]{3}-[A-Z0-9]{3}"
MAX_LENGTH: Final = 100
"""The most characters of a reference, whatever the pattern allows."""

WHITE_SPACE: Final = (
    "".join(map(chr, (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))))
    + "\u2028\u2029\u202f\u205f\u3000"
)
"""The characters for which `str.isspace` is true."""

_CONTROLS: Final = "".join(map(chr, (*range(0x20), 0x7F)))

# The parser of `re`. It is private, but no public function says what a pattern can match. A test pins the parts that
# are used here.
_parse: Final = importlib.import_module("re._parser").parse
_CATEGORIES: Final = {
    f"CATEGORY_{name}": re.compile(escape)
    for name, escape in (
        ("DIGIT", r"\d"),
        ("NOT_DIGIT", r"\D"),
        ("SPACE", r"\s"),
        ("NOT_SPACE", r"\S"),
        ("WORD", r"\w"),
        ("NOT_WORD", r"\W"),
    )
}
_ONE_CHARACTER: Final = frozenset({"ANY", "IN", "LITERAL", "NOT_LITERAL"})
_COMPOSED: Final = frozenset({"ATOMIC_GROUP", "BRANCH", "MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT", "SUBPATTERN"})
_LINE_ANCHORS: Final = frozenset({"AT_BEGINNING", "AT_END"})


@dataclass(frozen=True)
class ReferencePattern:
    r"""A regular expression that must match a whole reference, in upper case.

    `^` and `$` are implied. A pattern is refused if it can match the empty string or white space, sets flags such as
    `(?i)`, or holds a lower-case letter.

    Raises:
        ValueError: the pattern cannot be used; the message says why.
    """

    pattern: str = DEFAULT_PATTERN
    _one: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _many: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.pattern) > 1 and self.pattern[0] == self.pattern[-1] and self.pattern[0] in "\"'":
            raise ValueError(f"the reference pattern {self.pattern!r} is in quotes: leave them out")
        try:
            one = re.compile(self.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"the reference pattern {self.pattern!r} is not a regular expression: {error}") from error
        object.__setattr__(self, "_one", one)
        many = None
        if _check(one):
            # The possessive repeat never returns to a line that matched, so a long batch needs no stack. The
            # look-ahead bounds the length for patterns without a bound of their own.
            many = re.compile(rf"(?:(?=[^\n]{{1,{MAX_LENGTH}}}\n)(?:{self.pattern})\n)*+", re.MULTILINE)
        object.__setattr__(self, "_many", many)

    def matches(self, reference: str) -> bool:
        """Whether a normalised reference matches as a whole."""
        return self._one.fullmatch(reference) is not None

    def matches_all(self, lines: str) -> bool:
        r"""Whether all lines, each ended by `\n`, are references for sure; False where this check cannot tell."""
        return self._many is not None and lines.isascii() and self._many.fullmatch(lines) is not None


def _check(compiled: "re.Pattern[str]") -> bool:
    """Refuses a pattern that cannot be used; returns whether it can be matched against many lines at once."""
    pattern = compiled.pattern
    if compiled.flags & ~re.UNICODE:
        raise ValueError(f"the reference pattern {pattern!r} sets flags; it is matched in upper case, without flags")
    tree = _parse(pattern)
    if tree.getwidth()[0] == 0:
        raise ValueError(f"the reference pattern {pattern!r} can match the empty string")
    separable = True
    for name, argument in _nodes(tree):
        if name in _ONE_CHARACTER:
            if any(_matches(name, argument, character) for character in WHITE_SPACE):
                raise ValueError(f"the reference pattern {pattern!r} can match white space or a line's end")
            if name == "LITERAL" and chr(argument).isascii() and chr(argument).islower():
                raise ValueError(
                    f"the reference pattern {pattern!r} has a small {chr(argument)!r}; it is matched in upper case"
                )
            separable &= not any(_matches(name, argument, character) for character in _CONTROLS)
        elif name == "SUBPATTERN" and (argument[1] or argument[2]):
            raise ValueError(f"the reference pattern {pattern!r} sets flags; it is matched without flags")
        elif name == "AT":
            separable &= str(argument) in _LINE_ANCHORS
        elif name not in _COMPOSED:
            # Look-around and back-references can see beyond their own line.
            separable = False
    return separable


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Walks the parsed pattern: the name and argument of each node, also in inner patterns."""
    for operation, argument in tree:
        yield str(operation), argument
        if str(operation) in _ONE_CHARACTER:
            continue
        for inner in _inner(argument):
            yield from _nodes(inner)


def _inner(argument: Any) -> Iterator[Any]:
    if hasattr(argument, "getwidth"):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for part in argument:
            yield from _inner(part)


def _matches(name: str, argument: Any, character: str) -> bool:
    """Whether a node that consumes one character can match this one."""
    match name:
        case "ANY":
            return character != "\n"
        case "LITERAL":
            return bool(argument == ord(character))
        case "NOT_LITERAL":
            return bool(argument != ord(character))
        case "RANGE":
            return bool(argument[0] <= ord(character) <= argument[1])
        case "CATEGORY":
            return _CATEGORIES[str(argument)].fullmatch(character) is not None
        case _:
            parts = [(str(operation), value) for operation, value in argument]
            negated = bool(parts) and parts[0][0] == "NEGATE"
            return any(_matches(*part, character) for part in parts[negated:]) != negated
