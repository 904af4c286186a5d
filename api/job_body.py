"""The body that names references and says what is wanted of them, as `POST /v1/jobs` and `POST /v1/plans` take it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from cancellist.api.context import Context
from cancellist.api.job_request import BodyOptions, JobOptions, parse_order
from cancellist.api.problems import invalid
from cancellist.api.request_body import Body, Declared, declared_of, is_packed
from cancellist.api.submitting import InMemory
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger.submitting.input_feed import Input

_OBJECT: Final = b"{"
_ARRAY: Final = b"["
PROBLEMS: Final = (
    "request_timeout", "body_too_large", "unsupported_media_type", "input", "no_references", "validation",
    "too_many_bodies", "error", "count_mismatch", "server_full",
)  # fmt: skip
"""What may be wrong with it."""


@dataclass(frozen=True, slots=True)
class JobBody:
    """A body that is yet to be read.

    Attributes:
        source: its references.
        said: what it, or the parameters beside it, say of the job.
        declared: what it is said to be.
    """

    source: Input
    said: JobOptions
    declared: Declared


async def body_of(request: Request, context: Context, options: BodyOptions, take: Callable[[int], None]) -> JobBody:
    """The body of a request; only a JSON object is read here.

    Args:
        request: the request.
        context: what bodies are held to.
        options: what the parameters say.
        take: is told of each block that is held.

    Raises:
        ProblemError: it is too large or of another type, or what it says is wrong.
        InputError: it is said to be JSON, and is none.
        ClientGoneError: it was cut.
    """
    body = Body(request.receive, packed=is_packed(request), limits=context.options.limits)
    declared = declared_of(request)
    body.check_length(request.headers.get("content-length"))
    if declared is Declared.JSON and await _is_object(body):
        if options.model_fields_set:
            raise invalid(min(options.model_fields_set), "with a JSON object it is given within the object")
        order = parse_order(await body.whole(context.options.limits.max_json, take))
        return JobBody(InMemory(order.document()), order, declared)
    return JobBody(body, options, declared)


async def _is_object(body: Body) -> bool:
    """Whether a JSON body is an object, whose options must all be read; else it is an array, or empty.

    Raises:
        InputError: it is neither, by its first byte.
    """
    first = await body.begins_with()
    if first not in {_OBJECT, _ARRAY, b""}:
        raise InputError("the body is said to be JSON, and is neither an object nor an array in UTF-8")
    return first == _OBJECT
