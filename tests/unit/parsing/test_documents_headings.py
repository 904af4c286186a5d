"""Headings, remarks, other tables and references among words: what shows that not all references are meant."""

import time

import pytest

from cancellist.jobs.parsing.documents import listed
from cancellist.jobs.parsing.documents.columns import plainly
from cancellist.jobs.parsing.patterns import ReferencePattern
from tests.support.documents import PATTERN, A, B, C, entries, references, refusal

D = "EC-000-05D-1NV"
MANY = "".join(f"{number},EC-{number:03}-AAA-AAA\n" for number in range(100, 400))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"keep\n{A}\ncancel\n{B}\n", 1),
        (f"ours\n{A}\ncancel\n{B}\n", 3),
        (f"== keep ==\n{A}\n== cancel ==\n{B}\n", 1),
        (f"== ours ==\n{A}\n== cancel ==\n{B}\n", 3),
        (f"{A}\n-- cancelled --\n{B}\n", 2),
        (f"{A}\n-----\n{B}\n", 2),
        (f"{A}\n\nDO NOT CANCEL\n{B}\n", 3),
        (f"reference\n{A}\nDO NOT CANCEL\n{B}\n", 3),
        (f"Order,Reference\n1,{A}\n,DO NOT CANCEL\n2,{B}\n", 3),
        (f"Order,Reference,Town\n1,{A},York\n,Do not cancel,\n2,{B},Hull\n", 3),
        (f"Order,Reference,Town\n1,{A},York\nDo not cancel,,\n2,{B},Hull\n", 3),
        (f"Order,Reference,Town\n1,{A},York\nDo not cancel\n2,{B},Hull\n", 3),
        (f'"Order","Reference"\n"1","{A}"\n"","keep"\n"2","{B}"\n', 3),
    ],
)
def test_a_heading_among_references_refuses_the_file(text, line):
    assert f"line {line}: " in refusal(text)


@pytest.mark.parametrize(
    "written",
    [
        f"{A} # keep", f"{A}: do not cancel", f"{A}=keep", f"{A}:x", f"{A} (urgent)", f"1. {A}", f"- {A}", f"* {A}",
        f"{A} -- keep", f"{A}--keep", f"{A} keep", f"{A}/{B}", f"{A} {B}", f"keep={A.lower()}", f"{A} \u2192 {B}",
        f"~~{A}~~", f"{A}\tkeep", f"{A}!",
    ],
)  # fmt: skip
def test_a_reference_among_other_words_refuses_the_file(written):
    others = "".join(f"EC-{number:03}-AAA-AAA\n" for number in range(100, 400))
    assert "line 301: " in refusal(f"{others}{written}\n{C}\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"Shipment,Reference\n1,{A}\n2,{B}\n\nReplaced,By\n{C},{D}\n", 5),
        (f"Shipment,Reference\n1,{A}\n2,{B}\n,\nReplaced,By\n{C},{D}\n", 5),
        (f"Shipment,Reference\n1,{A}\n2,{B}\n-----,-----\nReplaced,By\n{C},{D}\n", 5),
        (f"Shipment,Reference\n1,{A}\n2,{B}\n\n=====\nReplaced,By\n{C},{D}\n", 6),
        (f"Shipment,Reference\n1,{A}\n2,{B}\nReplaced,By\n{C},{D}\n", 4),
        (f"Shipment,Reference\n1,{A}\n\nKept,Since\n7,{D}\n", 4),
        (f"Shipment,Reference\n1,{A}\n\nKept\n7,{D}\n", 4),
        (f"Shipment,Reference\n1,{A}\n\nReplaced,By,When\n{C},{D}\n", 4),
        (f'"Shipment","Reference"\n"1","{A}"\n\n"Replaced","By"\n"{C}","{D}"\n', 4),
        (f"Shipment,Reference\n{MANY}\nReplaced,By\n{C},{D}\n", 303),
        (f"Shipment,Reference\n{MANY}Replaced,By\n{C},{D}\n", 302),
    ],
)
def test_another_table_further_down_refuses_the_file(text, line):
    assert f"line {line}: " in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        f"reference\n{A}\n{B}\n",
        f"our references\n{A}\n{B}\n",
        f"{A}\n\n\n{B}\n",
        f"{A}\nEC-000-05D\n{B}\n",
        f"{A}\nn/a\nnone\nNULL\nTBC\n-\n{B}\n",
        f"Order,Reference\n1,{A}\n2,n/a\n,-\n3,{B}\n",
        f"Order,Reference,Town\n1,{A},York\n2,not a reference,Hull\n3,{B},Leeds\n",
        f"Name,Reference,Town\nAnn,{A},York\nBob,not a reference,Hull\nCat,{B},Leeds\n",
        f"Name,Reference,Replaces\nAnn,{A},\nBob,oops,\nCat,{B},{C}\n",
        f"Name,Reference\nAnn,{A}\nBob,\nCat,{B}\n",
        f"Order,Reference\n1,{A}\n\n2,{B}\n",
        f"Order,Reference\n1,{A}\n\nOrder,Reference\n2,{B}\n",
        f"Order,Reference\n1,{A}\n2,{B}\n\nEnd of the export\n",
        f"Order;Reference\n1;{A}\n2;{B}\n\nTotal;\n",
    ],
)
def test_honest_files_are_read(text):
    assert references(text) == [A, B]


