"""What each setting accepts, in words, from its field."""

from collections.abc import Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from cancellist.jobs.wrong_values import Accepted, number, one_of


def accepted(field: FieldInfo, *, whole: bool = True) -> Accepted:
    """What a setting accepts, and an example: one that the field states, else its default.

    Args:
        field: the setting.
        whole: whether the error is of the whole value, not of an entry of it.
    """
    if not whole:
        return Accepted()
    kind, example = _kind(field.annotation), _example(field)
    said = (field.json_schema_extra or {}).get("accepted") if isinstance(field.json_schema_extra, dict) else None
    if isinstance(said, str):
        return Accepted(said, example)
    if get_origin(kind) is Literal:
        return Accepted(one_of(get_args(kind)), example)
    if kind is bool:
        return Accepted(one_of(("true", "false")), example)
    if kind in {int, float}:
        low, above, high = (_bound(field.metadata, of) for of in (Ge, Gt, Le))
        what = number(kind, low=low, above=above, high=high)
        of_time = any(isinstance(one, BeforeValidator) for one in field.metadata)  # a span, which is read before
        return Accepted(what.replace("a number", "a number of seconds", 1) if of_time else what, example)
    return Accepted(example=example)


def is_secret(field: FieldInfo) -> bool:
    """Whether a value is not to be repeated: secrets, and texts, which may hold one in the wrong place."""
    return _kind(field.annotation) not in {int, float, bool} and get_origin(_kind(field.annotation)) is not Literal


def _kind(annotation: Any) -> Any:
    """The type of a setting without None and annotations."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    if get_origin(annotation) is not Literal and len(parts) == 1:
        return _kind(parts[0])
    if hasattr(annotation, "__metadata__"):
        return _kind(parts[0])
    return annotation


def _example(field: FieldInfo) -> object:
    if field.examples:
        return field.examples[0]
    default = field.default
    if isinstance(default, bool):
        return str(default).lower()
    plain = isinstance(default, str | int | float) and default != ""
    return f"{default:.15g}" if isinstance(default, float) else default if plain else None


def _bound(metadata: Sequence[Any], of: type) -> float | None:
    name = of.__name__.lower()
    return next((getattr(one, name) for one in metadata if isinstance(one, of)), None)
