"""Tables whose rows, headers or first lines are not as they should be: taken right, or refused."""

import pytest

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import listed, read
from tests.support.documents import PATTERN, A, B, C, entries, form, references, refusal

D = "EC-000-05D-1NV"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (f"2,12 High St, Leeds,{B},{C}", "5 cells, the header has 4"),
        (f"2,12 High St, Leeds,,{C}", "5 cells, the header has 4"),
        (f"2,a, b, c,{B},{C}", "6 cells, the header has 4"),
        ("2,12 High St", "2 cells, the header has 4"),
        ("(3 rows)", "1 cell, the header has 4"),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_whose_cells_have_moved_is_malformed_with_its_line_and_their_number(row, says, quote):
    content = f"Order,Address,Replaces,Reference\n{quote}1{quote},x,{D},{A}\n{row}\n3,y,,{B}\n"
    batches = list(read([content.encode()], pattern=PATTERN))
    assert [value for batch in batches for value in batch.values] == [A, B]
    assert [(entry.line, entry.reason) for batch in batches for entry in batch.invalid] == [(3, says)]


@pytest.mark.parametrize(
    "rows",
    [
        [f"1,12 High St, Leeds,{D},"],
        [f"1,x,{A},Leeds", f"2,12 High St, Leeds,{D},"],
        [f"1,x,{A},Leeds", f"2,y,{B},York,"],
        ["1,12 High St", f"Leeds,{A},{D}"],
        [f"1,x,{A},Leeds", "2,12 High St", f"Leeds,,{D}"],
    ],
)
def test_a_table_is_refused_where_it_cannot_be_known_which_cell_is_meant(rows):
    message = refusal("Order,Address,Reference,Replaces\n" + "\n".join(rows) + "\n", "Reference")
    assert message.startswith(f"line {len(rows) + 1}: it has ")


def test_rows_that_each_end_with_one_delimiter_too_many_are_read_where_nothing_else_can_be_meant():
    rows = "".join(f"{n},{one},x,\n" for n, one in enumerate((A, B, C)))
    assert references(f"Order,Reference,Town\n{rows}") == [A, B, C]
    assert "others have 3" in refusal(f"Order,Reference,Town\n{rows}4,{D},y\n")
    assert "others have 3" in refusal(f"Order,Reference,Town\n{rows.replace(',x,', f',{D},')}")


@pytest.mark.parametrize("column", [None, "reference", "3"])
def test_rows_that_are_all_wider_than_the_header_are_refused(column):
    content = f"order\treplaces\treference\n1\t47\t{A}\t{B}\n2\t48\t{C}\t{D}\n"
    assert "every row has more cells than the header, 4 and not 3" in refusal(content, column)


