"""Numbers that a user gives: of any length, each is one column or refused in a short line."""

import json

import pytest

from cancellist.jobs.limits import parse_limit
from cancellist.jobs.parsing.documents import Hints
from tests.support.documents import A, B, references, refusal

LONG = ["9" * length for length in (9, 10, 19, 20, 4300, 4301, 5000)] + ["1" + "0" * 5000, "٣" * 5000]


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize(
    "content", [f"x,y\n{A},{B}\n", f"1,{A}\n2,{B}\n", f"{A}\n{B}\n", json.dumps([A, B]), json.dumps([{"x": A}])]
)
def test_a_column_of_a_number_that_no_table_has_is_refused_in_a_short_line(content, number):
    message = refusal(content, number)
    assert "there is no " in message or "no object has the key" in message
    assert len(message) < 300


def test_zeros_before_a_number_do_not_change_it():
    assert references(f"x,y\n{A},{B}\n", "0" * 5000 + "2") == [B]
    assert [Hints(column).number for column in (None, "x", "1", "007", "0" * 5000, "1x", "-1", "1.0", "")] == [
        None, None, 1, 7, 0, None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("text", [*LONG, *(f"{number}%" for number in LONG), "0." + "1" * 5000 + "%", "x" * 5000])
def test_a_limit_that_is_too_long_is_refused_in_a_short_line(text):
    if text == "9" * 9:
        assert parse_limit(text).number == 999_999_999
        return
    with pytest.raises(ValueError, match=r"is neither a number such as 20 nor a share") as caught:
        parse_limit(text)
    assert len(str(caught.value)) < 130
