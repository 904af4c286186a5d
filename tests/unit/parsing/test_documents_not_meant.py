"""References of which a name or words say that they are not meant are refused, unless their place was named."""

import json

import pytest

from tests.support.documents import A, B, C, references, refusal

NAMES = ["keep", "Keep", "exclude", "excluded", "do_not_cancel", "doNotCancel", "replaced_by", "Replacement", "skip"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_says_that_they_are_not_meant_is_to_be_given(name):
    objects = [
        json.dumps([{"id": 1, name: A}, {"id": 2, name: B}]), f'{{"{name}": "{A}"}}\n{{"{name}": "{B}"}}\n',
        f"Order,{name}\n1,{A}\n2,{B}\n", json.dumps({name: [A, B]}),
    ]  # fmt: skip
    for text in objects:
        assert "may not be meant: choose it with --column" in refusal(text)
        assert references(text, name) == [A, B]
    wrapped = json.dumps({name: [{"reference": A}, {"reference": B}], "total": 2})
    assert "may not be meant: choose it with --column" in refusal(wrapped)
    assert references(wrapped, f"{name}.reference") == [A, B]


@pytest.mark.parametrize("said", ["keep", "do not cancel", "to be excluded", "KEEP THESE"])
def test_words_that_say_so_beside_or_among_references_refuse_them(said):
    wrapped = json.dumps({"action": said, "consignments": [A, B]})
    for text in (
        wrapped, json.dumps([A, said, B]), f"Reference,Town\n{A},Leeds\n,{said}\n{B},York\n",
        f"Section,Reference\nCancel,\n,{A}\n{said},\n,{B}\n", f"{said},\nOrder,Reference\n1,{A}\n2,{B}\n",
    ):  # fmt: skip
        assert said in refusal(text)
    assert references(wrapped, "consignments") == [A, B]


def test_what_merely_has_such_a_word_in_a_row_is_taken():
    assert references(f"Reference,Note\n{A},keep dry\n{B},do not bend\n{C},\n") == [A, B, C]
    assert references(json.dumps([{"reference": A, "note": "keep dry"}, {"reference": B}])) == [A, B]


def test_a_reference_on_a_line_of_a_note_is_told_and_not_lost():
    text = f'Reference,Note\n{A},"see\n{C}"\n{B},x\n'
    assert references(text) == [A, B]
