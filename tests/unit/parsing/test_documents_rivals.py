"""A column or key that holds more references than the one that was found, and shows it below the sample alone."""

import json

import pytest

from tests.support.documents import entries

TAKEN = [f"EC-000-05D-{number:03d}" for number in range(210)]
OTHERS = [f"EC-001-05D-{number:03d}" for number in range(390)]


def rows(taken, others, *, both=0):
    """Rows of a reference and another; the first have the one alone, the next both, the last the other alone."""
    for at, one in enumerate(taken):
        yield one, others[at] if at >= len(taken) - both else ""
    for other in others[both:]:
        yield "", other


def csv_of(pairs, header="reference,old\n"):
    return header + "".join(f"{one},{other}\n" for one, other in pairs)


def objects(pairs):
    return [{name: value for name, value in (("reference", one), ("old", other)) if value} for one, other in pairs]


FORMS = {
    "csv": csv_of,
    "quoted": lambda pairs: csv_of((f'"{one}"', f'"{other}"') for one, other in pairs),
    "array": lambda pairs: json.dumps(objects(pairs)),
    "lines": lambda pairs: "\n".join(map(json.dumps, objects(pairs))),
    "wrapped": lambda pairs: json.dumps({"data": objects(pairs)}),
    "null": lambda pairs: json.dumps([{"reference": one or "", "old": other or ""} for one, other in pairs]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_column_that_holds_more_below_the_sample_is_told_and_nothing_else_is_changed(form):
    document, valid, invalid = entries(FORMS[form](rows(TAKEN, OTHERS)))
    assert ([value for _, value in valid], invalid) == (TAKEN, {})
    (note,) = document.warnings
    assert note.startswith("'old' holds more references than '")
    assert note.endswith("', at least 390 and not 210: choose one with --column")


@pytest.mark.parametrize("form", FORMS)
def test_a_column_that_holds_fewer_or_one_beside_a_column_that_was_named_is_not_told(form):
    assert entries(FORMS[form](rows(TAKEN, OTHERS[:210])))[0].warnings == ()
    assert entries(FORMS[form](rows(TAKEN, [])))[0].warnings == ()
    assert entries(FORMS[form](rows(TAKEN, OTHERS)), "reference")[0].warnings == ()


def test_references_in_rows_that_have_both_are_counted_too():
    pairs = list(rows(TAKEN, OTHERS[:211], both=5))
    assert "at least 211" in entries(csv_of(pairs))[0].warnings[0]
    assert "at least 211" in entries(json.dumps(objects(pairs)))[0].warnings[0]


def test_rows_whose_cell_is_malformed_are_counted_as_those_whose_cell_is_blank():
    pairs = [(one or "tbc", other) for one, other in rows(TAKEN, OTHERS)]
    assert "'old' holds more references than 'reference', at least 390" in entries(csv_of(pairs))[0].warnings[0]
    assert (
        "'old' holds more references than 'reference', at least 390"
        in entries(json.dumps(objects(pairs)))[0].warnings[0]
    )


def test_a_column_without_a_name_is_told_by_its_number_and_an_inner_key_dotted():
    headless = "".join(f"1,{one},{other}\n" for one, other in rows(TAKEN, OTHERS))
    assert "'column 3' holds more references than 'column 2', at least 390" in entries(headless)[0].warnings[-1]
    inner = [{"reference": one, "was": {"reference": other}} for one, other in rows(TAKEN, OTHERS)]
    assert "'was.reference' holds more" in entries(json.dumps(inner))[0].warnings[-1]
