import gzip
import io
import json
import zipfile

import pytest

from jobs.documents import Reader, read
from jobs.documents.lines import MAX_ENTRY
from jobs.documents.reader import HEAD_BYTES
from jobs.errors import InputError
from jobs.references import ReferencePattern, classify, normalise

PATTERN = ReferencePattern()
A, B, C = "EC-000-05D-1NS", "EC-000-05D-1NT", "EC-000-05D-1NU"


def entries(content, column=None, pattern=PATTERN):
    """Return the document, its valid references with their lines, and its invalid entries by line."""
    document = read([content.encode() if isinstance(content, str) else content], column=column, pattern=pattern)
    valid, invalid = [], {}
    for raw in document:
        assert len(raw.lines) == len(raw.values)
        batch = classify(raw, pattern)
        invalid |= {entry.line: entry.text for entry in batch.invalid}
        valid += [
            (line, value)
            for line, value in zip(raw.lines, raw.values, strict=True)
            if pattern.matches(normalise(value))
        ]
        assert len(batch.valid) + len(batch.invalid) == len(raw.values) + len(raw.invalid)
    return document, valid, invalid


def references(content, column=None, pattern=PATTERN):
    document = read([content.encode() if isinstance(content, str) else content], column=column, pattern=pattern)
    return [reference for raw in document for reference in classify(raw, pattern).valid]


def refusal(content, column=None):
    with pytest.raises(InputError) as raised:
        references(content, column)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def form(content, column=None):
    document = read([content.encode()], column=column, pattern=PATTERN)
    list(document)
    return document.form, document.column


# --- one reference a line ---


@pytest.mark.parametrize(
    "content",
    [
        f"{A}\n{B}\n",
        f"{A}\n{B}",
        f"{A}\r\n{B}\r\n",
        f"{A}\r{B}\r",
        f"\n\n{A}\n  \n\u00a0\n{B}\n\n",
        f"{A},\n{B},\n",
        f"{A} ;\n{B} ;",
        f'"{A}"\n"{B}"\n',
        f'"{A}",\n"{B}"\n',
        f"'{A}',\n'{B}',\n",
        f"  {A.lower()}\n\t{B}\t\n",
        f"\ufeff{A}\n{B}\n",
    ],
)
def test_lines_are_read_whatever_ends_them_and_stands_around_them(content):
    assert references(content) == [A, B]


def test_a_malformed_line_has_its_number_counted_over_blank_lines_and_any_ends():
    document, valid, invalid = entries(f"{A}\r\n\r\noops, sorry\r\r{B}\nnext\n")
    assert document.form == "lines"
    assert valid == [(1, A), (5, B)]
    assert invalid == {3: "oops, sorry", 6: "next"}


def test_a_malformed_first_line_is_not_taken_for_a_header():
    _, valid, invalid = entries(f"EC-000-05D-1N\n{A}\n{B}\n")
    assert [value for _, value in valid] == [A, B]
    assert invalid == {1: "EC-000-05D-1N"}


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \r\n\t\r\n", ",,,\n", '""\n'])
def test_an_input_without_entries_yields_nothing(content):
    assert list(read([content.encode()], pattern=PATTERN)) == []
    assert list(read([], pattern=PATTERN)) == []


def test_a_column_asked_of_plain_lines_is_refused():
    assert "there is no column 'ref': the input is one reference a line" in refusal(f"{A}\n{B}\n", column="ref")


def test_a_line_that_never_ends_is_refused_rather_than_held():
    assert refusal(f"{A}\n" + "x" * (MAX_ENTRY + 400_000)).startswith("line 2: an entry is longer than")


# --- CSV ---


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (f"reference\n{A}\n{B}\n", "reference"),
        (f"id,Consignment Reference\n1,{A}\n2,{B}\n", "Consignment Reference"),
        (f"id;ConsignmentReference;x\n1;{A};1,5\n2;{B};2,5\n", "ConsignmentReference"),
        (f"id\tconsignment_reference\n1\t{A}\n2\t{B}\n", "consignment_reference"),
        (f"id| consignment \n1| {A} \n2|{B}\n", "consignment"),
        (f"\n\nid,REFERENCE\n\n1,{A}\n,,\n2,{B}\n,\n", "REFERENCE"),
        (f'"id","reference"\n"1","{A}"\n"2","{B}"\n', "reference"),
        (f'id,"reference"\n"Smith, ""J""\nLeeds",{A}\nx, "{B}"\n', "reference"),
        (f"sep=;\nid;reference\n1;{A}\n2;{B}\n", "reference"),
        (f"number,what\n1,{A}\n2,{B}\n", "what"),
        (f"what,notes\n{A},\n{B},\n", "what"),
        (f"consignment,reference\n{A},ORDER-1\n{B},ORDER-2\n", "consignment"),
        (f'reference,5" pipe\n{A},6\n{B},7\n', "reference"),
        (f"reference,\n{A},\n{B},\n", "reference"),
    ],
)
def test_the_column_of_references_is_found(content, column):
    assert references(content) == [A, B]
    assert form(content) == ("csv", column)


