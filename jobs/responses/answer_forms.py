"""The forms that the platform's bodies have, read so that a mere change of their envelope takes nothing from them.

Names of fields are compared by their letters alone: `IsSuccess`, `isSuccess` and `is_success` are one. A list that is
wrapped into an object is found where that object holds one list and no other. Nothing else is taken for what was asked:
what is not said is not said.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

REFERENCES, STATE = ("ConsignmentReferenceForAllLegsAssignedByMpd", "ConsignmentReference", "Reference"), "Status"
"""The fields of Get Consignment Status: the first name is the documented one, the others are those of its sisters."""
_DEEPEST = 3
_ERROR = ("Code", "Message", "CorrelationId")


def letters(text: str) -> str:
    """The letters of a name, in lower case: what names and states are compared by."""
    return "".join(filter(str.isalpha, text)).lower()


def field(body: Mapping[str, object], name: str) -> object:
    """The value of a field by its name, in any case of letters; None where none or several have that name."""
    if name in body:
        return body[name]
    wanted = letters(name)
    found = [value for key, value in body.items() if isinstance(key, str) and letters(key) == wanted]
    return found[0] if len(found) == 1 else None


def has(body: Mapping[str, object], name: str) -> bool:
    """Whether a field of that name is there, in any case of letters."""
    wanted = letters(name)
    return name in body or any(isinstance(key, str) and letters(key) == wanted for key in body)


def items_of(body: object) -> Sequence[object] | None:
    """The items of a list's answer: the list, the one list of items within an object, or an item that stands alone.

    None where it has none of these forms, or two lists to choose from.
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
    """The lists within an object that hold items, down to some depth.

    None is in an object that has a success of its own: what that says of its items is written nowhere.
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
    """The record of Get Consignment Status: the object itself, or the one within it that has a state; else empty."""
    found = _objects(body, lambda inner: has(inner, STATE) and any(has(inner, name) for name in REFERENCES), _DEEPEST)
    if len(found) == 1:
        return found[0]
    return body if isinstance(body, dict) and not found else {}


def error_of(body: object) -> Mapping[str, object] | None:
    """The platform's own error: the object itself, or the one within it that has all three of its fields."""
    found = _objects(body, lambda inner: all(has(inner, name) for name in _ERROR), _DEEPEST)
    return found[0] if len(found) == 1 else None


def _objects(value: object, wanted: Callable[[Mapping[str, object]], bool], deepest: int) -> list[Mapping[str, object]]:
    """The objects of a kind within a value, down to some depth; what is within one of them is not looked at."""
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
    """Whether a list's answer that could be read has the documented form to the letter."""
    return isinstance(body, list) and all(not isinstance(item, dict) or "Data" in item for item in body)


def is_documented_status(body: object) -> bool:
    """Whether the answer of Get Consignment Status has the documented form to the letter."""
    return isinstance(body, dict) and STATE in body and REFERENCES[0] in body


def is_error(body: object) -> bool:
    """Whether a body is an error of the platform's own: it has all three of its fields.

    Source: the platform's public guide, 'Errors'. A gateway's or a framework's error has other fields, or one or two of
    these; no body at all may be anybody's.
    """
    return error_of(body) is not None
