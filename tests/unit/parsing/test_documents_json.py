import json

import pytest

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import Reader, read
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY
from cancellist.jobs.parsing.patterns import ReferencePattern
from tests.support.documents import PATTERN, A, B, C, entries, form, references, refusal


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([A, B]),
        json.dumps([A, B], indent=2),
        f'\ufeff \n ["{A}" , "{B}" \n]\n\n',
        json.dumps([{"reference": A}, {"reference": B}]),
        json.dumps([{"Consignment Reference": A, "n": {"x": [1, None]}}, {"Consignment Reference": B}], indent=1),
        json.dumps([{"id": 1, "x": A}, {"id": 2, "x": B}]),
    ],
)
def test_an_array_holds_strings_or_objects(content):
    assert references(content) == [A, B]
    assert form(content)[0] == "json"


def test_an_array_of_nothing_yields_nothing():
    assert list(read([b" [ \n ] "], pattern=PATTERN)) == []


def test_elements_that_hold_no_reference_are_malformed_with_their_lines():
    items = [{"reference": A}, None, ["x"], {"note": C}, {"reference": None}, {"reference": ""}, {"reference": "oops"}]
    content = "[\n" + ",\n".join(map(json.dumps, items)) + "\n]"
    _, valid, invalid = entries(content)
    assert valid == [(2, A)]
    assert invalid == {3: "null", 4: '["x"]', 6: '{"reference": null}', 8: "oops"}
    assert sum(raw.blank for raw in read([content.encode()], pattern=PATTERN)) == 2
    assert entries(json.dumps([A, None, 5, [B], ""], indent=0))[2] == {3: "null", 4: "5", 5: f'["{B}"]'}


@pytest.mark.parametrize("content", [[A, {"reference": B}], [{"reference": A}, B], [{"reference": A}] * 150 + [B]])
def test_strings_and_objects_side_by_side_are_refused(content):
    assert "strings and objects side by side" in refusal(json.dumps(content))
    refusal("\n".join(map(json.dumps, content)))


@pytest.mark.parametrize("more", [{"REFERENCE": B}, {"n": 1, " Reference": B}])
def test_a_key_that_is_spelt_in_two_ways_is_refused(more):
    for content in ([{"reference": A}, more], [{"reference": A}] * 150 + [more]):
        message = refusal(json.dumps(content))
        assert "'reference'" in message
        assert "spell it in one way" in message or "several columns" in message


def test_numbers_are_references_where_the_pattern_takes_them():
    digits = ReferencePattern("[0-9]{3,}")
    assert references(f"[123, 4567, 8, {'9' * 5000}]", pattern=digits) == ["123", "4567"]


def test_lines_of_elements_are_known_however_they_are_spread():
    _, valid, invalid = entries(f'["{A}", "x",\n\n"y"\n,"{B}",\n"w"]')
    assert valid == [(1, A), (4, B)]
    assert invalid == {1: "x", 3: "y", 5: "w"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'["{A}",\n"{B}"', "line 2: the JSON breaks off"),
        (f'["{A}",\n"{B}",\n', "line 3: the JSON breaks off"),
        (f'["{A}",\n"{B}', "line 2: the JSON breaks off"),
        (f'["{A}",\n{{"reference": ', "line 2: the JSON breaks off"),
        (f'["{A}"\n"{B}"]', "line 2: the JSON is malformed"),
        (f'["{A}",\n{B}]', "line 2: the JSON is malformed"),
        (f'["{A}",\n"EC\n"]', "line 2: the JSON is malformed"),
        (f'["{A}",\n,"{B}"]', "line 2: the JSON is malformed"),
        (f'["{A}"]\n\n{{"a": 1}}', "line 3: something follows"),
        ("[" * 100_000, "line 1: the JSON is nested too deeply"),
        ('["' + "x" * (MAX_ENTRY + 400_000), "line 1: an entry is longer"),
    ],
)
def test_json_that_is_not_whole_is_refused_with_its_line(content, says):
    assert says in refusal(content)


