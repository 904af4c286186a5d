"""What the platform answered to one request, or that nothing came; which statuses and bodies are its own."""

from dataclasses import dataclass
from enum import Enum

from cancellist.jobs.responses.answer_forms import error_of, field, is_error

LONGEST_MESSAGE = 500
"""Characters of the platform's words that are kept; what is longer was cut and is not known to the end."""
NOT_COUNTED = frozenset({401, 403, 429})
"""Statuses that burn no attempt: they are about the caller, not about what was asked."""
CONFIRMING = frozenset({200, 201})
"""200 by the guide, 201 by the API reference; 202 would only promise, and 204 is documented nowhere."""
TIMED_OUT_STATUS, TOO_LONG_STATUS = 408, 413
CLIENT_ERRORS, SERVER_ERRORS = 400, 500
"""The first statuses of their classes."""
_OK, _REDIRECTS = 200, 300
_NO_REFUSALS = NOT_COUNTED | {TIMED_OUT_STATUS, TOO_LONG_STATUS}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered: HTTP status, the decoded JSON body (`UNREADABLE` where it is none), and hints.

    `age_s` says how old it was at least when it came, 0 where nothing says so: something on the way may have kept it.
    `unmodified_s` says how long before it came what it tells of was changed last, None where nothing says so.
    """

    status: int
    body: object = None
    retry_after_s: float | None = None
    age_s: float = 0.0
    unmodified_s: float | None = None


class Unreadable(Enum):
    """The body of an answer that could not be read as JSON."""

    UNREADABLE = "unreadable"


UNREADABLE = Unreadable.UNREADABLE


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came.

    `written` says whether a byte of the request may have left: where it did, the platform may have acted. `timed_out`
    says that it was waited for in vain, `withheld` that it was we who sent nothing.
    """

    reason: str
    written: bool
    timed_out: bool = False
    withheld: bool = False


def is_success(status: int) -> bool:
    """Whether an HTTP status is one of success."""
    return _OK <= status < _REDIRECTS


def correlation_id(body: object) -> str | None:
    """The platform's own name for the request, in an error body."""
    told = error_of(body)
    return text_of(field(told, "CorrelationId")) if told else None


def refused_by_gateway(answer: Answer) -> bool:
    """Whether a gateway refused the request, by its form of an error, before the platform has seen it.

    A list that is too long for it is not meant: a shorter one may pass.
    """
    if not CLIENT_ERRORS <= answer.status < SERVER_ERRORS or answer.status in _NO_REFUSALS:
        return False
    return _of_gateway(answer.body)


def _of_gateway(body: object) -> bool:
    return isinstance(body, dict) and "statusCode" in body and "message" in body


def too_long(answer: Answer | Failure) -> bool:
    """Whether a list was refused for its length, by whomever."""
    return isinstance(answer, Answer) and answer.status == TOO_LONG_STATUS


def of_platform(body: object) -> bool:
    """Whether an error is the platform's own. A proxy's page, a framework's error and no body at all tell nothing."""
    return is_error(body)


def words_of(body: object) -> str | None:
    """The words in an error body, whoever's it is."""
    told = error_of(body) or body
    return text_of(field(told, "Message")) if isinstance(told, dict) else None


def text_of(value: object) -> str | None:
    """A value as words to keep; None where it is no text, or empty."""
    return value[:LONGEST_MESSAGE] if isinstance(value, str) and value else None
