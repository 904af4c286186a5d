"""The platform's own two calls that cancel, made durable: a client of the platform changes its base URL and its key.

What a request asks for becomes a job. Its answer waits until the job has ended, and then has the platform's form. Each
answer to a request that was handed in has the address of its job in `Location`.

A base URL that ends in `/accounts/NAME` names the account of its jobs; else they are of the account `default`.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from cancellist.api.auth import Submitter
from cancellist.api.context import InContext
from cancellist.api.facade import list_body, platform_errors, platform_words
from cancellist.api.facade.asked_references import BATCH, AskedList
from cancellist.api.facade.job_of_call import OUTCOMES, Asking, hand_in_and_wait, json_response
from cancellist.api.facade.list_answer import ListAnswer
from cancellist.api.facade.platform_errors import RefusedError
from cancellist.api.facade.platform_schemas import CancelledItem, PlatformError
from cancellist.api.problems import masked, request_id_of
from cancellist.api.request_body import Body, is_packed
from cancellist.api.results import quality
from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.ledger import accounts
from cancellist.jobs.model import DEFAULT_ACCOUNT

router = APIRouter(tags=["the platform's calls"])

_JSON: Final = "application/json"
_LISTS: Final = frozenset({_JSON})
_BODILESS: Final = frozenset({_JSON, "text/xml", "application/xml", ""})
"""Types that a call without a body may name, as it may to the platform."""
_DRAINED: Final = 64 * 1024
_TEXT: Final = {"schema": {"type": "string"}}
_HEADERS: Final = {
    "Location": {"description": "the address of the job", **_TEXT},
    OUTCOMES: {"description": "how many references have each outcome, such as `cancelled=3, failed=1`", **_TEXT},
    "Preference-Applied": {"description": "`wait=N`, where it was asked for", **_TEXT},
    "Idempotent-Replayed": {"description": "`true`, where the key named the job before", **_TEXT},
}
_GOES_ON: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": PlatformError, "description": "it is handed in and goes on", "headers": _HEADERS}
}
_COMMON: Final = {
    401: "no token that is known",
    403: "the role `submit` is missing",
    406: "JSON is not accepted",
    408: "the body did not go on",
    409: "a request with this key is under way, the plan does not hold, or the platform was never called before",
    413: "the body is too large",
    415: "the body has another type",
    422: "the idempotency key was used with other content",
    429: "too many requests of this caller",
    500: "a fault of cancellist",
    503: "it cannot be handed in now: send it again",
}
_LIST: Final = platform_errors.declared({400: "it is no list of references", **_COMMON}, {}, of_results=())
_ONE: Final = platform_errors.declared(
    {
        400: "it was refused, or the request is malformed",
        404: "the platform does not know it",
        **_COMMON,
        504: "it was handed in, and is neither cancelled nor refused for sure",
    },
    _HEADERS,
    of_results={400, 404, 504},
)
_ARRAY: Final = {
    "type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string", "minLength": 1},
}  # fmt: skip
_BODY: Final = {"requestBody": {"required": True, "content": {_JSON: {"schema": _ARRAY}}}}

_LIST_PATH: Final = "/consignments/cancellist"
_ONE_PATH: Final = "/consignments/{reference}/cancel"
_ACCOUNT_PATH: Final = "/accounts/{account}"


async def _declare_account(account: Annotated[str, Path(description="the account of the job")]) -> None:
    """Has the description name the account in the path; `Asking.account` reads it."""


_IN_ACCOUNT: Final = [Depends(_declare_account)]

_Key = Annotated[str | None, Header(description="the same key with the same content is one job")]
_PLAN: Final = "Cancellist-Plan"
_OWN: Final = "cancellist-"
_Plan = Annotated[
    str | None,
    Header(alias=_PLAN, min_length=1, max_length=500, description="the token of a plan: only that is cancelled"),
]
_Prefer = Annotated[str | None, Header(description="`wait=N`: wait no longer than N s for the end")]


_LIST_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": list[CancelledItem], "description": "one item a reference, in order", "headers": _HEADERS},
    **_GOES_ON,
    **_LIST,
}
_ONE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "it is cancelled; there is no body", "headers": _HEADERS},
    **_GOES_ON,
    **_ONE,
}
_NO_ACCOUNT: Final = platform_errors.declared({404: "there is no such account"}, {}, of_results=())


@router.put(_LIST_PATH, response_model=None, openapi_extra=_BODY, responses=_LIST_ANSWERS)
@router.put(
    _ACCOUNT_PATH + _LIST_PATH,
    response_model=None,
    openapi_extra=_BODY,
    responses={**_LIST_ANSWERS, **_NO_ACCOUNT},
    dependencies=_IN_ACCOUNT,
)
async def cancel_list(
    request: Request,
    context: InContext,
    caller: Submitter,
    idempotency_key: _Key = None,
    prefer: _Prefer = None,
    plan: _Plan = None,
) -> Any:
    """Cancels consignments, as the platform's Cancel Consignments.

    The answer waits until each reference has a result. `IsSuccess` is true where a consignment is cancelled for sure.
    `Cancellist-Outcomes` tells refusals from what is not known, or not done.
    """
    asking = Asking(request, context, caller, idempotency_key, prefer, plan)
    await _check_account(asking)
    _check_headers(request)
    _check_accept(request)
    _check_type(request, _LISTS)
    body = Body(request.receive, packed=is_packed(request), limits=context.options.limits)
    body.check_length(request.headers.get("content-length"))
    with ExitStack() as opened:
        asked = opened.enter_context(AskedList())
        found = await hand_in_and_wait(asking, asked, list_body.read(body.blocks()), body)
        if isinstance(found, Response):
            return found
        if asked.total <= BATCH:
            return json_response([platform_words.item(one) for page in asked.pages() for one in page], 200, found)
        opened.pop_all()
        return ListAnswer(asked, found)


@router.put(_ONE_PATH, response_model=None, response_class=Response, responses=_ONE_ANSWERS)
@router.put(
    _ACCOUNT_PATH + _ONE_PATH,
    response_model=None,
    response_class=Response,
    responses=_ONE_ANSWERS,
    dependencies=_IN_ACCOUNT,
)
async def cancel(
    reference: str, request: Request, context: InContext, caller: Submitter, idempotency_key: _Key = None,
    prefer: _Prefer = None, plan: _Plan = None,
) -> Any:  # fmt: skip
    """Cancels one consignment, as the platform's Cancel Consignment; the answer waits until it has a result."""
    asking = Asking(request, context, caller, idempotency_key, prefer, plan)
    await _check_account(asking)
    _check_headers(request)
    _check_accept(request)
    _check_type(request, _BODILESS)
    body = Body(request.receive, packed=False, limits=context.options.limits)
    await body.whole(_DRAINED)
    with AskedList() as asked:
        found = await hand_in_and_wait(asking, asked, _alone(reference), None)
        if isinstance(found, Response):
            return found
        became = next(asked.pages())[0]
    refusal = platform_words.refusal(became)
    if refusal is None:
        return Response(headers=found)
    words = platform_words.words(became)
    raise RefusedError(refusal.status, refusal.code, words, detail=words, headers=found)


