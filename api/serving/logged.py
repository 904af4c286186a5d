"""What the log has of a request: nothing that its client alone chose.

A client may put a secret anywhere: a plan's token is part of a path, and a question mark that is percent-encoded makes
the query one. So the log has the pattern of the route. A part of it is filled in where it names something that there
is, which only a request that was met shows.
"""

import re
from collections.abc import Iterable
from typing import Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

HIDDEN: Final = "***"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_NAMES: Final = frozenset({"account", "code", "file", "job", "webhook"})
"""Parts of a path that name what there is, none of it secret."""
_PART: Final = re.compile(r"{(\w+)}")
_FAILED: Final = 400


def method(scope: Scope) -> str:
    """Its method, where it is one: a client may send any word."""
    return scope["method"] if scope["method"] in _METHODS else HIDDEN


def path(scope: Scope, routes: Iterable[BaseRoute], status: int | None) -> str:
    """Its path.

    Args:
        scope: the request, as routes see it.
        routes: those there are: whoever was refused before has not been led to one.
        status: that it was answered with; None where it was not.
    """
    route, values = _found(scope, routes)
    if route is None:
        return HIDDEN
    met = status is not None and status < _FAILED

    def filled(part: re.Match[str]) -> str:
        return str(values.get(part[1], HIDDEN)) if met and part[1] in _NAMES else HIDDEN

    return str(scope.get("root_path", "")) + _PART.sub(filled, route.path)


def _found(scope: Scope, routes: Iterable[BaseRoute]) -> tuple[Route | None, dict[str, object]]:
    if isinstance(led := scope.get("route"), Route):
        return led, scope.get("path_params", {})
    for one in routes:
        if isinstance(one, Route) and one.matches(scope)[0] is not Match.NONE:
            return one, {}
    return None, {}
