"""Problems: what goes wrong, as a client is told it (RFC 9457), and how a route declares what may.

Each kind has a code that stays; `type` is `/problems/CODE`, which answers the kind's text (api/problem_kinds.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from cancellist.api.problem_kind import Kind
from cancellist.api.problem_kinds import KINDS
from cancellist.jobs.errors import CancellistError, InputError, LedgerError, LedgerUnavailableError
from cancellist.jobs.escaping import cut, plain
from cancellist.jobs.option_names import PARAMETERS
from cancellist.jobs.wrong_values import Accepted, explained

log = structlog.get_logger()

GONE: Final = 499
"""What the log has of a request whose client has gone; nobody is answered it."""
MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
_ANY: Final = ("internal", "ending")
_LIMITS: Final = ("too_many_requests", "too_many_connections")
_MOST_ERRORS: Final = 20
_LONGEST: Final = 500
LONGEST_NAME: Final = 30
"""No name of ours is longer. More of one that a client has made up is not repeated: it may be a secret in the wrong
place."""
_EXAMPLES: Final[Mapping[str, str]] = {
    "references": '["EC-000-05D-1NS"]', "deadline": "2026-11-30T18:00:00Z or +2h", "start_at": "+2h",
    "max_invalid": "10%", "limit": "100", "skip_lines": "1", "header": "true", "reason": "recall 1147",
    "requested_by": "anna", "idempotency_key": "recall-1147", "account": "default", "column": "reference",
    "expect_count": "1200",
}  # fmt: skip
"""An example of each field that a wrong value cannot show."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    message: str


class ClientGoneError(Exception):
    """The client has gone before it had sent all."""


class ProblemError(Exception):
    """A request cannot be met; `code` says of what kind that is."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[code]
        self.detail = detail
        self.hint = hint
        self.errors = errors[:_MOST_ERRORS]
        self.headers = {**_retry_after(self.kind), **(headers or {})}

    def document(self, request_id: str) -> dict[str, Any]:
        """What the client is told."""
        document: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": cut(plain(self.detail), _LONGEST),
            "request_id": request_id,
        }
        if hint := self.hint or self.kind.hint:
            document["hint"] = cut(plain(hint), _LONGEST)
        if self.errors:
            document["errors"] = [
                {"field": plain(one.field), "message": cut(plain(one.message), _LONGEST)} for one in self.errors
            ]
        return document

    def response(self, request_id: str) -> Response:
        """The answer."""
        body = orjson.dumps(self.document(request_id))
        return Response(body, self.kind.status, headers=self.headers, media_type=MEDIA_TYPE)


Respond = Callable[[ProblemError, str], Response]
"""Makes an answer of a problem and the id of its request."""


def invalid(field: str, message: str) -> ProblemError:
    """One field of a request is wrong."""
    return ProblemError("validation", f"{field}: {message}", errors=[FieldError(field, message)])


def of_error(error: CancellistError) -> ProblemError:
    """An error of the project as a client is told it: what it says of our server is for the log alone."""
    if isinstance(error, LedgerError):
        log.warning("the ledger cannot do what a request asks", code=error.code, reason=str(error))
        return ProblemError(error.code, KINDS[error.code].title)
    if error.code not in KINDS or error.code == CancellistError.code:
        log.error("a request met an error that no client can mend", code=error.code, reason=str(error))
        return ProblemError("error", KINDS["error"].title)
    return ProblemError(error.code, error.told(PARAMETERS) if isinstance(error, InputError) else error.message)


def declared(*codes: str, limited: bool = True) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that these problems are, as its description has them, with those that any route may give.

    Args:
        codes: those of its own.
        limited: whether callers of it are held to the limits.
    """
    by_status: dict[int, list[Kind]] = {}
    for code in dict.fromkeys((*codes, *_ANY, *(_LIMITS if limited else ()))):
        by_status.setdefault(KINDS[code].status, []).append(KINDS[code])
    return {status: _declared(kinds) for status, kinds in sorted(by_status.items())}


def _declared(kinds: Sequence[Kind]) -> dict[str, Any]:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"type": {"enum": [kind.type for kind in kinds]}, "status": {"const": kinds[0].status}},
    }
    answer: dict[str, Any] = {
        "description": "; or ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    headers = {}
    if any(kind.retry for kind in kinds):
        headers["Retry-After"] = {"description": "seconds", "schema": {"type": "integer"}}
    if any(kind.code == "unauthorized" for kind in kinds):
        headers["WWW-Authenticate"] = {"description": "how to come in", "schema": {"type": "string"}}
    return {**answer, "headers": headers} if headers else answer


def install(app: FastAPI) -> None:
    """Has whatever a route raises answered as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, LedgerUnavailableError):
            request.app.state.context.away.set()
        problem = _problem_of(error)
        if problem.kind.code == "method_not_allowed":
            problem.headers["Allow"] = _allowed(request)
        return answered(problem, request.scope)

    async def leave(_request: Request, _error: Exception) -> Response:
        return Response(status_code=GONE)

    app.add_exception_handler(ClientGoneError, leave)
    for kind in (ProblemError, CancellistError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _allowed(request: Request) -> str:
    """The methods that an address takes, over all its routes."""
    found = [
        route.methods or set()
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    methods = set().union(*found)
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def answered(problem: ProblemError, scope: Any) -> Response:
    """The answer that a problem is, in the form that its middleware has found the route to have."""
    respond: Respond = scope.get("state", {}).get("respond", ProblemError.response)
    return masked(respond(problem, request_id_of(scope)), scope)


def masked(answer: Response, scope: Any) -> Response:
    """The same answer, without a token that the client has put where none belongs."""
    if mask := scope.get("state", {}).get("mask"):
        answer.body = mask(bytes(answer.body))
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer


def request_id_of(scope: Any) -> str:
    """The id of a request, which its middleware gave it."""
    return str(scope.get("state", {}).get("request_id", ""))


def ending() -> ProblemError:
    """The process ends before the request has."""
    return ProblemError("ending", KINDS["ending"].title)


def internal() -> ProblemError:
    """A fault of ours, whose trace is in the log."""
    return ProblemError("internal", KINDS["internal"].title)


def _problem_of(error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case CancellistError():
            return of_error(error)
        case RequestValidationError():
            return _of_validation(error.errors())
        case HTTPException():
            return _of_http(error)
        case _:
            return internal()


def _of_validation(errors: Sequence[Any]) -> ProblemError:
    found = [FieldError(_field(one["loc"]), _message(one)) for one in errors]
    return ProblemError("validation", "; ".join(f"{one.field}: {one.message}" for one in found[:3]), errors=found)


def fields_of(errors: Sequence[Any]) -> ProblemError:
    """The same of a document that was read by hand."""
    return _of_validation([{**one, "loc": ("body", *one["loc"])} for one in errors])


def _field(loc: Sequence[Any]) -> str:
    """Where a value stands: without the name of the part of the request that it is in."""
    return plain(".".join(str(part)[:LONGEST_NAME] for part in loc[1:] or loc))[:100]


def _message(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is none of that name"
    return explained(error, Accepted(example=_EXAMPLES.get(str(error["loc"][-1]))))


def _of_http(error: HTTPException) -> ProblemError:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
    if code is None:
        return internal()
    return ProblemError(code, KINDS[code].title)


def _retry_after(kind: Kind) -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_S)} if kind.retry else {}