async def _alone(reference: str) -> AsyncGenerator[list[str], None]:
    yield [reference]


async def _check_account(asking: Asking) -> None:
    """Refuses an account that the path names, and that there is not.

    Raises:
        RefusedError: there is none of that name.
    """
    if asking.account == DEFAULT_ACCOUNT:
        return
    try:
        await accounts.check(asking.context.ledger, asking.account, asking.context.options.accounts)
    except InputError as error:
        raise RefusedError(404, "account_not_found", error.message, detail=error.message) from None


def _check_headers(request: Request) -> None:
    """Refuses a header of ours that is not known: who wrote it wants a guard, and would have none.

    Raises:
        RefusedError: there is one.
    """
    for name in request.headers:
        if name.startswith(_OWN) and name != _PLAN.lower():
            words = f"The header {shown(name)} is not known; known is {_PLAN}, and POST /v1/jobs takes all other guards"
            raise RefusedError(400, "invalid_request", words)


def _check_accept(request: Request) -> None:
    ranges = [part for part in request.headers.get("accept", "").split(",") if part.strip()]
    if ranges and not quality(ranges, _JSON):
        raise RefusedError(406, "not_acceptable", f"The answer is {_JSON}, which the header Accept does not take")


def _check_type(request: Request, taken: frozenset[str]) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip()
    if given.lower() not in taken:
        valid = sorted(taken - {""})
        verb = "is" if len(valid) == 1 else "are"
        words = f"The Content-Type {shown(given) or '(none)'} is invalid; valid {verb} {', '.join(valid)}"
        raise RefusedError(415, "invalid_content_type", words)


def _without_case(route: APIRoute) -> None:
    """Has a route take its path in any case, and with a slash behind it, as the platform does."""
    route.path_regex = re.compile(route.path_regex.pattern.removesuffix("$") + "/?$", re.IGNORECASE)


def install(app: FastAPI) -> None:
    """Has refusals answered in the platform's form."""

    async def answer(request: Request, error: Exception) -> Response:
        if not isinstance(error, RefusedError):
            raise error
        return masked(error.response(request_id_of(request.scope)), request.scope)

    app.add_exception_handler(RefusedError, answer)


for _route in router.routes:
    if isinstance(_route, APIRoute):
        _without_case(_route)
