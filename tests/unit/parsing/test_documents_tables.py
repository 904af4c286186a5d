import pytest

from cancellist.jobs.parsing.documents import Reader, read
from cancellist.jobs.parsing.documents.reader import HEAD_BYTES
from cancellist.jobs.parsing.patterns import ReferencePattern
from tests.support.documents import PATTERN, A, B, C, entries, form, references, refusal


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


def test_a_heading_that_names_references_goes_before_a_column_that_holds_as_many_and_not_before_one_with_more():
    assert references(f"reference,replaced by\n{A},{B}\n{B},{C}\n") == [A, B]
    message = refusal(f"reference,replaced by\nORDER-1,{A}\n{B},{C}\n")
    assert "column 'reference' was found by its name, but 'replaced by' holds more references" in message
    assert references(f"reference,replaced by\nORDER-1,{A}\n{B},{C}\n", "reference") == [B]


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
def test_a_blank_cell_is_counted_a_row_that_breaks_off_is_malformed_and_a_blank_row_is_nothing(quote):
    content = f"id,reference\n1,{quote}{A}{quote}\n2,\n3\n,\n \n4, \n5,{quote}{B}{quote}\n"
    _, valid, invalid = entries(content)
    assert valid == [(2, A), (8, B)]
    assert invalid == {4: "3"}
    assert sum(raw.blank for raw in read([content.encode()], pattern=PATTERN)) == 2


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
    content = f'id,reference\n"1,{A}\n' + f"2,{B}\n" * 300_000
    assert "line 2: a quote is opened here and not closed within" in refusal(content)


def test_quoted_cells_may_span_the_blocks_in_which_a_file_is_read():
    row = f'"{"long text" * 20}\n","{A}"\n'
    count = HEAD_BYTES * 4 // len(row)
    content = ("note,reference\n" + row * count).encode()
    reader = Reader(pattern=PATTERN, block_bytes=700)
    batches = [*reader.feed(content), *reader.flush()]
    assert [value for raw in batches for value in raw.values] == [A] * count
    assert [line for raw in batches for line in raw.lines] == list(range(2, 2 + 2 * count, 2))
