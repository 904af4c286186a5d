"""Applies a fault to an answer. Pure: the fault's salt decides which items it affects."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from http.client import responses
from random import Random
from typing import Final

import orjson

from cancellist.sandbox.answers.answers import (
    HTML,
    LOGIN_PAGE,
    PROBLEM,
    Answer,
    Delivery,
    Odd,
    error,
    error_page,
    gateway_error,
)
from cancellist.sandbox.answers.envelopes import misspelt, reformed, spaced
from cancellist.sandbox.faults.faults import Fault
from cancellist.sandbox.faults.items import Item, Lots, change_items
from cancellist.sandbox.faults.kinds import FaultKind

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
"""A valid header, then a block of a type that does not exist: no reader can decode it."""

_HUGE: Final = 16 * 1024 * 1024
_ODD: Final = {
    FaultKind.SURPLUS: Odd.SURPLUS,
    FaultKind.SURPLUS_LATE: Odd.SURPLUS_LATE,
    FaultKind.HEADER_LONG: Odd.LONG_HEADER,
    FaultKind.HEADERS_MANY: Odd.MANY_HEADERS,
    FaultKind.HEADER_BLANK: Odd.BLANK_IN_HEADER,
    FaultKind.HEADER_NO_COLON: Odd.NO_COLON,
    FaultKind.LENGTH_DOUBLED: Odd.TWO_LENGTHS,
}
_MAINTENANCE: Final = {"status": "maintenance", "message": "Scheduled maintenance, please try again later"}
_MAINTENANCE_PAGE: Final = b"<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"


def distort(answer: Answer, fault: Fault) -> Answer:
    """Returns the answer as the fault leaves it. What only garbles a body leaves a refusal, an error, as it is."""
    replaced = _replacement(fault)
    if replaced is not None:
        return replaced
    if fault.kind in _ODD:
        return replace(answer, odd=_ODD[fault.kind])
    formed = reformed(answer, fault.kind)
    if formed is not None:
        return formed
    if fault.kind in {FaultKind.HALF_SURROGATE, FaultKind.BAD_UTF8}:
        return misspelt(answer, fault.kind, _hit(answer, fault))
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
        case FaultKind.CLOSE_BEFORE | FaultKind.CLOSE_AFTER | FaultKind.CLOSE_LATE | FaultKind.HALF_ACTED_CLOSE:
            return Answer(0, delivery=Delivery.RESET if fault.salt & 1 else Delivery.CLOSE)
        case FaultKind.HALF_ACTED_500:
            return _failure(500)
        case FaultKind.REDIRECT:
            return Answer(302, headers={"Location": "/login"})
        case FaultKind.MAINTENANCE_BEFORE | FaultKind.MAINTENANCE_AFTER:
            return Answer(200, _MAINTENANCE)
        case FaultKind.MAINTENANCE_PAGE_BEFORE | FaultKind.MAINTENANCE_PAGE_AFTER:
            return Answer(200, body=_MAINTENANCE_PAGE, content_type=HTML)
        case _ if fault.kind in _STATUS:
            return _with_status(fault.kind, _STATUS[fault.kind])
        case _:
            return None


def _with_status(kind: FaultKind, status: int) -> Answer:
    """Returns the answer of a fault that is named after its status."""
    if kind in {FaultKind.ACCEPTED, FaultKind.NO_CONTENT} or "-bodyless-" in kind:
        return Answer(status)
    return _problem(status) if "-problem-" in kind else _failure(status)


def _failure(status: int) -> Answer:
    if status in _PAGES:
        return error_page(status)
    if status in _PLATFORMS_OWN:
        return error(status, *_PLATFORMS_OWN[status])
    return gateway_error(status, _phrase(status))


def _phrase(status: int) -> str:
    """Returns the name of a status; statuses such as 521 have none."""
    return responses.get(status, "Unknown Error")


def _problem(status: int) -> Answer:
    """Returns an error in the form of RFC 9457, which newer versions of many a framework answer with."""
    content = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "errors": {"$": ["The value is not valid."]},
        "traceId": "00-5a6db0c500004000800000000000000a-5a6db0c500004000-00",
    }
    return Answer(status, content, content_type=PROBLEM)


def _with_body(answer: Answer) -> Answer:
    return answer if answer.content is not None or answer.matches else replace(answer, content={"IsSuccess": True})


def _garbled(answer: Answer, kind: FaultKind) -> Answer | None:
    """Returns the answer with a body that is wrong as a whole."""
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
    """An empty list that decompresses to more than any client should read."""
    return gzip.compress(b"[" + b" " * _HUGE + b"]", mtime=0)


def _with_items(answer: Answer, fault: Fault) -> Answer:
    if isinstance(answer.content, list):
        items = [dict(item) for item in answer.content]
        changed = change_items(items, fault.kind, Lots(Random(fault.salt), fault.reference))
        return answer if changed is None else replace(answer, content=changed)
    if isinstance(answer.content, Mapping):
        return replace(answer, content=_read(dict(answer.content), fault.kind))
    return answer


def _hit(answer: Answer, fault: Fault) -> list[Item]:
    """Returns the items of a list that a fault affects."""
    return Lots(Random(fault.salt), fault.reference).some(answer.content) if isinstance(answer.content, list) else []


def _read(document: Item, kind: FaultKind) -> Item:
    """Garbles a status or a whole record."""
    state = "Status" if "Status" in document else "ConsignmentState"
    named = "Reference" if "Reference" in document else "ConsignmentReferenceForAllLegsAssignedByMpd"
    match kind:
        case FaultKind.STATE_UNKNOWN:
            document[state] = "AwaitingTeleport"
        case FaultKind.STATE_SPACED:
            document[state] = spaced(document[state])
        case FaultKind.STATE_MISSING:
            document.pop(state, None)
        case FaultKind.DATA_OTHER_CASE:
            document[named] = str(document[named]).lower()
        case _:
            pass
    return document
