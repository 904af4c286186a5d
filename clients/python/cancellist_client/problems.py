"""From a refusal on the wire to an error (RFC 9457)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import httpx

from cancellist_client.errors import (
    ApiError,
    AuthError,
    FieldError,
    IdempotencyConflict,
    InProgress,
    InputError,
    JobStateError,
    NotFound,
    RateLimited,
    ResultsGone,
    ServerUnavailable,
)
from cancellist_client.retrying import retry_after_s

_OF_CODE: Final[Mapping[str, type[ApiError]]] = {
    "idempotency_conflict": IdempotencyConflict,
    "idempotency_in_progress": InProgress,
    "job_changed": JobStateError,
    "job_state": JobStateError,
    "request_timeout": ServerUnavailable,
    "results_gone": ResultsGone,
    "retried_before": IdempotencyConflict,
    "unknown_job": NotFound,
}
_OF_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: InputError, 401: AuthError, 403: AuthError, 404: NotFound, 410: ResultsGone, 413: InputError, 415: InputError,
    422: InputError, 429: RateLimited, 502: ServerUnavailable, 503: ServerUnavailable, 504: ServerUnavailable,
}  # fmt: skip
_SHOWN: Final = 200
"""Characters of an answer that explains nothing."""


def refusal(response: httpx.Response) -> ApiError:
    """The error that an answer with a status of 300 or more stands for; its body has been read."""
    document = _problem(response)
    status = response.status_code
    code = _code(document.get("type"))
    kind = _OF_CODE.get(code) or _OF_STATUS.get(status, ApiError)
    return kind(
        _text(document.get("detail")) or _text(document.get("title")) or _unexplained(response),
        code=code or "error",
        status=status,
        hint=_text(document.get("hint")),
        errors=_fields(document.get("errors")),
        request_id=_text(document.get("request_id")) or _text(response.headers.get("x-request-id")),
        retry_after=retry_after_s(response.headers.get("retry-after"), datetime.now(UTC)),
    )


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    if "json" not in response.headers.get("content-type", ""):
        return {}
    try:
        document = response.json()
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", document) if isinstance(document, dict) else {}


def _code(kind: object) -> str:
    return kind.rstrip("/").rpartition("/")[2] if isinstance(kind, str) else ""


def _fields(errors: object) -> tuple[FieldError, ...]:
    if not isinstance(errors, list):
        return ()
    rows = [cast("Mapping[str, object]", row) for row in cast("list[object]", errors) if isinstance(row, dict)]
    return tuple(FieldError(str(row.get("field", "")), str(row.get("message", ""))) for row in rows)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _unexplained(response: httpx.Response) -> str:
    """Something that is not cancellist has answered, such as a proxy."""
    return f"the answer was {response.status_code} {response.reason_phrase}"[:_SHOWN].strip()
