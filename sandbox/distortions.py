"""What a fault makes of an answer. Pure: which items are hit is decided by the fault's salt."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from random import Random
from typing import Any, Final

import orjson

from sandbox.answers import HTML, LOGIN_PAGE, Answer, Delivery, error, error_page, gateway_error
from sandbox.faults import Fault, FaultKind
from sandbox.references import REFERENCES, spell

Item = dict[str, Any]

_STATUS: Final = {kind: int(kind[:3]) for kind in FaultKind if kind[:3].isdigit()}
_PLATFORMS_OWN: Final = {
    405: ("method_not_allowed", "The method is not allowed here"),
    409: ("conflict", "The consignments are being changed by another request"),
    415: ("unsupported_media_type", "The media type is not supported"),
    422: ("unprocessable", "The list cannot be processed"),
    500: ("internal_server_error", "An unexpected error occurred"),
}
"""Statuses that the platform itself answers with, in its own form of an error."""
_PAGES: Final = frozenset({502, 504, 520})
_GARBLED_GZIP: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + b"\xff" * 64
"""A right header, then a block of a type that does not exist: no reader gets past it."""

_HUGE: Final = 16 * 1024 * 1024


def distort(answer: Answer, fault: Fault) -> Answer:
    """Returns the answer as the fault leaves it. What only garbles a body leaves a refusal, an error, as it is."""
    replaced = _replacement(fault)
    if replaced is not None:
        return replaced
    if answer.status >= HTTPStatus.BAD_REQUEST:
        return answer
    if fault.kind is FaultKind.TRUNCATED:
        return replace(_with_body(answer), delivery=Delivery.CUT)
    garbled = _garbled(answer, fault.kind)
    return garbled if garbled is not None else _with_items(answer, fault)


def _replacement(fault: Fault) -> Answer | None:
    """Returns the answer of a fault that leaves nothing of the real one."""
    match fault.kind:
        case FaultKind.TIMEOUT_BEFORE | FaultKind.TIMEOUT_AFTER | FaultKind.TIMEOUT_LATE:
            return Answer(0, delivery=Delivery.HANG)
        case FaultKind.CLOSE_BEFORE | FaultKind.CLOSE_AFTER | FaultKind.HALF_ACTED_CLOSE:
            return Answer(0, delivery=Delivery.RESET if fault.salt & 1 else Delivery.CLOSE)
        case FaultKind.HALF_ACTED_500:
            return _failure(500)
        case FaultKind.REDIRECT:
            return Answer(302, headers={"Location": "/login"})
        case FaultKind.ACCEPTED | FaultKind.NO_CONTENT:
            return Answer(_STATUS[fault.kind])
        case _ if fault.kind in _STATUS:
            return _failure(_STATUS[fault.kind])
        case _:
            return None


def _failure(status: int) -> Answer:
    if status in _PAGES:
        return error_page(status)
    if status in _PLATFORMS_OWN:
        return error(status, *_PLATFORMS_OWN[status])
    return gateway_error(status, HTTPStatus(status).phrase)


def _with_body(answer: Answer) -> Answer:
    return answer if answer.content is not None or answer.matches else replace(answer, content={"IsSuccess": True})


def _garbled(answer: Answer, kind: FaultKind) -> Answer | None:
    """Returns the answer with a body that is not what it should be as a whole."""
    match kind:
        case FaultKind.NULL:
            return replace(answer, content=None, body=b"null")
        case FaultKind.EMPTY:
            return replace(answer, content=None, body=b"")
        case FaultKind.OBJECT:
            return replace(answer, content={"IsSuccess": True, "Message": "OK", "Data": None, "ApiLinks": None})
        case FaultKind.HTML:
            return replace(answer, content=None, body=LOGIN_PAGE, content_type=HTML)
        case FaultKind.WRONG_ENCODING:
            body = orjson.dumps(_with_body(answer).content).decode().encode("utf-16")
            return replace(answer, content=None, body=body)
        case FaultKind.BROKEN_GZIP:
            return replace(answer, content=None, body=_GARBLED_GZIP, headers={"Content-Encoding": "gzip"})
        case FaultKind.HUGE:
            return replace(answer, content=None, body=_huge(), headers={"Content-Encoding": "gzip"})
        case _:
            return None


@cache
def _huge() -> bytes:
    """A list without items that unpacks to more than anybody should want to read."""
    return gzip.compress(b"[" + b" " * _HUGE + b"]", mtime=0)


def _with_items(answer: Answer, fault: Fault) -> Answer:
    random = Random(fault.salt)
    change = _ITEMS.get(fault.kind)
    if isinstance(answer.content, list) and change is not None:
        return replace(answer, content=change([dict(item) for item in answer.content], random))
    if isinstance(answer.content, Mapping):
        return replace(answer, content=_read(dict(answer.content), fault.kind))
    return answer


def _some(items: list[Item], random: Random) -> list[Item]:
    """Picks at least one item, a third or so where there are many."""
    return random.sample(items, -(-len(items) // 3))


def _half_list(items: list[Item], random: Random) -> list[Item]:
    kept = sorted(random.sample(range(len(items)), len(items) // 2))
    return [items[place] for place in kept]


def _shuffled(items: list[Item], random: Random) -> list[Item]:
    return random.sample(items, len(items))


def _extra_item(items: list[Item], random: Random) -> list[Item]:
    extra = items[0] | {"IsSuccess": True, "Data": spell(random.randrange(REFERENCES))}
    items.insert(random.randrange(len(items) + 1), extra)
    return items


def _doubled_item(items: list[Item], random: Random) -> list[Item]:
    items.insert(random.randrange(len(items) + 1), random.choice(items))
    return items


def _contradiction(items: list[Item], random: Random) -> list[Item]:
    item = random.choice(items)
    items.insert(random.randrange(len(items) + 1), item | {"IsSuccess": not item["IsSuccess"]})
    return items


def _data_other_case(items: list[Item], _: Random) -> list[Item]:
    return [item | {"Data": str(item["Data"]).lower()} for item in items]


def _data_null(items: list[Item], random: Random) -> list[Item]:
    for item in _some(items, random):
        item["Data"] = None
    return items


def _data_mistyped(items: list[Item], random: Random) -> list[Item]:
    for item in _some(items, random):
        item["Data"] = random.choice([17, {"Reference": item["Data"]}, [item["Data"]], True])
    return items


def _success_missing(items: list[Item], random: Random) -> list[Item]:
    for item in _some(items, random):
        del item["IsSuccess"]
    return items


def _success_mistyped(items: list[Item], random: Random) -> list[Item]:
    for item in _some(items, random):
        item["IsSuccess"] = random.choice([None, 1, 0, "true", "false", []])
    return items


_ITEMS: Final[Mapping[FaultKind, Callable[[list[Item], Random], list[Item]]]] = {
    FaultKind.HALF_LIST: _half_list,
    FaultKind.SHUFFLED: _shuffled,
    FaultKind.EXTRA_ITEM: _extra_item,
    FaultKind.DOUBLED_ITEM: _doubled_item,
    FaultKind.CONTRADICTION: _contradiction,
    FaultKind.DATA_OTHER_CASE: _data_other_case,
    FaultKind.DATA_NULL: _data_null,
    FaultKind.DATA_MISTYPED: _data_mistyped,
    FaultKind.SUCCESS_MISSING: _success_missing,
    FaultKind.SUCCESS_MISTYPED: _success_mistyped,
}


def _read(document: Item, kind: FaultKind) -> Item:
    """Garbles a status or a whole record."""
    state = "Status" if "Status" in document else "ConsignmentState"
    named = "Reference" if "Reference" in document else "ConsignmentReferenceForAllLegsAssignedByMpd"
    match kind:
        case FaultKind.STATE_UNKNOWN:
            document[state] = "AwaitingTeleport"
        case FaultKind.STATE_MISSING:
            document.pop(state, None)
        case FaultKind.DATA_OTHER_CASE:
            document[named] = str(document[named]).lower()
        case _:
            pass
    return document
