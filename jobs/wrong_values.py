"""Says what is wrong with a value of a setting, an option or a request, from an error that pydantic found.

The sentences of pydantic name neither the range nor an example, so none of them is shown. An error is given as pydantic
lists it in `errors()`: its `type`, `ctx` and `input`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_LONGEST_GIVEN: Final = 20
"""A value that is longer is not repeated: it may be a secret in the wrong place."""
_OURS: Final = "value_error"
_KINDS: Final[Mapping[str, str]] = {
    "int_parsing": "a whole number", "int_parsing_size": "a whole number", "int_type": "a whole number",
    "int_from_float": "a whole number", "float_parsing": "a number", "float_type": "a number",
    "finite_number": "a finite number", "bool_parsing": "one of true, false", "bool_type": "one of true, false",
    "string_type": "a text", "string_unicode": "a text", "list_type": "a list", "dict_type": "a JSON object",
    "model_type": "a JSON object", "model_attributes_type": "a JSON object", "path_type": "a path",
    "none_required": "null",
}  # fmt: skip
_BOUNDS: Final[Mapping[str, str]] = {
    "greater_than_equal": "of at least {ge}", "greater_than": "above {gt}", "less_than_equal": "of at most {le}",
    "less_than": "below {lt}", "string_too_short": "at least {min_length} characters long",
    "string_too_long": "at most {max_length} characters long", "too_short": "at least {min_length} entries long",
    "too_long": "at most {max_length} entries long",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a value may be, and an example of it; what is None is taken from the error."""

    what: str | None = None
    example: object = None


def number(kind: type, *, low: float | None = None, above: float | None = None, high: float | None = None) -> str:
    """The words for a number of a range, such as `a whole number from 1 to 1000`."""
    what = "a whole number" if kind is int else "a number"
    if low is not None and high is not None:
        return f"{what} from {_written(low)} to {_written(high)}"
    lower = ""
    if above is not None:
        lower = f" above {_written(above)}"
    elif low is not None:
        lower = f" of at least {_written(low)}"
    upper = f" {'and ' if lower else ''}up to {_written(high)}" if high is not None else ""
    return f"{what}{lower}{upper}"


def one_of(words: Iterable[object]) -> str:
    """The words for one of a closed set, such as `one of console, json`."""
    return f"one of {', '.join(map(str, words))}"


def explained(error: Mapping[str, Any], accepted: Accepted = Accepted(), *, secret: bool = False) -> str:
    """Says what is wrong: what was given, what is accepted, and an example.

    Args:
        error: one of pydantic's errors.
        accepted: what is known of the value.
        secret: the value is not repeated.
    """
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == _OURS:
        said = str(error["msg"]).removeprefix("Value error, ")
        return said if "such as" in said or accepted.example is None else f"{said}; write such as {accepted.example}"
    if kind == "missing":
        return "is missing"
    what = accepted.what or _what(kind, context)
    example = "" if accepted.example is None else f"; write such as {accepted.example}"
    given = None if secret else _given(error.get("input"))
    return f"must be {what}{example}" if given is None else f"{given} is not {what}{example}"


def _what(kind: str, context: Mapping[str, Any]) -> str:
    if kind in {"literal_error", "enum"}:
        return one_of(str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", "))
    if kind in _BOUNDS:
        bound = _BOUNDS[kind].format(**{name: _written(value) for name, value in context.items()})
        return bound if "long" in kind or "short" in kind else f"a number {bound}"
    return _KINDS.get(kind, "of the form that is wanted here")


def _given(value: object) -> str | None:
    """A value as it is repeated; None where it is not a short text or number."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float) or len(str(value)) > _LONGEST_GIVEN:
        return None
    return f"{value:.15g}" if isinstance(value, float) else repr(value)


def _written(value: object) -> str:
    return re.sub(r"\.0$", "", str(value)) if isinstance(value, int | float) else str(value)