def test_a_malformed_array_is_refused_before_all_of_it_was_read():
    reader = Reader(pattern=PATTERN)
    with pytest.raises(InputError, match="line 2: the JSON is malformed"):
        list(reader.feed(f'["{A}",\noops,\n'.encode() + f'"{B}",'.encode() * 10_000))


@pytest.mark.parametrize("kind", [list, "\n".join])
def test_a_key_is_asked_for_by_name(kind):
    items = [{"reference": C, "Parcel": A}, {"reference": C, "Parcel": B}]
    content = json.dumps(items) if kind is list else kind(map(json.dumps, items))
    assert references(content, "PARCEL") == [A, B]
    message = refusal(content, "nothing")
    assert "'nothing'" in message
    assert "'reference', 'Parcel'" in message


def test_json_lines_hold_objects_or_strings():
    content = f'{{"reference": "{A}", "n": 1}}\r\n\r\n  {{"reference": "{B}"}} \r\n'
    assert references(content) == [A, B]
    assert form(content) == ("jsonl", "reference")
    assert form(f'"{A}"\n"{B}"\n') == ("jsonl", None)
    assert references(f'"EC-000-05D\\u002d1NS"\n"{B}"\n') == [A, B]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f'{{"reference": "{A}"}}\n{{"reference": "{B}"\n{{"reference": "{C}"}}\n', 3),
        (f'{{"reference": "{A}"}}\n{B}\n', 2),
        (f'{{"reference": "{A}"}}\n{{"x": 1}},{{"x": 1}}\n', 2),
        (f'{{"reference": "{A}"}}\n{{"reference": "{B}", "reference": "{C}"}}\n', 2),
        (f'{{"reference": "{A}"}}\n{{"reference": NaN}}\n', 2),
        (f'{{"reference": "{A}"}}\n{{"reference": "{B}', 2),
    ],
)
def test_json_lines_of_which_one_is_malformed_are_refused_whole(content, line):
    assert f"line {line}: " in refusal(content)


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("end", ["", "\n", " \n\n\ufeff"])
def test_values_that_follow_one_another_are_read_however_they_are_broken_into_lines(indent, end):
    items = [{"order": n, "reference": reference, "to": {"town": "Leeds"}} for n, reference in enumerate((A, B, C))]
    content = end.join(json.dumps(item, indent=indent) for item in items)
    assert references(content + end) == [A, B, C]
    assert form(content + end) == ("jsonl", "reference")


@pytest.mark.parametrize("items", [[A, B], [{"n": 1, "reference": A}, {"n": 2, "reference": B}]])
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("around", [{"consignments": None}, {"page": 1, "data": {"items": None}, "next": ""}])
def test_an_object_that_wraps_one_array_is_read_as_that_array(items, indent, around):
    content = json.dumps(around, indent=indent).replace("null", json.dumps(items, indent=indent))
    assert references(content) == [A, B]
    name = "consignments" if "consignments" in around else "data.items"
    assert form(content) == ("json", name if items[0] == A else f"{name}.reference")
    assert references(content, name) == [A, B]
    if items[0] != A:
        assert references(content, f"{name}.reference") == references(content, "reference") == [A, B]


@pytest.mark.parametrize(
    ("content", "column", "says"),
    [
        ({"keep": [A], "cancel": [B]}, None, "2 arrays: choose one with --column; the arrays are: 'keep', 'cancel'"),
        ({"keep": [A], "cancel": []}, None, "2 arrays"),
        ({"cancel": [A], "meta": {"sort": ["date"]}}, None, "'cancel', 'meta.sort'"),
        ({"keep": A, "cancel": [B]}, None, "a reference under 'keep' beside the array 'cancel'"),
        ({"reference": A, "items": [{"reference": B}]}, None, "beside the array"),
        ({"reference": A, "items": [{"reference": B}]}, "reference", "'reference' may be meant in several places"),
        ({"keep": {A: True}, "cancel": [B]}, None, f"a reference under 'keep.{A}'"),
        ({"keep": [{"ref": A}], "cancel": [{"id": B}]}, "ref", "'ref' may be meant in several places"),
        ({"a": [{"ref": A}], "ref": [B]}, "ref", "'ref' may be meant in several places"),
        ({"keep": [A], "cancel": [B]}, "drop", "neither an array nor a key 'drop'; the arrays are: 'keep', 'cancel'"),
        ({"a": {"consignments": [A]}, "b": {"consignments": [B]}}, "consignments", "neither an array nor a key"),
        ({"reference": None, "note": "x"}, "id", "no object has the key 'id'; the keys are: 'reference', 'note'"),
        ({A: {"n": 1}, B: {"n": 2}}, None, "no column is known"),
        ([[A], [B]], "0", "there is no key '0'"),
    ],
)
def test_where_it_cannot_be_told_what_is_meant_the_places_are_named(content, column, says):
    for indent in (None, 1):
        assert says in refusal(json.dumps(content, indent=indent), column)


