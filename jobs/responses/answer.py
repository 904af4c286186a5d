"""The platform's answer to one request, or that none came; and which statuses and bodies are the platform's own."""

from dataclasses import dataclass
from enum import Enum

from cancellist.jobs.responses.answer_forms import error_of, field, is_error

LONGEST_MESSAGE = 500
"""Characters of the platform's text that are kept. A longer text is cut, so its end is not known."""
NOT_COUNTED = frozenset({401, 403, 429})
"""Statuses that burn no attempt: they are about the caller, not about the references."""
CONFIRMING = frozenset({200, 201})
"""Source: 200 is in the platform's guide, 201 in its API reference. 202 would be a promise only; 204 is
undocumented."""
TIMED_OUT_STATUS, TOO_LONG_STATUS = 408, 413
CLIENT_ERRORS, SERVER_ERRORS = 400, 500
"""The first statuses of their classes."""
_OK, _REDIRECTS = 200, 300
_NO_REFUSALS = NOT_COUNTED | {TIMED_OUT_STATUS, TOO_LONG_STATUS}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: HTTP status, decoded JSON body (`UNREADABLE` where it is no JSON), and headers' hints.

    `age_s` is its least age in seconds when it came, since a cache may have kept it; 0 where no header says so.
    `unmodified_s` is how many seconds before its arrival its content last changed; None where no header says so.
    """

    status: int
    body: object = None
    retry_after_s: float | None = None
    age_s: float = 0.0
    unmodified_s: float | None = None


class Unreadable(Enum):
    """Stands for a body that is no JSON."""

    UNREADABLE = "unreadable"


UNREADABLE = Unreadable.UNREADABLE


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came.

    `written` says whether a byte of the request may have left: then the platform may have acted. `timed_out` says that
    the wait for an answer ended without one. `withheld` says that we decided to send nothing.
    """

    reason: str
    written: bool
    timed_out: bool = False
    withheld: bool = False


def is_success(status: int) -> bool:
    """Whether an HTTP status is a success (2xx)."""
    return _OK <= status < _REDIRECTS


def correlation_id(body: object) -> str | None:
    """The platform's id of the request, from an error body; None where there is none."""
    told = error_of(body)
    return text_of(field(told, "CorrelationId")) if told else None


def refused_by_gateway(answer: Answer) -> bool:
    """Whether a gateway refused the request before the platform saw it; its errors have a form of their own.

    A batch that is too long for the gateway does not count: a shorter one may pass.
    """
    if not CLIENT_ERRORS <= answer.status < SERVER_ERRORS or answer.status in _NO_REFUSALS:
        return False
    return of_gateway(answer.body)


def of_gateway(body: object) -> bool:
    """Whether an error is that of the gateway before the platform, by its form."""
    return isinstance(body, dict) and "statusCode" in body and "message" in body


def too_long(answer: Answer | Failure) -> bool:
    """Whether a batch was refused for its length (413), by the platform or a gateway."""
    return isinstance(answer, Answer) and answer.status == TOO_LONG_STATUS


def of_platform(body: object) -> bool:
    """Whether an error is the platform's own. A proxy's page, a framework's error or an empty body may be anybody's."""
    return is_error(body)


def words_of(body: object) -> str | None:
    """The message of an error body, the platform's or another's; None where there is none."""
    told = error_of(body) or body
    return text_of(field(told, "Message")) if isinstance(told, dict) else None


def text_of(value: object) -> str | None:
    """A value as a text to keep, cut to `LONGEST_MESSAGE`; None where it is no text, or empty."""
    return value[:LONGEST_MESSAGE] if isinstance(value, str) and value else None
