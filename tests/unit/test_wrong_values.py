"""The words for what a value must be."""

import pytest

from cancellist.jobs.wrong_values import Accepted, explained, number


@pytest.mark.parametrize(
    ("kind", "bounds", "words"),
    [
        (int, {"low": 1, "high": 9}, "a whole number from 1 to 9"),
        (float, {"above": 0, "high": 60.0}, "a number above 0 and up to 60"),
        (float, {"low": 0.5}, "a number of at least 0.5"),
        (int, {"high": 7}, "a whole number up to 7"),
        (int, {}, "a whole number"),
    ],
)
def test_a_range_in_words(kind: type, bounds: dict[str, float], words: str) -> None:
    assert number(kind, **bounds) == words


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "'x' is not a number; write such as 5"),
        (True, "true is not a number; write such as 5"),
        ("x" * 21, "must be a number; write such as 5"),
        ({"a": 1}, "must be a number; write such as 5"),
    ],
)
def test_only_a_short_value_is_repeated(given: object, told: str) -> None:
    error = {"type": "float_parsing", "msg": "Input should be a valid number", "input": given}
    assert explained(error, Accepted("a number", 5)) == told
    assert explained(error, Accepted("a number", 5), secret=True) == "must be a number; write such as 5"
