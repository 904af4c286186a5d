"""Reads a JSON object of a request: no name in it may be unknown, repeated or missing."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cancellist.api.problems import LONGEST_NAME, fields_of, invalid
from cancellist.jobs.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)


def parse_object(text: bytes, model: type[_Model]) -> _Model:
    """Reads a JSON object.

    Raises:
        InputError: it is no JSON.
        ProblemError: a name in it is unknown, repeated or missing, or a value is malformed.
    """
    try:
        found = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise InputError(f"the JSON is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise InputError("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InputError(f"the JSON is malformed: {error}") from None
    except ValueError:  # Python converts no text of more digits than it is told
        raise InputError("a number in the JSON has too many digits") from None
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise fields_of(error.errors(include_url=False, include_input=False)) from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise invalid(name[:LONGEST_NAME], "it is given twice")
    return found


def _refuse(word: str) -> Any:
    raise InputError(f"the JSON is malformed: {word} is no value")