def test_words_alone_are_no_headings_where_there_is_no_reference():
    assert references("foo\nbar\nbaz\n") == []


OTHERS = "".join(f"EC-{number:03}-AAA-AAA\n" for number in range(300, 700))


@pytest.mark.parametrize(
    "words",
    [
        "Batch 2", "Keep 14", "keep-14", "== 3 ==", "Second delivery", "14 to be kept", "Von: x1@y", "a: 2", "(3 rows)",
        "EC-000 (recall)", "not 1", "Зона 7", "第二 批", "Sent:x@y", "备注\uff1a保留2", '"Batch 2"', "Batch\u00a02",
    ],
)  # fmt: skip
@pytest.mark.parametrize("header", ["", "reference\n", "Sendung\n"])
def test_words_between_references_refuse_the_list_with_digits_or_without(words, header):
    at = header.count("\n")
    assert f"line {at + 2}: " in refusal(f"{header}{A}\n{words}\n{B}\n")
    if "\n" in header or not words.startswith("=="):
        assert f"line {at + 402}: " in refusal(f"{header}{OTHERS}\n{words}\n{OTHERS}")
    with_head = f"{header}{OTHERS * 40}{words}\n{OTHERS * 40}"
    assert f"line {at + 16_001}: " in refusal(with_head)


@pytest.mark.parametrize("words", ["Batch 2", "(3 rows)", "3 rows selected", "End of the export 1", "EC-000 (recall)"])
def test_words_above_or_below_all_references_are_read_past(words):
    assert references(f"{words}\n{A}\n{B}\n") == [A, B]
    assert references(f"{A}\n{B}\n{words}\n") == [A, B]
    assert references(f"{OTHERS * 40}{words}\n") == OTHERS.split() * 40