@pytest.mark.parametrize(
    ("content", "column", "found"),
    [
        ({"keep": [A], "cancel": [B, C]}, "cancel", [B, C]),
        ({"keep": [A], "cancel": [B, C]}, "keep", [A]),
        ({"keep": [{"ref": A}], "cancel": [{"ref": B}]}, "cancel.ref", [B]),
        ({"a": {"list": [A]}, "b": {"list": [B]}}, "b.list", [B]),
        ({"a.b": [A], "c": [B]}, "a.b", [A]),
        ({"reference": A, "items": [{"sku": 1}]}, "reference", [A]),
        ({"reference": A, "note": "x"}, None, [A]),
        ({"to": {"reference": A}}, "to.reference", [A]),
        ({"items": [{"to": {"ref": A}, "ref": B}]}, "to.ref", [A]),
        ({"items": [{"to": {"ref": A}, "ref": B}]}, "ref", [B]),
        ([{"to": {"ref": A}}, {"to": {}}, {"to": None}, {}], "to.ref", [A]),
        ([{"to.ref": A, "to": 1}], "to.ref", [A]),
    ],
)
def test_what_is_named_is_taken(content, column, found):
    for indent in (None, 1):
        assert references(json.dumps(content, indent=indent), column) == found


def test_a_key_is_found_over_a_sample_and_not_from_the_first_object():
    sparse = [{"n": 0}, {"n": 1, "shipment": A}, {"n": 2, "shipment": B}]
    assert references(json.dumps(sparse)) == [A, B]
    assert "only some rows hold a reference" in refusal(json.dumps([{"n": 0}] * 5 + sparse))
    late = [{"n": 0}] * 150 + sparse[1:]
    assert references(json.dumps(late), "shipment") == [A, B]
    assert "no object has the key 'shipments'" in refusal(json.dumps(late), "shipments")


def test_keys_of_inner_objects_are_never_guessed_but_told():
    nested = [{"order": n, "consignment": {"reference": one}} for n, one in enumerate((A, B))]
    assert "'consignment.reference'" in refusal(json.dumps(nested))
    assert "--column to.id" in refusal(json.dumps([{"to": {"id": A}}]))


def test_an_array_in_an_object_may_be_of_any_length_and_a_record_may_not():
    reader = Reader(pattern=PATTERN)
    most, found = 0, []
    for piece in (b'{"n": 1, "list": [', *[f'{{"reference": "{A}"}},'.encode() * 5000] * 20, b'{"reference": ""}]}'):
        for batch in reader.feed(piece):
            most = max(most, len(batch.values))
            found += batch.values
    found += [value for batch in reader.flush() for value in batch.values]
    assert found == [A] * 100_000
    assert most < 50_000
    assert "longer than" in refusal('{"reference": "' + A + '", "note": "' + "x" * (MAX_ENTRY + 10) + '"}')


@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n\n"])
@pytest.mark.parametrize("form", [lambda r: [r], lambda r: [{"id": 1, "reference": r}], lambda r: [r, r]])
def test_arrays_one_after_the_other_are_read_as_one(between, form):
    content = between.join(json.dumps(form(reference)) for reference in (A, B, C)) + between
    assert list(dict.fromkeys(references(content))) == [A, B, C]
    assert "something follows the JSON array" in refusal(content + "{}")
    assert "breaks off" in refusal(content + f'["{A}"')
