"""The kinds of faults: what each does, where it makes sense, and what it means. A closed set, as data.

`before` in a name means that the call has no effect, `after` that it has its full effect, and `late` that it takes
effect `late_ms` after it failed.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class FaultKind(StrEnum):
    """What can go wrong with a call."""

    STATUS_500_BEFORE = "500-before"
    STATUS_502_BEFORE = "502-before"
    STATUS_503_BEFORE = "503-before"
    STATUS_504_BEFORE = "504-before"
    STATUS_520_BEFORE = "520-before"
    STATUS_429_BEFORE = "429-before"
    STATUS_408_BEFORE = "408-before"
    STATUS_405_BEFORE = "405-before"
    STATUS_409_BEFORE = "409-before"
    STATUS_415_BEFORE = "415-before"
    STATUS_422_BEFORE = "422-before"
    STATUS_500_AFTER = "500-after"
    STATUS_502_AFTER = "502-after"
    STATUS_503_AFTER = "503-after"
    STATUS_504_AFTER = "504-after"
    STATUS_520_AFTER = "520-after"
    STATUS_429_AFTER = "429-after"
    STATUS_408_AFTER = "408-after"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    REDIRECT = "redirect"
    TIMEOUT_BEFORE = "timeout-before"
    TIMEOUT_AFTER = "timeout-after"
    TIMEOUT_LATE = "timeout-late"
    CLOSE_BEFORE = "close-before"
    CLOSE_AFTER = "close-after"
    HALF_ACTED_500 = "half-acted-500"
    HALF_ACTED_CLOSE = "half-acted-close"
    TRUNCATED = "truncated"
    HALF_LIST = "half-list"
    SHUFFLED = "shuffled"
    EXTRA_ITEM = "extra-item"
    DOUBLED_ITEM = "doubled-item"
    CONTRADICTION = "contradiction"
    DATA_OTHER_CASE = "data-other-case"
    DATA_NULL = "data-null"
    DATA_MISTYPED = "data-mistyped"
    SUCCESS_MISSING = "success-missing"
    SUCCESS_MISTYPED = "success-mistyped"
    OBJECT = "object"
    NULL = "null"
    HTML = "html"
    EMPTY = "empty"
    WRONG_ENCODING = "wrong-encoding"
    BROKEN_GZIP = "broken-gzip"
    HUGE = "huge"
    ACCEPTED = "202"
    NO_CONTENT = "204"
    STATE_UNKNOWN = "state-unknown"
    STATE_MISSING = "state-missing"
    SLOW = "slow"
    # Kinds are drawn in this order: new ones stand at the end, so that a seed's faults stay the same.
    STATUS_500_LATE = "500-late"
    STATUS_503_LATE = "503-late"
    STATUS_504_LATE = "504-late"
    CLOSE_LATE = "close-late"
    BODYLESS_400_BEFORE = "400-bodyless-before"
    BODYLESS_404_BEFORE = "404-bodyless-before"
    BODYLESS_500_BEFORE = "500-bodyless-before"
    BODYLESS_503_BEFORE = "503-bodyless-before"
    BODYLESS_500_AFTER = "500-bodyless-after"
    PROBLEM_400_BEFORE = "400-problem-before"
    PROBLEM_404_BEFORE = "404-problem-before"
    PROBLEM_500_BEFORE = "500-problem-before"
    MAINTENANCE_BEFORE = "maintenance-before"
    MAINTENANCE_AFTER = "maintenance-after"
    MAINTENANCE_PAGE_BEFORE = "maintenance-page-before"
    MAINTENANCE_PAGE_AFTER = "maintenance-page-after"
    CAMEL_CASE = "camel-case"
    SNAKE_CASE = "snake-case"
    LOWER_CASE = "lower-case"
    IN_DATA = "in-data"
    IN_RESULTS = "in-results"
    IN_VALUE = "in-value"
    IN_ITEMS = "in-items"
    IN_STRING = "in-string"
    BY_REFERENCE = "by-reference"
    BYTE_ORDER_MARK = "byte-order-mark"
    ERROR_TEXT = "error-text"
    ERROR_SHORT = "error-short"
    HALF_SURROGATE = "half-surrogate"
    BAD_UTF8 = "bad-utf8"
    STATE_SPACED = "state-spaced"
    STALE_AGE = "stale-age"
    STALE_DATE = "stale-date"
    STALE_MODIFIED = "stale-modified"
    SURPLUS = "surplus"
    SURPLUS_LATE = "surplus-late"
    HEADER_LONG = "header-long"
    HEADERS_MANY = "headers-many"
    HEADER_BLANK = "header-blank"
    HEADER_NO_COLON = "header-no-colon"
    LENGTH_DOUBLED = "length-doubled"


class Scope(StrEnum):
    """Which calls a fault is for."""

    LIST = "list"
    SINGLE = "single"
    DEALLOCATE = "deallocate"
    NOT_READY = "setnotreadytoship"
    READS = "reads"
    SEARCH = "search"
    CREATE = "create"


class Acts(StrEnum):
    """What a call with a fault does to the consignments."""

    NOTHING = "nothing"
    HALF = "half"
    ALL = "all"
    LATE = "late"


STALE: Final = (FaultKind.STALE_AGE, FaultKind.STALE_DATE, FaultKind.STALE_MODIFIED)

_DENIALS: Final = {FaultKind.UNAUTHORIZED, FaultKind.FORBIDDEN, FaultKind.REDIRECT}
_BEFORE: Final = frozenset(kind for kind in FaultKind if kind.endswith("-before")) | _DENIALS
_AFTER: Final = frozenset(kind for kind in FaultKind if kind.endswith(("-after", "-late"))) | {
    FaultKind.ACCEPTED,
    FaultKind.NO_CONTENT,
}
_BODY: Final = frozenset(
    {
        FaultKind.TRUNCATED, FaultKind.NULL, FaultKind.HTML, FaultKind.WRONG_ENCODING, FaultKind.BROKEN_GZIP,
        FaultKind.HUGE,
    }
)  # fmt: skip
FORMS: Final = frozenset(
    {
        FaultKind.CAMEL_CASE, FaultKind.SNAKE_CASE, FaultKind.LOWER_CASE, FaultKind.IN_DATA, FaultKind.IN_RESULTS,
        FaultKind.IN_VALUE, FaultKind.IN_ITEMS, FaultKind.IN_STRING, FaultKind.BY_REFERENCE, FaultKind.BYTE_ORDER_MARK,
        FaultKind.HALF_SURROGATE, FaultKind.BAD_UTF8, FaultKind.ERROR_TEXT, FaultKind.ERROR_SHORT,
    }
)  # fmt: skip
WIRES: Final = frozenset(
    {
        FaultKind.SURPLUS, FaultKind.SURPLUS_LATE, FaultKind.HEADER_LONG, FaultKind.HEADERS_MANY,
        FaultKind.HEADER_BLANK, FaultKind.HEADER_NO_COLON, FaultKind.LENGTH_DOUBLED,
    }
)  # fmt: skip
_STATES: Final = frozenset({FaultKind.STATE_UNKNOWN, FaultKind.STATE_MISSING, FaultKind.STATE_SPACED, *STALE})
_EVERYWHERE: Final = _BEFORE | {FaultKind.SLOW, FaultKind.TRUNCATED}
_LISTS: Final = frozenset(FaultKind) - _STATES
_ANSWERED: Final = _EVERYWHERE | _BODY | FORMS | WIRES

APPLIES: Final[Mapping[Scope, frozenset[FaultKind]]] = {
    Scope.LIST: _LISTS,
    Scope.SINGLE: _ANSWERED | _AFTER,
    Scope.DEALLOCATE: _LISTS,
    Scope.NOT_READY: _LISTS,
    Scope.READS: _ANSWERED | _STATES | {FaultKind.OBJECT, FaultKind.EMPTY, FaultKind.DATA_OTHER_CASE},
    Scope.SEARCH: _EVERYWHERE,
    Scope.CREATE: _ANSWERED | _AFTER,
}
"""The faults that apply to each scope."""


def acts(kind: FaultKind) -> Acts:
    """Returns what a call with this fault does."""
    match kind:
        case FaultKind.HALF_ACTED_500 | FaultKind.HALF_ACTED_CLOSE:
            return Acts.HALF
        case FaultKind.SURPLUS_LATE:
            return Acts.ALL
        case _ if kind in _BEFORE:
            return Acts.NOTHING
        case _ if kind.endswith("-late"):
            return Acts.LATE
        case _:
            return Acts.ALL


_MEANINGS: Final[Mapping[FaultKind, str]] = {
    FaultKind.UNAUTHORIZED: "401 of the gateway; nothing was done",
    FaultKind.FORBIDDEN: "403 of the gateway; nothing was done",
    FaultKind.REDIRECT: "302 to a login page; nothing was done",
    FaultKind.HALF_ACTED_500: "half of the list is done, then 500",
    FaultKind.HALF_ACTED_CLOSE: "half of the list is done, then the connection is cut",
    FaultKind.TRUNCATED: "half of the body is sent, then the connection is closed; it was acted on",
    FaultKind.HALF_LIST: "half of the items are missing",
    FaultKind.SHUFFLED: "the items are in another order",
    FaultKind.EXTRA_ITEM: "an item for a reference that was not in the list",
    FaultKind.DOUBLED_ITEM: "an item twice",
    FaultKind.CONTRADICTION: "two items that contradict each other",
    FaultKind.DATA_OTHER_CASE: "references in small letters",
    FaultKind.DATA_NULL: "some items have no reference",
    FaultKind.DATA_MISTYPED: "some items have something else for a reference",
    FaultKind.SUCCESS_MISSING: "some items have no IsSuccess",
    FaultKind.SUCCESS_MISTYPED: "some items have something else for IsSuccess",
    FaultKind.OBJECT: "one object that names nothing",
    FaultKind.NULL: "the body is null",
    FaultKind.HTML: "200 with a login page; it was acted on",
    FaultKind.EMPTY: "no body",
    FaultKind.WRONG_ENCODING: "the body is in UTF-16",
    FaultKind.BROKEN_GZIP: "the body cannot be unpacked",
    FaultKind.HUGE: "the body unpacks to 16 MB",
    FaultKind.ACCEPTED: "202 without a body; it was acted on",
    FaultKind.NO_CONTENT: "204; it was acted on",
    FaultKind.STATE_UNKNOWN: "a state that nobody has heard of",
    FaultKind.STATE_MISSING: "no state",
    FaultKind.STATE_SPACED: "the state is written with blanks, as in `In Transit - Waiting`",
    FaultKind.SLOW: "it takes slow_ms longer",
    FaultKind.MAINTENANCE_BEFORE: '200 {"status": "maintenance", ...}; nothing was done',
    FaultKind.MAINTENANCE_AFTER: '200 {"status": "maintenance", ...}; it was acted on',
    FaultKind.MAINTENANCE_PAGE_BEFORE: "200 with a page that tells of maintenance; nothing was done",
    FaultKind.MAINTENANCE_PAGE_AFTER: "200 with a page that tells of maintenance; it was acted on",
    FaultKind.CAMEL_CASE: "isSuccess for IsSuccess, and so on, in errors too",
    FaultKind.SNAKE_CASE: "is_success for IsSuccess, and so on, in errors too",
    FaultKind.LOWER_CASE: "issuccess for IsSuccess, and so on, in errors too",
    FaultKind.IN_DATA: 'the answer stands inside {"data": ..., "meta": ...}',
    FaultKind.IN_RESULTS: 'the answer stands inside {"count": ..., "results": ...}',
    FaultKind.IN_VALUE: 'the answer stands inside {"@odata.context": ..., "value": ...}',
    FaultKind.IN_ITEMS: 'the answer stands inside {"Items": ..., "TotalCount": ...}',
    FaultKind.IN_STRING: "the answer is a JSON string that holds JSON",
    FaultKind.BY_REFERENCE: "an object of items by reference in place of a list",
    FaultKind.BYTE_ORDER_MARK: "a byte order mark stands before the JSON",
    FaultKind.ERROR_TEXT: "an error has the name of an exception for its Code, and a text for its Details",
    FaultKind.ERROR_SHORT: "an error has no Details",
    FaultKind.HALF_SURROGATE: r'a Message with a lone "\ud800"',
    FaultKind.BAD_UTF8: "a Message with bytes that are not UTF-8",
    FaultKind.STALE_AGE: "the state of stale_s ago, with `Age` to tell",
    FaultKind.STALE_DATE: "the state of stale_s ago, with an old `Date` to tell",
    FaultKind.STALE_MODIFIED: "the state of stale_s ago, with an old `Last-Modified` to tell",
    FaultKind.SURPLUS: "a second answer, an empty 200, follows in the same write",
    FaultKind.SURPLUS_LATE: "a second answer, an empty 200, follows after surplus_ms if the connection is idle then",
    FaultKind.HEADER_LONG: "a header of 16 KB",
    FaultKind.HEADERS_MANY: "200 headers more",
    FaultKind.HEADER_BLANK: "a header with a blank before its colon",
    FaultKind.HEADER_NO_COLON: "a line without a colon among the headers",
    FaultKind.LENGTH_DOUBLED: "two headers Content-Length",
}
_WHEN: Final = {
    "before": "nothing was done",
    "after": "it was acted on",
    "late": "it acts late_ms later",
}


def meaning(kind: FaultKind) -> str:
    """Returns what a fault is, in one line."""
    words = _MEANINGS.get(kind)
    if words is not None:
        return words
    first, *form, when = kind.split("-")
    match first, form:
        case "timeout", _:
            answer = "no answer until hang_ms are over"
        case "close", _:
            answer = "the connection is cut without an answer"
        case _, ["bodyless"]:
            answer = f"{first} without a body"
        case _, ["problem"]:
            answer = f"{first} as a ProblemDetails object"
        case _:
            answer = first
    return f"{answer}; {_WHEN[when]}"
