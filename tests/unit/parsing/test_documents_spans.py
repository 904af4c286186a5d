"""Quoted cells of several lines: those that are one reference, those that are notes, and those that swallowed rows."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.parsing.documents import Hints, read
from tests.support.documents import PATTERN, A, B, C, entries

MANY = [f"EC-000-05D-{number:03d}" for number in range(40)]


def document_of(content, column=None):
    document = read([content.encode()], pattern=PATTERN, hints=Hints(column))
    found = [value.strip() for raw in document for value in raw.values]
    return document, found


def written(*rows):
    held = io.StringIO(newline="")
    csv.writer(held, lineterminator="\n").writerows(rows)
    return held.getvalue()


@pytest.mark.parametrize("around", ["{}\n", "\n{}", "\n\n{} \n", "{}\r\n", " {}\u00a0\n\u200b"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_cell_that_is_one_reference_is_just_that_whatever_lines_are_around_it(around, place):
    cells = ["1", "Leeds"]
    rows = [[*cells[:place], around.format(one), *cells[place:]] for one in MANY]
    header = ["Order", "City"]
    document, valid, invalid = entries(written([*header[:place], "Reference", *header[place:]], *rows))
    assert ([value.strip(" \r\n\u00a0\u200b") for _, value in valid], invalid) == (MANY, {})
    assert (document.swallowed, document.span, document.warnings) == (0, None, ())


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (f"replaces\n{A}", True), (f"{A}\nis kept", True), (f"see {A}\nand {B}", False),
        (f"please cancel {A},\nthanks", False), (f"replaces:\n{A}, {B}", True), (f"{A}\n{B}", True),
        (f"Dear all,\nkeep {A}, please\nBob", False), (f"{A}\n", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("column", ["Reference", None])
def test_a_note_of_several_lines_that_mentions_references_has_swallowed_no_rows(note, told, place, column):
    cells = ["1", "x"]
    header, rows = ["Order", "City", "Reference"], [[*cells, one] for one in MANY]
    header.insert(place, "Note")
    for row in rows:
        row.insert(place, note)
    document, valid, invalid = entries(written(header, *rows), column)
    assert ([value for _, value in valid], invalid) == (MANY, {})
    assert (document.swallowed, document.span) == (0, None)
    assert bool(document.warnings) == told


@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 6), st.booleans())
def test_rows_that_a_missing_quote_has_swallowed_are_counted_and_told(position, place, swallowed, wide):
    """A quote is opened in a cell of one row and closed in the same cell of another: all between is one cell."""
    header = ["Order", "City", "Note", "Town"]
    header[position] = "Reference"
    rows = [["o", "c", "n", "t"] for _ in range(30)]
    for row, one in zip(rows, MANY, strict=False):
        row[position] = one
        row.extend([""] if wide else [])
    rows[5][place] = '"' + rows[5][place]
    rows[5 + swallowed][place] += '"'
    content = "".join(",".join(row) + "\n" for row in ([*header, ""] if wide else header, *rows))
    document, found = document_of(content)
    lost = [one for one in MANY[:30] if one not in found and not (position == place and one in "".join(found))]
    assert document.span is not None
    assert f"spans lines 7 to {7 + swallowed} and holds references" in document.span[1]
    assert document.warnings[0] == document.span[1]
    assert document.swallowed >= len(lost)
    assert set(found) <= set(MANY) or position == place


def test_the_first_of_many_spans_is_known_and_the_rest_are_counted():
    cell = f'"x\n{A},1\n{B},2\n{C}"'
    document, _ = document_of("Reference,Note\n" + "".join(f"{one},{cell}\n" for one in MANY))
    assert document.span[0] == 2
    assert document.warnings[-1] == "and 37 more quoted cells of that kind"
    assert document.swallowed == 40 * 2