@pytest.mark.parametrize("column", ["Parcel Ref", "parcel ref", "PARCELREF", " Parcel  ref "])
def test_a_column_is_named_whatever_its_case_and_spaces(column):
    assert references(f"reference,Parcel Ref\n{B},{A}\n{C},{C}\n", column) == [A, C]


def test_a_name_as_it_is_spelt_goes_before_one_that_is_alike():
    assert references(f"Ref,ref\n{A},{B}\n", "ref") == [B]
    assert "2 columns are named 'REF'" in refusal(f"Ref,ref\n{A},{B}\n", "REF")


def test_a_heading_that_names_references_goes_before_a_column_that_holds_some():
    _, valid, invalid = entries(f"reference,replaced by\nORDER-1,{A}\nORDER-2,{B}\n")
    assert valid == []
    assert invalid == {2: "ORDER-1", 3: "ORDER-2"}


def test_a_pattern_so_wide_that_headings_match_it_takes_no_header_for_a_reference():
    wide = ReferencePattern(r"[A-Z0-9-]+")
    assert references("id,reference\n1,X-1\n2,X-2\n", pattern=wide) == ["X-1", "X-2"]


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (f"id,reference\n1,{A}\n", "ref no"),
        (f"id,first,second\n1,{A},{B}\n", None),
        (f"id,reference,consignment\n1,{A},{B}\n", None),
        ("id,city\n1,Leeds\n", None),
    ],
)
def test_where_no_one_column_is_meant_the_columns_are_listed(content, column):
    message = refusal(content, column)
    assert all(repr(name) in message for name in content.split("\n")[0].split(","))
    assert (repr(column) if column else "--column") in message


def test_a_column_that_a_single_one_is_not_is_refused():
    assert "'Order'" in refusal(f"Order\n{A}\n{B}\n", "reference")


def test_a_csv_without_header_loses_no_row():
    document, valid, _ = entries(f"1,{A},Leeds\n2,{B},York\n")
    assert valid == [(1, A), (2, B)]
    assert "column 2" in document.warnings[0]
    assert "no header" in refusal(f"1,{A},Leeds\n2,{B},York\n", "reference")
    assert "several columns" in refusal(f"{A},{B}\n{B},{C}\n")


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_without_a_reference_is_malformed_and_a_blank_row_is_none(quote):
    content = f"id,reference\n1,{quote}{A}{quote}\n2,\n3\n,\n \n4, \n5,{quote}{B}{quote}\n"
    _, valid, invalid = entries(content)
    assert valid == [(2, A), (8, B)]
    assert invalid == {3: "", 4: "", 7: ""}


def test_a_row_of_characters_that_cannot_be_seen_is_blank():
    assert entries(f"id,reference\n,\ufeff\n\u200b,\u00a0\n1,{A}\n")[1:] == ([(4, A)], {})


def test_lines_are_counted_over_newlines_in_quoted_cells():
    content = f'note,reference\n"a\n\nb",{A}\nplain,oops\n"c\r\nd",{B}\n"x, ""y""",nope\n'
    _, valid, invalid = entries(content)
    assert valid == [(2, A), (6, B)]
    assert invalid == {5: "oops", 8: "nope"}


def test_a_quoted_header_may_hold_a_newline():
    assert references(f'id,"consignment\nreference"\n1,{A}\n') == [A]


def test_a_quote_that_is_never_closed_is_refused_where_it_was_opened():
    assert refusal(f'id,reference\n1,{A}\n"2,{B}\n3,{C}\n').startswith("line 3: a quote is opened here")


def test_text_after_a_closing_quote_is_refused():
    assert refusal(f'id,reference\n1,{A}\n"2"x,{B}\n').startswith("line 3: the CSV is malformed")


def test_an_open_quote_in_a_long_file_is_refused_and_not_held():
    content = f'id,reference\n"1,{A}\n' + f"2,{B}\n" * 100_000
    assert "CSV is malformed: field larger than field limit" in refusal(content)


def test_quoted_cells_may_span_the_blocks_in_which_a_file_is_read():
    row = f'"{"long text" * 20}\n","{A}"\n'
    count = HEAD_BYTES * 4 // len(row)
    content = ("note,reference\n" + row * count).encode()
    reader = Reader(pattern=PATTERN, block_bytes=700)
    batches = [*reader.feed(content), *reader.flush()]
    assert [value for raw in batches for value in raw.values] == [A] * count
    assert [line for raw in batches for line in raw.lines] == list(range(2, 2 + 2 * count, 2))


