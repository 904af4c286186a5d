"""Foreign text is made harmless, and stays readable."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.escaping import plain, plain_cell, plain_json, plain_lines

EVIL = ["\x1b[31m", "\r", "\x9b2J", "\x7f", "\u202e", "\u2028", "\u200b", "\ufeff", "\U000e0041", "\x07", "\x00"]


@pytest.mark.parametrize("character", EVIL)
def test_what_could_move_the_cursor_or_mislead_the_eye_is_escaped(character: str) -> None:
    text = f"a{character}b"
    for made in (plain(text), plain_lines(text), plain_json(orjson.dumps(text).decode()).strip('"')):
        assert made.isprintable()
        assert made.startswith("a")
        assert made.endswith("b")


@pytest.mark.parametrize("text", ["", "EC-000-05D-1NS", "Zürich, 東京 🙂", "a\\nb"])
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    assert plain(text) == plain_lines(text) == plain_cell(text) == plain_json(text) == text


def test_lines_stay_lines_only_where_they_are_wanted() -> None:
    assert plain("a\nb\tc") == "a\\nb\\tc"
    assert plain_lines("a\nb\tc\r") == "a\nb\tc\\r"
    assert plain_cell("a\r\nb\x1b") == "a\r\nb\\x1b"


@given(st.text())
def test_a_json_document_stays_what_it_was(text: str) -> None:
    try:
        document = orjson.dumps({"message": text}).decode()
    except orjson.JSONEncodeError:  # a lone surrogate
        return
    made = plain_json(document)
    assert json.loads(made) == {"message": text}
    assert made.isprintable()
