import json

import pytest

from cancellist.jobs.parsing.documents import Reader, read
from cancellist.jobs.parsing.documents.lines import MAX_ENTRY
from cancellist.jobs.parsing.patterns import ReferencePattern
from tests.support.documents import PATTERN, A, B, C, entries, references, refusal


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
    document, valid, invalid = entries(f"{A}\r\n\r\noops1\r\r{B}\nnext 2\n")
    assert document.form == "lines"
    assert valid == [(1, A), (5, B)]
    assert invalid == {3: "oops1", 6: "next 2"}


def test_a_malformed_first_line_is_not_taken_for_a_header():
    _, valid, invalid = entries(f"EC-000-05D-1N\n{A}\n{B}\n")
    assert [value for _, value in valid] == [A, B]
    assert invalid == {1: "EC-000-05D-1N"}


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \r\n\t\r\n", ",,,\n"])
def test_an_input_without_entries_yields_nothing(content):
    assert list(read([content.encode()], pattern=PATTERN)) == []
    assert list(read([], pattern=PATTERN)) == []


def test_a_column_asked_of_plain_lines_is_refused():
    assert "there is no column 'ref': the input is one reference a line" in refusal(f"{A}\n{B}\n", column="ref")


def test_a_line_that_never_ends_is_refused_rather_than_held():
    assert refusal(f"{A}\n" + "x" * (MAX_ENTRY + 400_000)).startswith("line 2: an entry is longer than")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"[keep]\n{A}\n[cancel]\n{B}\n", 3),
        (f"keep:\n{A}\ncancel:\n{B}\n", 1),
        (f"# all of them\n{A}\n# and not\n{B}\n", 3),
        (f"let list = [\n'{A}',\n'{B}',\n]\n", 1),
        (f"{A}\n{B}\n</list>\n", 3),
        (f"DELETE FROM x WHERE NOT ref IN (\n'{A}',\n'{B}')\n", 1),
        (f'{A}\n"list": {{\n"{B}",\n', 2),
    ],
)
def test_lines_that_show_a_structure_are_refused_since_a_part_of_them_may_be_meant(content, line):
    if content.startswith("["):
        assert "malformed" in refusal(content)
    else:
        assert f"line {line}: " in refusal(content)


def test_a_line_that_is_merely_odd_is_malformed():
    odd = [
        "[red]odd-1[/red]", '=HYPERLINK("http://example.com/1")', "EC-12X-4Z", "EC-000 05D 1NS", "<3", "n/a", "2:1",
        "EC-000-05D-1N?", "12 34", "not-1",
    ]  # fmt: skip
    _, valid, invalid = entries("\n".join([A, *odd, B]))
    assert [reference for _, reference in valid] == [A, B]
    assert list(invalid.values()) == odd


def test_comments_above_lines_are_skipped_with_a_note():
    document, valid, invalid = entries(f"# exported today\n\n// by us\n{A}\n{B}\n")
    assert (valid, invalid) == ([(4, A), (5, B)], {})
    assert document.warnings == ("comments were skipped, up to line 3",)


def test_a_pattern_that_takes_brackets_makes_no_structure_of_references():
    pattern = ReferencePattern(r"[(<][A-Z]-[0-9][)>:]")
    assert references("(A-1)\n(B-2:\n(C-3)\n", pattern=pattern) == ["(A-1)", "(B-2:", "(C-3)"]


@pytest.mark.parametrize(
    "content", [f"title\nmore\n{A}\n{B}\n", f"Order,Reference\n1,{A}\n2,{B}\n", f'x\ny\n["{A}",\n"{B}"]']
)
def test_lines_at_the_beginning_are_skipped_in_any_form(content):
    skip = 0 if content.startswith("Order") else 2
    _, valid, _ = entries(content, skip_lines=skip)
    assert [reference for _, reference in valid] == [A, B]
    assert valid[0][0] == (2 if skip == 0 else 3)


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
        found = list(reader.feed(content[start : start + 10_000]))
        most = max(most, sum(len(batch.values) for batch in found))
        batches += found
    rest = list(reader.flush())
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