@pytest.mark.parametrize(
    "title", ["Returns of Monday", "By,J. Doe", "Consignments", "# a, b", "// x", '"a, ""b"""', "x;y|z"]
)
@pytest.mark.parametrize("blank", ["", "\n", ",,\n"])
@pytest.mark.parametrize("name", ["Reference", "Sendung"])
def test_titles_above_the_header_are_skipped_with_a_note_or_the_file_is_refused(title, blank, name):
    content = f"{title}\n{blank}Order,{name},Town\n1,{A},x\n2,{B},y\n"
    if (title, name) == ("Consignments", "Sendung"):
        assert "every row has more cells" in refusal(content)
        return
    document, valid, invalid = entries(content)
    first = 3 + blank.count("\n")
    assert (valid, invalid) == ([(first, A), (first + 1, B)], {})
    assert document.column == name
    assert "skipped" in document.warnings[0]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("sep={}", ";"), ("SEP={}", "|"), ('"sep={}"', ";"), ("'sep={}'", ","), ("sep={0}{0}{0}", ","),
        ('"sep={}",', ","),
        ("sep={}", "\t"), ('"sep={}"', "\t"), ("sep={0}{0}", "\t"), ("sep={}", "^"), ("sep={}", "~"), (" sep={} ", ";"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_first_line_may_name_the_delimiter(line, delimiter, encoding):
    rows = [line.format(delimiter), *(delimiter.join(row) for row in (("Order", "Reference"), ("1", A), ("2", B)))]
    assert references("\r\n".join(rows).encode(encoding)) == [A, B]
    assert references((rows[0] + "\n" + delimiter.join((A, "x")) + "\n").encode(encoding)) == [A]


def test_the_header_may_be_repeated_but_not_changed_further_down():
    rows = f"Order,Reference,Replaces\n1,{A},{C}\n"
    document, valid, invalid = entries(rows + f"\ufeffOrder,REFERENCE,Replaces\n2,{B},\n")
    assert ([reference for _, reference in valid], invalid) == ([A, B], {})
    assert "repeated" in document.warnings[0]
    for other in ("Order,Replaces,Reference", "Reference,Order", "Replaces,Order,reference"):
        assert "line 3: another header begins here" in refusal(f"{rows}{other}\n2,{D},{B}\n")
    assert references(f"type,reference,x\nconsignment,{A},\nconsignment,,y\n") == [A]


@pytest.mark.parametrize(
    ("content", "column", "found"),
    [
        (f"Reference,Reference\n{A},{B}\n", "2", [B]),
        (f"x,y\n{A},{B}\n", "2", [B]),
        (f"x,{A},{B}\n", "3", [B]),
        (f"Reference,1\n{A},{B}\n", "1", [B]),
        (f"Title\n\nx;y\n{A};{B}\n", "1", [A]),
        (f"{A}\n{B}\n", "1", [A, B]),
    ],
)
def test_a_column_may_be_named_by_its_number_after_its_name(content, column, found):
    assert references(content, column) == found


@pytest.mark.parametrize(
    ("content", "column", "says"),
    [
        (f"x,y\n{A},{B}\n", "3", "there is no column 3: rows have 2 cells"),
        (f"x,y\n{A},{B}\n", "0", "there is no column 0"),
        (f"x,1\n{A},{B}\n", "1", "column 1 and the column named '1' may both be meant"),
        (f"x,y\n,{B}\n,\n,\n1,\n2,\n3,\n", None, "only some rows hold a reference, in column 'y'"),
        (f"a,b,{A}\nc,d,{B}\n", "Town", "the first line is no header, it holds a reference"),
        (f"By;J. Doe;\nx;y\n{A};{B}\n", None, "several columns"),
        (f"By,me\n{A},b,c\n{B},d,e\n", None, "may not be their header"),
    ],
)
def test_a_column_that_is_not_surely_known_is_refused(content, column, says):
    assert says in refusal(content, column)


@pytest.mark.parametrize(
    "cell", ['="{}"', '"=""{}"""', "'{}", "'{}'", "“{}”", "\u00a0{}\u00a0", '\u00a0"{}"\u200b', '= "{}"']
)
def test_what_programs_put_around_a_cell_is_taken_off(cell):
    content = f"Order;Reference\n1;{cell.format(A)}\n2;{B}\n"
    if cell.startswith("= "):
        assert list(entries(content)[2]) == [2]
    else:
        assert references(content) == [A, B]


def test_no_list_is_made_of_lines_that_hold_a_delimiter():
    assert form(f"what,notes\n{A},\n{B},\n") == ("csv", "what")
    assert form(f"{A},\n{B},urgent\n{C},\n")[0] == "csv"
    assert references(f"{A},\n{B},urgent\n{C},\n") == [A, B, C]
    assert "no column is known" in refusal("a;b\nc;d\n")
    assert "several columns hold references" in refusal(f"{A},{B}\n{C},{D}\n")


def test_cells_of_any_length_up_to_the_longest_entry_are_read():
    long = "x" * 900_000
    for content in (f'a,Reference\n"{long}",{A}\ny,{B}\n', f"a,Reference\n{long},{A}\ny,{B}\n"):
        assert references(content) == [A, B]
    with pytest.raises(InputError, match=r"line 2: .*1,000,000 characters"):
        references(f'a,Reference\n"{long}{long}{long}",{A}\n')


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{A}\n\r\n{B}\r{C}", [A, B, C]),
        (f'["{A}", "{B}"]', [A, B]),
        (f'{{"references": ["{A}"]}}', [A]),
        (f'\ufeff{{"reference": "{A}"}}\n{{"reference": "{B}"}}', [A, B]),
        (f"\ufeff{A},\n'{B}'\x1a", [A, B]),
        ("", []),
    ],
)
def test_a_message_is_read_by_the_same_rules(text, found):
    assert [value.strip("\ufeff") for batch in listed(text, PATTERN) for value in batch.values] == found


@pytest.mark.parametrize("text", [f'["{A}", ', f'{{"a": ["{A}"], "b": ["{B}"]}}', f"keep:\n{A}\n", '[1] {"a": 1}'])
def test_a_message_that_is_not_surely_understood_is_refused(text):
    with pytest.raises(InputError):
        listed(text, PATTERN)
