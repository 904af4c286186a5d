"""Headings, remarks, other tables and references among words: what shows that not all references are meant."""

import pytest

from tests.support.documents import A, B, C, references, refusal

D = "EC-000-05D-1NV"
MANY = "".join(f"{number},EC-{number:03}-AAA-AAA\n" for number in range(100, 400))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"keep\n{A}\ncancel\n{B}\n", 3),
        (f"== keep ==\n{A}\n== cancel ==\n{B}\n", 3),
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
