"""Reads the platform's bodies leniently, so that a mere change of their envelope loses nothing.

Field names are compared by their letters: `IsSuccess`, `isSuccess` and `is_success` are the same. A list inside of an
object is found where the object holds just one. Nothing else is guessed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

REFERENCES, STATE = ("ConsignmentReferenceForAllLegsAssignedByMpd", "ConsignmentReference", "Reference"), "Status"
"""The fields of Get Consignment Status. The first name is the documented one; other endpoints use the other two."""
_DEEPEST = 3
_ERROR = ("Code", "Message", "CorrelationId")
_MOST_NAMES, _LONGEST_NAME = 1024, 100
"""How many names are remembered with their letters, and up to which length: the platform's are few and short."""


def letters(text: str) -> str:
    """The letters of a name in lower case. Names and states are compared by them."""
    return _remembered(text) if len(text) <= _LONGEST_NAME else _letters(text)


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text)).lower()


_remembered = lru_cache(_MOST_NAMES)(_letters)


def field(body: Mapping[str, object], name: str) -> object:
    """The value of a field, its name compared by letters; None where no field or several have that name."""
    if name in body:
        return body[name]
    wanted = letters(name)
    found = [value for key, value in body.items() if isinstance(key, str) and letters(key) == wanted]
    return found[0] if len(found) == 1 else None


def has(body: Mapping[str, object], name: str) -> bool:
    """Whether the body has a field of that name, compared by letters."""
    if name in body:
        return True
    wanted = letters(name)
    return any(isinstance(key, str) and letters(key) == wanted for key in body)


def items_of(body: object) -> Sequence[object] | None:
    """The items of an answer to a batch: the list itself, the one list of items in an object, or a single item.

    None where the body has none of these forms, or more than one list.
    """
    match body:
        case list():
            return body
        case dict() if _is_item(body):
            return [body]
        case dict():
            lists = _lists(body, _DEEPEST)
            return lists[0] if len(lists) == 1 else None
        case _:
            return None


def _is_item(value: object) -> bool:
    return isinstance(value, dict) and has(value, "Data") and has(value, "IsSuccess")


def _lists(body: Mapping[str, object], deepest: int) -> list[list[object]]:
    """The lists in an object that hold items, down to a depth.

    An object with an `IsSuccess` of its own is skipped: no document says what that means for its items.
    """
    found: list[list[object]] = []
    if has(body, "IsSuccess"):
        return found
    for value in body.values():
        if isinstance(value, list) and any(map(_is_item, value)):
            found.append(value)
        elif isinstance(value, dict) and deepest > 1:
            found += _lists(value, deepest - 1)
    return found


def record_of(body: object) -> Mapping[str, object]:
    """The record of Get Consignment Status: the body, or the one object in it that has a state; else empty."""
    found = _objects(body, lambda inner: has(inner, STATE) and any(has(inner, name) for name in REFERENCES), _DEEPEST)
    if len(found) == 1:
        return found[0]
    return body if isinstance(body, dict) and not found else {}


def error_of(body: object) -> Mapping[str, object] | None:
    """The platform's error: the body, or the one object in it that has all three fields; else None."""
    found = _objects(body, lambda inner: all(has(inner, name) for name in _ERROR), _DEEPEST)
    return found[0] if len(found) == 1 else None


def _objects(value: object, wanted: Callable[[Mapping[str, object]], bool], deepest: int) -> list[Mapping[str, object]]:
    """The objects in a value that `wanted` accepts, down to a depth. Objects inside of a found one are not searched."""
    if isinstance(value, dict):
        if wanted(value):
            return [value]
        inner: Iterable[object] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return []
    return [found for each in inner for found in _objects(each, wanted, deepest - 1)] if deepest > 0 else []


def as_documented(body: object) -> bool:
    """Whether a readable answer to a batch has exactly the documented form."""
    return isinstance(body, list) and all(not isinstance(item, dict) or "Data" in item for item in body)


def is_documented_status(body: object) -> bool:
    """Whether an answer of Get Consignment Status has exactly the documented form."""
    return isinstance(body, dict) and STATE in body and REFERENCES[0] in body


def is_error(body: object) -> bool:
    """Whether a body is the platform's own error: it has all three fields.

    Source: the platform's public guide, 'Errors'. Errors of gateways and frameworks have other fields, or one or two of
    these. An empty body may be anybody's.
    """
    return error_of(body) is not None
