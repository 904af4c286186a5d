"""A problem as a page: what somebody at a browser is told, where a program is told a document."""

import re
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Scope

from cancellist.api.monitor.pages import page
from cancellist.api.problems import ProblemError, Respond

_HTML: Final = "text/html"
_HTML_RANGE: Final = re.compile(r"text/html(?!.*;\s*q=0(?:\.0*)?\s*$).*")
_KIND: Final[dict[str, Any]] = {_HTML: {"schema": {"type": "string"}}}


def is_wanted(scope: Scope) -> bool:
    """Whether a request asks for a page by name, as each browser does and hardly anything else."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
    return any(_HTML_RANGE.fullmatch(one.strip().lower()) for one in accepted.split(","))


def respond(prefix: str) -> Respond:
    """What makes a page of a problem.

    Args:
        prefix: the path that the API is behind.
    """

    def made(problem: ProblemError, request_id: str) -> Response:
        document = problem.document(request_id)
        return page("problem.html", prefix, status=problem.kind.status, headers=problem.headers, problem=document)

    return made


def also(answers: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Answers that are problems, declared as documents or pages."""
    return {status: {**answer, "content": {**answer["content"], **_KIND}} for status, answer in answers.items()}
