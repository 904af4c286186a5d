"""Canonical JSON (RFC 8785): one value has one sequence of bytes, so that it can be hashed and signed.

Only a part of JSON is written and read: objects, arrays, strings, integers, true, false and null. Numbers with a
fraction or an exponent are refused, since RFC 8785 writes them as JavaScript does. Names of members are ASCII, in which
the order by code point is the order by UTF-16 unit that RFC 8785 asks for.
"""

import json
from typing import Any, Final

MOST: Final = 2**53 - 1
"""The largest integer that every reader of JSON holds exactly."""
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> bytes:
    """The canonical bytes of a value.

    Raises:
        ValueError: it holds something that is not written here, or text that is no Unicode.
    """
    _check(value)
    return _ENCODER.encode(value).encode()


def parse(text: bytes) -> Any:
    """Reads JSON strictly: UTF-8, no name twice in an object, no fraction.

    Raises:
        ValueError: it is none; the text says why.
    """
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_object, parse_float=_no_fraction, parse_constant=_no_fraction
        )
        _check(value)
    except UnicodeError:
        raise ValueError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def parse_canonical(text: bytes) -> Any:
    """Reads JSON that must be in its canonical form.

    Raises:
        ValueError: it is not; the text says why.
    """
    value = parse(text)
    if canonical(value) != text:
        raise ValueError("it is not in its canonical form, so it was altered or written by another program")
    return value


def _check(value: Any) -> None:
    match value:
        case str():
            value.encode()
        case None | bool():
            pass
        case int():
            if abs(value) > MOST:
                raise ValueError("it holds a number of more than 53 bits")
        case dict():
            for name, one in value.items():
                if not (isinstance(name, str) and name.isascii()):
                    raise ValueError("it holds a name that is not ASCII")
                _check(one)
        case list() | tuple():
            for one in value:
                _check(one)
        case _:
            raise ValueError(f"it holds a {type(value).__name__}, which has no canonical form here")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("it holds a name twice in one object")
    return found


def _no_fraction(_: str) -> Any:
    raise ValueError("it holds a number that is no integer")
