"""Says what an option of a command accepts, where typer has pydantic's words for it."""

from types import NoneType
from typing import Any, get_args

import typer

from cancellist.jobs.wrong_values import Accepted, explained, number


def message(error: typer.TyperException) -> str:
    """The message of a wrong use of a command. A wrong number is told with its range and an example."""
    param: Any = getattr(error, "param", None)
    found = getattr(error.__cause__, "errors", None)
    if param is None or found is None:
        return error.format_message()
    told = explained(found(include_url=False)[0], _accepted(param))
    return f"Invalid value for '{param.opts[0] if param.opts[0].startswith('-') else param.metavar}': {told}"


def _accepted(param: Any) -> Accepted:
    """What the option accepts, by its annotation, its range and its default."""
    annotation = param.type_descriptor.annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType] or [annotation]
    if kinds[0] not in {int, float}:
        return Accepted()
    example = param.default if isinstance(param.default, int | float) else param.min
    return Accepted(number(kinds[0], low=param.min, high=param.max), example)
