"""Answers in the form of another version of the platform, or of a careless one. Pure."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from cancellist.sandbox.answers.answers import Answer
from cancellist.sandbox.faults.kinds import FaultKind

_CAPITALS: Final = re.compile(r"(?<!^)(?=[A-Z])")
_MARK: Final = "\ue000"
"""A placeholder for bytes that no encoder writes."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_ERROR: Final = 400
"""Statuses from here on are errors."""


def camel(name: str) -> str:
    """Returns a name with a small first letter."""
    return name[:1].lower() + name[1:]


def snake(name: str) -> str:
    """Returns a name in small letters, its words parted by underscores."""
    return _CAPITALS.sub("_", name).lower()


_NAMES: Final[Mapping[FaultKind, Callable[[str], str]]] = {
    FaultKind.CAMEL_CASE: camel,
    FaultKind.SNAKE_CASE: snake,
    FaultKind.LOWER_CASE: str.lower,
}


def reformed(answer: Answer, kind: FaultKind) -> Answer | None:
    """Returns an answer or an error as a fault of form leaves it; None where the fault is of another sort."""
    content = answer.content
    if kind in _NAMES:
        return replace(answer, content=_renamed(content, _NAMES[kind]))
    if kind is FaultKind.BYTE_ORDER_MARK:
        return answer if content is None else _bytes(answer, _BYTE_ORDER_MARK + orjson.dumps(content))
    if kind is FaultKind.IN_STRING:
        return answer if content is None else _bytes(answer, orjson.dumps(orjson.dumps(content).decode()))
    if kind in _ERRORS:
        return answer if content is None or answer.status < _ERROR else replace(answer, content=_ERRORS[kind](content))
    wrap = _WRAPS.get(kind)
    if wrap is None:
        return None
    # An error keeps its form: envelopes are for what was asked for.
    return answer if content is None or answer.status >= _ERROR else replace(answer, content=wrap(content))


def _bytes(answer: Answer, body: bytes) -> Answer:
    return replace(answer, content=None, body=body)


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """Returns a value with all names of its fields written in another way."""
    if isinstance(value, Mapping):
        return {rename(name): _renamed(inner, rename) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, rename) for inner in value]
    return value


def _count(content: object) -> int:
    return len(content) if isinstance(content, list) else 1


def _by_reference(content: Any) -> Any:
    """Returns the items of a list as an object, each under its reference, or where it is found."""
    if not isinstance(content, list):
        return {"Consignment": content}
    return {str(item.get("Data") or item.get("Href")): item for item in content}


_WRAPS: Final[Mapping[FaultKind, Callable[[Any], Mapping[str, object]]]] = {
    FaultKind.IN_DATA: lambda content: {"data": content, "meta": {"count": _count(content)}},
    FaultKind.IN_RESULTS: lambda content: {"count": _count(content), "next": None, "results": content},
    FaultKind.IN_VALUE: lambda content: {"@odata.context": "$metadata#Consignments", "value": content},
    FaultKind.IN_ITEMS: lambda content: {"Items": content, "TotalCount": _count(content)},
    FaultKind.BY_REFERENCE: _by_reference,
}


_ERRORS: Final[Mapping[FaultKind, Callable[[Any], Mapping[str, object]]]] = {
    FaultKind.ERROR_TEXT: lambda content: {**content, "Code": "ConsignmentException", "Details": content["Message"]},
    FaultKind.ERROR_SHORT: lambda content: {name: value for name, value in content.items() if name != "Details"},
}
"""Two more forms of the platform's own errors; one of its public clients reads the first."""


def misspelt(answer: Answer, kind: FaultKind, hit: Sequence[Mapping[str, object]]) -> Answer:
    """Returns an answer or an error with text that cannot be decoded by the book.

    Args:
        answer: A status or a success of one alone has no message: it gets one.
        kind: The half of a surrogate pair, or bytes that are not UTF-8.
        hit: The items of a list that have it.
    """
    content = answer.content
    if isinstance(content, list):
        marked: object = [_marked(item) if any(item is one for one in hit) else item for item in content]
    else:
        marked = _marked(content if isinstance(content, Mapping) else {"IsSuccess": True})
    if kind is FaultKind.HALF_SURROGATE:
        return _bytes(answer, json.dumps(marked, ensure_ascii=True).replace(r"\ue000", r"\ud800").encode())
    return _bytes(answer, orjson.dumps(marked).replace(_MARK.encode(), b"\xff\xfe"))


def _marked(item: Mapping[str, object]) -> dict[str, object]:
    return {**item, "Message": f"{item.get('Message', 'OK')} {_MARK}"}


def spaced(state: object) -> str:
    """Returns a state as some of the vendor's pages write it."""
    return _CAPITALS.sub(" ", str(state)).replace("Transit Waiting", "Transit - Waiting")
