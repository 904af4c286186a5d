"""Which endpoint a request is for. Pure. Paths are matched in any case of letters, as the platform does."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Endpoint(StrEnum):
    """The platform's endpoints, and what is none of them."""

    CANCEL = "cancel"
    CANCEL_LIST = "cancellist"
    STATUS = "status"
    CONSIGNMENT = "consignment"
    SEARCH = "references"
    PAGE = "search"
    SUMMARY = "summary"
    CREATE = "create"
    DEALLOCATE = "deallocate"
    DEALLOCATE_LIST = "deallocatelist"
    SET_NOT_READY = "setnotreadytoship"
    LOGIN = "login"
    WRONG_METHOD = "wrong_method"
    UNKNOWN = "unknown"


CANCELS: Final = frozenset({Endpoint.CANCEL, Endpoint.CANCEL_LIST})
LISTS: Final = frozenset({Endpoint.CANCEL_LIST, Endpoint.DEALLOCATE_LIST, Endpoint.SET_NOT_READY})

_WORDS: Final = {
    ("PUT", "cancellist"): Endpoint.CANCEL_LIST,
    ("PUT", "deallocatelist"): Endpoint.DEALLOCATE_LIST,
    ("PUT", "setnotreadytoship"): Endpoint.SET_NOT_READY,
    ("GET", "getconsignmentreferences"): Endpoint.SEARCH,
    ("GET", "summary"): Endpoint.SUMMARY,
}
_ACTIONS: Final = {
    ("PUT", "cancel"): Endpoint.CANCEL,
    ("PUT", "deallocate"): Endpoint.DEALLOCATE,
    ("GET", "status"): Endpoint.STATUS,
}
_RESERVED: Final = frozenset({"summary", "count"})
"""Words of paths that are no references."""

_LONGEST_NUMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, and what its path says: a reference, or how many a search takes and skips."""

    endpoint: Endpoint
    reference: str = ""
    take: int = 0
    skip: int = 0


def route(method: str, path: str) -> Route:
    """Returns what a request is for."""
    first, *rest = path.strip("/").split("/")
    if first.lower() == "login" and not rest:
        return Route(Endpoint.LOGIN)
    if first.lower() != "consignments":
        return Route(Endpoint.UNKNOWN)
    match rest:
        case []:
            return Route(Endpoint.CREATE if method == "POST" else Endpoint.WRONG_METHOD)
        case [name]:
            return _named(method, name)
        case [take, skip] if _is_number(take) and _is_number(skip):
            page = Route(Endpoint.PAGE, take=int(take), skip=int(skip))
            return page if method == "GET" else Route(Endpoint.WRONG_METHOD)
        case [word, name] if (method, word.lower()) == ("GET", "getconsignmentwithmetadata"):
            return Route(Endpoint.CONSIGNMENT, name)
        case [name, action]:
            return _action(method, name, action.lower())
        case _:
            return Route(Endpoint.UNKNOWN)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER


def _named(method: str, name: str) -> Route:
    word = _WORDS.get((method, name.lower()))
    if word is not None:
        return Route(word)
    if method != "GET":
        return Route(Endpoint.WRONG_METHOD)
    return Route(Endpoint.UNKNOWN) if name.lower() in _RESERVED else Route(Endpoint.CONSIGNMENT, name)


def _action(method: str, reference: str, action: str) -> Route:
    endpoint = _ACTIONS.get((method, action))
    if reference.lower() in _RESERVED:
        return Route(Endpoint.UNKNOWN)
    if endpoint is not None:
        return Route(endpoint, reference)
    known = any(action == name for _, name in _ACTIONS)
    return Route(Endpoint.WRONG_METHOD if known else Endpoint.UNKNOWN)
