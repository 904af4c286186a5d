"""Errors as the platform has them: what the routes of the facade answer in place of problems (api/problems.py)."""

from collections.abc import Container, Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response

from cancellist.api.facade.platform_schemas import GatewayError, PlatformError
from cancellist.api.problems import ProblemError

UNPROCESSABLE: Final = 422
_BAD_REQUEST: Final = 400
_CONFLICT: Final = "idempotency_conflict"
_GATEWAY: Final = {
    "unauthorized": "Access denied due to missing or invalid subscription key.",
    "not_found": "Resource not found",
    "method_not_allowed": "Method Not Allowed",
}
"""What a gateway before the platform answers, with a body of its own."""
_CODES: Final = {"unsupported_media_type": "invalid_content_type", "validation": "invalid_request"}
_TARGET: Final = "consignmentReference"
JSON: Final = "application/json; charset=utf-8"
"""The type of all answers of the facade, as of the platform's."""
_TEXT: Final = {"schema": {"type": "string"}}


class RefusedError(Exception):
    """A request of the facade cannot be met, or its reference was refused."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers

    def response(self, request_id: str) -> Response:
        """The answer."""
        details = [{"Code": self.code, "Target": _TARGET, "Message": self.detail}] if self.detail else []
        document = body(self.code, self.message, request_id, details)
        return Response(orjson.dumps(document), self.status, headers=self.headers, media_type=JSON)


def body(code: str, message: str, request_id: str, details: Any = ()) -> dict[str, Any]:
    """The platform's body of an error."""
    return {"Code": code, "Message": message, "CorrelationId": request_id, "Details": list(details)}


def respond(problem: ProblemError, request_id: str) -> Response:
    """A problem in the form of the platform, or of the gateway before it."""
    code, told = problem.kind.code, problem.document(request_id)
    status = told["status"]
    if code in _GATEWAY:
        document: dict[str, Any] = {"statusCode": status, "message": _GATEWAY[code]}
    else:
        details = [
            {"Code": _CODES.get(code, code), "Target": one["field"], "Message": one["message"]}
            for one in told.get("errors", ())
        ]
        document = body(_CODES.get(code, code), told["detail"], request_id, details)
        if status == UNPROCESSABLE and code != _CONFLICT:
            status = _BAD_REQUEST
    return Response(orjson.dumps(document), status, headers=problem.headers, media_type=JSON)


def declared(
    texts: Mapping[int, str], headers: Mapping[str, Any], *, of_results: Container[int]
) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, by status, as its description has them.

    Args:
        texts: what each is.
        headers: those of an answer that tells what became of a reference.
        of_results: the statuses of such answers.
    """
    return {status: _declared(status, text, headers if status in of_results else {}) for status, text in texts.items()}


def _declared(status: int, text: str, more: Mapping[str, Any]) -> dict[str, Any]:
    headers = {
        401: {"WWW-Authenticate": _TEXT},
        409: {"Retry-After": _TEXT},
        415: {"Accept-Encoding": _TEXT},
        429: {"Retry-After": _TEXT},
        503: {"Retry-After": _TEXT},
    }.get(status, {})
    model = GatewayError if status == 401 else PlatformError  # noqa: PLR2004 - the gateway's own
    return {"model": model, "description": text, "headers": {**headers, **more}}
