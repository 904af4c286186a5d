"""Arrays and keys of JSON by their name: as it is spelt, else whatever its case and blanks; and where none is meant."""

import json

import pytest

from cancellist.jobs.parsing.documents import json_wrapper
from tests.support.documents import A, B, C, references, refusal

CALLED = ["Cancel", "CANCEL", " can cel ", "cancel"]


@pytest.mark.parametrize("column", CALLED)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "document",
    [
        {"keep": [A], "cancel": [B, C]},
        {"cancel": [B, C], "keep": [A]},
        {"keep": [{"reference": A}], "cancel": [{"reference": B}, {"reference": C}]},
        {"keep": A, "cancel": [B, C]},
        [{"keep": A, "cancel": B}, {"keep": A, "cancel": C}],
        {"list": [{"keep": A, "cancel": B}, {"keep": A, "cancel": C}]},
        {"list": [{"keep": A, "cancel": B}, {"keep": A, "cancel": C}], "errors": [], "links": []},
    ],
)
def test_a_name_of_json_is_found_whatever_its_case_and_blanks(document, column, indent):
    assert references(json.dumps(document, indent=indent), column) == [B, C]


@pytest.mark.parametrize("column", ["to.reference", "To.Reference", "TO.REFERENCE", "to . reference"])
@pytest.mark.parametrize("keys", [("to", "reference"), ("To", "Reference")])
@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"data": items}])
def test_a_dotted_name_is_found_in_the_same_way(column, keys, wrap):
    items = [{keys[0]: {keys[1]: one}, "from": {"reference": A}} for one in (B, C)]
    assert references(json.dumps(wrap(items)), column) == [B, C]
    assert references(json.dumps({"Data": {"List": items}}), f"data.list.{column}") == [B, C]


@pytest.mark.parametrize(
    "document", [{"Cancel": [A], "cancel": [B], "CANCEL": [C]}, {"Cancel": A, "cancel": [B], "x": [C]}, {"list": []}]
)
def test_a_name_as_it_is_spelt_goes_before_those_that_are_like_it(document):
    for name, value in document.items():
        assert references(json.dumps(document), name) == (value if isinstance(value, list) else [value])


@pytest.mark.parametrize(
    "document", [{"Cancel": [A], "cancel": [B]}, {"Cancel": A, "cancel": [B]}, {"cancel": [B], "Cancel": [A]}]
)
def test_of_several_that_are_alike_none_is_taken(document):
    message = refusal(json.dumps(document), "CANCEL")
    assert "several arrays or keys are like 'CANCEL': name one of" in message
    assert "'Cancel'" in message
    assert "'cancel'" in message


def test_several_keys_that_are_alike_are_named():
    assert "several keys are like 'TO.REF'" in refusal(json.dumps([{"to": {"ref": A}}, {"To": {"Ref": B}}]), "TO.REF")


def test_an_array_that_is_put_aside_is_bounded(monkeypatch):
    monkeypatch.setattr(json_wrapper, "_MOST_HELD", 2)
    assert "give its exact name to --column" in refusal(json.dumps({"Cancel": [A, B, C], "x": [C]}), "cancel")
    assert references(json.dumps({"Cancel": [A, B, C], "x": [C]}), "Cancel") == [A, B, C]


@pytest.mark.parametrize("empty", [{"errors": []}, {"errors": [], "meta": {"links": []}}])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("items", [[A, B], [{"reference": A}, {"reference": B}]])
def test_an_empty_array_is_no_choice(empty, first, items):
    document = empty | {"data": items} if first else {"data": items} | empty
    for column in (None, "data", *(["reference"] if isinstance(items[0], dict) else [])):
        assert references(json.dumps(document), column) == [A, B]
    assert references(json.dumps(document), "errors") == []
    assert "arrays: choose one with --column" in refusal(json.dumps(document | {"more": [C]}))
    assert "'errors'" in refusal(json.dumps(document), "parcels")


@pytest.mark.parametrize(
    "document",
    [
        {"keep": [A], "cancel": []}, {"toCancel": [], "rest": [A]}, {"x": {"to_delete": []}, "rest": [A]},
        {"data": [A], "references": []}, {"kept": [], "data": [A]}, {"data": [A], "consignments": []},
    ],
)  # fmt: skip
def test_an_empty_array_that_may_be_the_one_that_is_meant_is_a_choice(document):
    assert "2 arrays" in refusal(json.dumps(document))


@pytest.mark.parametrize("column", [None, "consignments", "consignments.reference", "Consignments.Reference"])
@pytest.mark.parametrize("put", ["lines", "array"])
def test_an_array_within_each_object_is_named_and_what_to_do(column, put):
    items = [{"order": n, "consignments": [{"reference": one}]} for n, one in enumerate((A, B))]
    text = "\n".join(map(json.dumps, items)) if put == "lines" else json.dumps(items)
    message = refusal(text, column)
    assert "'consignments' holds an array in each object" in message
    assert "one array of all references" in message