# --- JSON ---


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([A, B]),
        json.dumps([A, B], indent=2),
        f'\ufeff \n ["{A}" , "{B}" ,\n]\n\n',
        json.dumps([{"reference": A}, {"reference": B}]),
        json.dumps([{"Consignment Reference": A, "n": {"x": [1, None]}}, {"consignmentreference": B}], indent=1),
        json.dumps([{"id": 1, "x": A}, {"id": 2, "x": B}]),
        json.dumps([A, {"reference": B}]),
    ],
)
def test_an_array_holds_strings_or_objects(content):
    assert references(content) == [A, B]
    assert form(content)[0] == "json"


def test_an_array_of_nothing_yields_nothing():
    assert list(read([b" [ \n ] "], pattern=PATTERN)) == []


def test_elements_that_hold_no_reference_are_malformed_with_their_lines():
    items = [A, None, 5, ["x"], {"reference": B}, {"note": C}, {"reference": None}, "", "oops", {"REFERENCE": C}]
    content = "[\n" + ",\n".join(map(json.dumps, items)) + "\n]"
    _, valid, invalid = entries(content)
    assert valid == [(2, A), (6, B), (11, C)]
    assert invalid == {
        3: "null",
        4: "5",
        5: '["x"]',
        7: json.dumps({"note": C}),
        8: '{"reference": null}',
        9: "",
        10: "oops",
    }


def test_numbers_are_references_where_the_pattern_takes_them():
    digits = ReferencePattern("[0-9]{3,}")
    assert references(f"[123, 4567, 8, {'9' * 5000}]", pattern=digits) == ["123", "4567"]


def test_lines_of_elements_are_known_however_they_are_spread():
    _, valid, invalid = entries(f'["{A}", "x",\n\n"y"\n,{{"reference":\n"z"}}, "{B}",\n"w"]')
    assert valid == [(1, A), (5, B)]
    assert invalid == {1: "x", 3: "y", 4: "z", 6: "w"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'["{A}",\n"{B}"', "line 2: the JSON array breaks off"),
        (f'["{A}",\n"{B}",\n', "line 3: the JSON array breaks off"),
        (f'["{A}",\n"{B}', "line 2: the JSON array breaks off"),
        (f'["{A}",\n{{"reference": ', "line 2: the JSON array breaks off"),
        (f'["{A}"\n"{B}"]', "line 2: the JSON array is malformed"),
        (f'["{A}",\n{B}]', "line 2: the JSON array is malformed"),
        (f'["{A}",\n"EC\n"]', "line 2: the JSON array is malformed"),
        (f'["{A}",\n,"{B}"]', "line 2: the JSON array is malformed"),
        (f'["{A}"]\n\n["{B}"]', "line 3: something follows"),
        ("[" * 100_000, "line 1: the JSON is nested too deeply"),
        ('["' + "x" * (MAX_ENTRY + 400_000), "line 1: an entry is longer"),
        (f'{{\n"references": ["{A}"]\n}}', "over several lines"),
    ],
)
def test_json_that_is_not_whole_is_refused_with_its_line(content, says):
    assert says in refusal(content)


def test_a_malformed_array_is_refused_before_all_of_it_was_read():
    reader = Reader(pattern=PATTERN)
    with pytest.raises(InputError, match="line 2: the JSON array is malformed"):
        reader.feed(f'["{A}",\noops,\n'.encode() + f'"{B}",'.encode() * 10_000)


@pytest.mark.parametrize("kind", [list, "\n".join])
def test_a_key_is_asked_for_by_name(kind):
    items = [{"reference": C, "Parcel": A}, {"reference": C, "parcel": B}]
    content = json.dumps(items) if kind is list else kind(map(json.dumps, items))
    assert references(content, "PARCEL") == [A, B]
    message = refusal(content, "nothing")
    assert "'nothing'" in message
    assert "'reference', 'Parcel'" in message


def test_json_lines_hold_objects_or_strings():
    content = f'{{"reference": "{A}", "n": 1}}\r\n\r\n  {{"Reference": "{B}"}} \r\n"{C}"\r\n'
    assert references(content) == [A, B, C]
    assert form(content) == ("jsonl", "reference")
    assert form(f'"{A}"\n"{B}"\n') == ("jsonl", None)
    assert references(f'"EC-000-05D\\u002d1NS"\n"{B}"\n') == [A, B]


def test_a_malformed_json_line_is_an_entry_and_not_the_end():
    content = f'{{"reference": "{A}"}}\n{{"reference": "{B}"\n{{"reference": "{C}"}}\n{B}\n{{"a": 1}}\nnull\n'
    _, valid, invalid = entries(content)
    assert valid == [(1, A), (3, C)]
    assert invalid == {2: f'{{"reference": "{B}"', 4: B, 5: '{"a": "1"}', 6: "null"}