@pytest.mark.parametrize(
    "mail",
    [
        "Von: x@y\n", "De : Jean\nObjet : annuler\n\n", "Betreff: 12\n",
        "Oggetto:\u00a0annullare\n", "发件人\uff1a王\n", "От: a@b\n\n", "Gesendet am: 3. Mai\n", "To:<x@y.z>\n",
        "Keep 14\n", "do not cancel\n", "keep\n", "DON'T CANCEL\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "\ufeff", "\n \n"])
def test_a_mail_or_words_that_keep_above_a_list_refuse_it(mail, above):
    assert f"line {1 + above.count(chr(10))}: " in refusal(f"{above}{mail}{A}\n{B}\n")


@pytest.mark.parametrize(
    "name", ["Sendung", "Our numbers", "Consignments to cancel", "N\u00famero", "\u53f7\u7801", '"Sendung"']
)
@pytest.mark.parametrize("above", ["", "\ufeff", "\n\n", "# by us\n"])
def test_words_above_references_alone_are_the_header_of_a_list(name, above):
    document, valid, invalid = entries(f"{above}{name}\n{A}\n{B}\n")
    assert ([value for _, value in valid], invalid) == ([A, B], {})
    assert valid[0][0] == 2 + above.count("\n")
    assert (document.form, document.column) == ("csv", plainly(name))
    assert references(f"{above}{name}\n{A}\n{B}\n", name) == [A, B]


@pytest.mark.parametrize("first", ["EC-12X-4Z", "n/a", "R-77", "-", "12", "%PD"])
def test_what_is_no_name_above_references_is_malformed(first):
    assert list(entries(f"{first}\n{A}\n{B}\n")[2].values()) == [first]
    assert list(entries(f"Sendung\n{A}\n{first}\n{B}\n")[2].values()) == ["Sendung", first]


@pytest.mark.parametrize("blanks", ["", " ", "\n \r\n\t", "\ufeff", "\ufeff \n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("begins", "what"),
    [
        ("%PDF-1.7\n", "a PDF"), ("{\\rtf1\\ansi\n", "an RTF document"), ("<!DOCTYPE html>\n", "a web page"),
        ("<?xml version='1.0'?>\n", "XML"), ("PK\x03\x04\n", "a zip archive"), ("From: a@b\nSubject: x\n", "a mail"),
        ("%!PS-Adobe-3.0\n", "a PostScript file"), ("BEGIN:VCALENDAR\n", "a calendar or a contact"),
    ],
)  # fmt: skip
def test_what_a_file_is_is_known_behind_blanks_and_marks_in_any_encoding(begins, what, blanks, encoding):
    assert f"the input is {what}, not a list" in refusal(f"{blanks}{begins}{A}\n{B}\n".encode(encoding))


@pytest.mark.parametrize("pattern", [r"#[0-9]+", r"//[0-9]+", r"#[0-9]+:"])
def test_references_that_begin_as_comments_do_are_no_comments(pattern):
    ones = [pattern.replace("[0-9]+", str(number)) for number in (1001, 1002, 1003)]
    assert references("\n".join(ones), pattern=ReferencePattern(pattern)) == ones


def test_many_words_below_a_list_take_no_more_time_than_lines_do():
    words = "".join(f"row {number} of many\n" for number in range(50_000))
    begun = time.process_time()
    for batch in listed(f"{A}\n{words}", PATTERN):
        assert len(batch.values) == 50_001
    assert references(f"{A}\n{words}") == [A]
    assert time.process_time() - begun < 20


LETTERS = ["EC-GCM-MSR-GHK", "ec-gcm-msr-ghk", " EC-GCM-MSR-GHK ", '"EC-GCM-MSR-GHK"', "EC-GCM-MSR-GHK,"]


@pytest.mark.parametrize("below", [[A], [A, B], ["EC-AAA-AAA-AAA", B], ["EC-AAA-AAA-AAA", "EC-BBB-BBB-BBB"]])
@pytest.mark.parametrize("first", LETTERS)
def test_a_reference_without_a_digit_is_no_header_wherever_it_stands(first, below):
    bare_first = "EC-GCM-MSR-GHK"
    for place in range(len(below) + 1):
        listed = [*below[:place], first, *below[place:]]
        taken = references("\n".join(listed) + "\n")
        assert taken == [*below[:place], bare_first, *below[place:]]
    assert references(f"Order,Reference\n1,{bare_first}\n" + "".join(f"2,{one}\n" for one in below)) == [
        bare_first, *below,
    ]  # fmt: skip


@pytest.mark.parametrize("first", ["EC-GCM-MSR-GH", "ec-gcm-msr-gh", "ECGCMMSRGHK", "EC-GCM-MSR"])
def test_a_mistyped_reference_without_a_digit_is_malformed_and_no_header(first):
    _, valid, invalid = entries(f"{first}\n{A}\n{B}\n")
    assert [value for _, value in valid] == [A, B]
    assert list(invalid) == [1]
