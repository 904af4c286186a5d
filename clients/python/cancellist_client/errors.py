"""All that this package raises on purpose.

CancellistError             anything below
├── UnsupportedError        this way in cannot do it; the text says which can
├── TransportError          no answer came: no connection, or it was cut, or what came made no sense
│   └── TlsError            the server's certificate is not trusted, or it speaks no TLS: never tried again
├── JobTimeout              `wait` ended before the job did; it carries the job
├── JobHalted               `wait` ended since the job halted; it carries the job
└── ApiError                refused; it carries the problem's code, status, detail, hint, errors and request id
    ├── AuthError           the token or password is missing or wrong, or lacks a role
    ├── InputError          what was handed in cannot be used; nothing of it was taken
    │   └── IdempotencyConflict  the key was used before with other content
    ├── InProgress          the first request with this idempotency key is still under way
    ├── NotFound            there is no such job
    ├── ResultsGone         results were trimmed
    ├── JobStateError       the job's state does not allow it
    ├── GroupGone           the stream or its consumer group was removed
    ├── RateLimited         too many requests
    └── ServerUnavailable   the server is there, but cannot serve now

An ApiError without a status was found before anything was sent. No text holds a token or a password.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class CancellistError(Exception):
    """Anything that this package raises on purpose."""


class UnsupportedError(CancellistError):
    """This way in cannot do it; the text says which can."""


class TransportError(CancellistError):
    """No answer came, or one that makes no sense: whether the server did anything is not known."""


class TlsError(TransportError):
    """The server's certificate is not trusted, or it speaks no TLS: nothing was sent, and no other attempt is made."""


class JobTimeout(CancellistError):
    """`wait` ended before the job did.

    Attributes:
        job: the job, a `Job` or an `AsyncJob`, as it was last seen: wait on.
    """

    def __init__(self, message: str = "", *, job: Any = None) -> None:
        super().__init__(message)
        self.job = job


class JobHalted(CancellistError):
    """`wait` ended since the job halted: too many of its references were refused or are unconfirmed.

    It goes on once somebody continues it; the error's text says why it halted.

    Attributes:
        job: the job, a `Job` or an `AsyncJob`, as it was last seen.
    """

    def __init__(self, message: str = "", *, job: Any = None) -> None:
        super().__init__(message)
        self.job = job


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    message: str


class ApiError(CancellistError):
    """Refused.

    Attributes:
        code: what programs tell it by; it stays.
        status: the HTTP status; None where no HTTP request was answered.
        detail: what is wrong, in words that may change.
        hint: what to do about it, where that is told apart.
        errors: what is wrong with which field.
        request_id: names the request in the server's log.
        retry_after: after how many seconds to come again, where the server says so.
    """

    def __init__(
        self,
        detail: str = "",
        *,
        code: str = "error",
        status: int | None = None,
        hint: str | None = None,
        errors: Sequence[FieldError] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.hint = hint
        self.errors = tuple(errors)
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        fields = "; ".join(f"{error.field}: {error.message}" for error in self.errors)
        parts = (self.detail, fields if fields != self.detail else "", self.hint)
        text = "; ".join(part for part in parts if part)
        return f"{text} (request {self.request_id})" if self.request_id else text


class AuthError(ApiError):
    """The token or password is missing or wrong, or lacks a role."""


class InputError(ApiError):
    """What was handed in cannot be used; nothing of it was taken."""


class IdempotencyConflict(InputError):
    """The idempotency key was used before with other content."""


class InProgress(ApiError):
    """The first request with this idempotency key is still under way."""


class NotFound(ApiError):
    """There is no such job."""


class ResultsGone(ApiError):
    """Results were trimmed; those that are left were given."""


class JobStateError(ApiError):
    """The job's state does not allow it."""


class GroupGone(ApiError):
    """The stream or its consumer group was removed."""


class RateLimited(ApiError):
    """Too many requests."""


class ServerUnavailable(ApiError):
    """The server is there, but cannot serve now."""


def wrong(field: str, message: str) -> InputError:
    """An argument that cannot be used, found before anything was sent."""
    return InputError("nothing was sent", code="validation", errors=(FieldError(field, message),))