def test_lines_that_make_json_only_together_stay_malformed():
    content = f'{{"reference": "{A}"}}\n{{"reference": "{B}",\n"x": 1}}\n{{"x": 1}},{{"x": 1}}\n'
    _, valid, invalid = entries(content)
    assert valid == [(1, A)]
    assert list(invalid) == [2, 3, 4]


# --- encodings ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("content", [f"{A}\r\n{B}\r\n", f"id,reference\n1,{A}\n2,{B}\n", json.dumps([A, B])])
def test_unicode_is_read_in_any_of_its_encodings(encoding, content):
    assert references(content.encode(encoding)) == [A, B]


def test_a_spreadsheet_from_windows_is_read_as_such_with_a_warning():
    document = read([f"customer,reference\nAndré,{A}\nZoë,{B}\n".encode("cp1252")], pattern=PATTERN)
    assert [value for raw in document for value in raw.values] == [A, B]
    assert document.encoding == "cp1252"
    assert "Windows-1252" in document.warnings[0]


def test_accents_far_down_change_the_encoding_from_there():
    head = "customer,reference\n" + f"Smith,{A}\n" * 20_000
    document = read([head.encode(), f"André,{B}\n".encode("cp1252")], pattern=PATTERN)
    values = [value for raw in document for value in raw.values]
    assert (values[:-1], values[-1]) == ([A] * 20_000, B)
    assert document.encoding == "cp1252"


def test_a_broken_character_in_utf_8_costs_no_other_entry():
    document = read([f"customer,reference\nAndré,{A}\n".encode() + b"Zo\xeb," + B.encode()], pattern=PATTERN)
    assert [value for raw in document for value in raw.values] == [A, B]
    assert document.encoding == "utf-8"
    assert "replaced" in document.warnings[0]


def test_a_reference_with_a_broken_character_is_malformed():
    _, valid, invalid = entries(A.encode() + b"\nEC-000-05D-1N\xff\n")
    assert valid == [(1, A)]
    assert list(invalid) == [2]


def workbook():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return held.getvalue()


def archive():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("references.csv", f"reference\n{A}\n")
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (workbook(), "Excel workbook or another Office document: export it as CSV"),
        (archive(), "zip archive: unpack it"),
        (gzip.compress(A.encode(), mtime=0), "gzip: unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "Excel workbook"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
        (b"\r\n<!DOCTYPE html><html><body>Sign in", "a web page"),
        (b'<?xml version="1.0"?><a/>', "XML"),
        (b"{\\rtf1\\ansi EC}", "RTF"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00", "not text"),
        (bytes(64), "not text"),
        (bytes(range(1, 32)) * 10, "not text"),
        (f"{A}\n".encode() * 5000 + b"\x00\n", "NUL"),
        (f"{A}\n".encode("utf-16") + b"\x0a", "utf-16-le"),
    ],
)
def test_what_is_not_text_is_refused_by_its_name_with_what_to_do(content, says):
    assert says in refusal(content)


# --- the stream ---


@pytest.mark.parametrize(
    "content",
    [
        "\n".join([A, B, C] * 20_000),
        "id,reference\n" + f"1,{A}\n2,{B}\n3,{C}\n" * 20_000,
        json.dumps([A, B, C] * 20_000),
        json.dumps([{"id": 1, "reference": one} for one in (A, B, C)] * 20_000, indent=1),
        f'{{"reference": "{A}"}}\n{{"reference": "{B}"}}\n{{"reference": "{C}"}}\n' * 20_000,
    ],
)
def test_a_long_document_comes_in_batches_while_it_is_fed(content):
    reader = Reader(pattern=PATTERN)
    content = content.encode()
    batches, most = [], 0
    for start in range(0, len(content), 10_000):
        found = reader.feed(content[start : start + 10_000])
        most = max(most, sum(len(batch.values) for batch in found))
        batches += found
    rest = reader.flush()
    assert most <= 15_000
    assert sum(len(batch.values) for batch in rest) <= 15_000
    assert [value for batch in (*batches, *rest) for value in batch.values] == [A, B, C] * 20_000


def test_a_clean_document_has_its_lines_as_ranges():
    for content in ("\n".join([A] * 9_000), "id,reference\n" + f"1,{A}\n" * 9_000):
        batches = list(read([content.encode()], pattern=PATTERN))
        assert all(isinstance(batch.lines, range) for batch in batches[1:])
        lines = [line for batch in batches for line in batch.lines]
        assert lines == list(range(lines[0], lines[0] + 9_000))


def test_nothing_is_known_of_a_document_that_was_not_read_and_all_once_it_was():
    document = read([f"id,reference\n1,{A}\n".encode()], pattern=PATTERN)
    assert (document.form, document.encoding, document.column, document.warnings) == (None, None, None, ())
    list(document)
    assert (document.form, document.encoding, document.column) == ("csv", "utf-8", "reference")
