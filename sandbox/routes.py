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
    CREATE = "create"
    DEALLOCATE_LIST = "deallocatelist"
    LOGIN = "login"
    WRONG_METHOD = "wrong_method"
    UNKNOWN = "unknown"


CANCELS: Final = frozenset({Endpoint.CANCEL, Endpoint.CANCEL_LIST})
LISTS: Final = frozenset({Endpoint.CANCEL_LIST, Endpoint.DEALLOCATE_LIST})

_WORDS: Final = {
    ("PUT", "cancellist"): Endpoint.CANCEL_LIST,
    ("PUT", "deallocatelist"): Endpoint.DEALLOCATE_LIST,
    ("GET", "getconsignmentreferences"): Endpoint.SEARCH,
}
_ACTIONS: Final = {("PUT", "cancel"): Endpoint.CANCEL, ("GET", "status"): Endpoint.STATUS}


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, and the reference in its path where it has one."""

    endpoint: Endpoint
    reference: str = ""


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
            word = _WORDS.get((method, name.lower()))
            if word is None and method != "GET":
                return Route(Endpoint.WRONG_METHOD)
            return Route(word) if word else Route(Endpoint.CONSIGNMENT, name)
        case [name, action]:
            return _action(method, name, action.lower())
        case _:
            return Route(Endpoint.UNKNOWN)


def _action(method: str, reference: str, action: str) -> Route:
    endpoint = _ACTIONS.get((method, action))
    if endpoint is not None:
        return Route(endpoint, reference)
    known = any(action == name for _, name in _ACTIONS)
    return Route(Endpoint.WRONG_METHOD if known else Endpoint.UNKNOWN)
