"""What stands above the header is never taken for it where another row may be the header as well."""

import pytest

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import read
from cancellist.jobs.parsing.patterns import DEFAULT_PATTERN, ReferencePattern

PATTERN = ReferencePattern(DEFAULT_PATTERN)
A, B, C, D = (f"EC-VC4-FBM-8G{c}" for c in "ABCD")


def references(text, column=None):
    return [value for batch in read([text.encode()], column=column, pattern=PATTERN) for value in batch.values]


@pytest.mark.parametrize(
    "above",
    [
        "Consignments,,\nReplaces,Order,Reference\n", "Reference,R-77,\nReplaces,Order,Consignment\n",
        "Consignments;;\nReplaces;Order;Reference\n", ",Consignment,,City\n,Old,New,\n", ",Reference,\nOld,New,City\n",
        "Consignments,,\nReport,R-77,\nReplaces,Order,Reference\n", "Reference,R-77,\n,Order,Consignment\n",
        "Consignments,,\nReplaces,Order no. 2,Reference\n", "Consignments,,\nReplaces,2026,Reference\n",
        "Reference,R-77,\n,Order 2,Consignment\n", "Reference,,\nOld,2026,\n", "Consignments,,\n",
    ],
)  # fmt: skip
def test_a_padded_title_or_a_second_header_row_refuses_the_table(above):
    part = ";" if ";" in above else ","
    rows = "".join(f"{part.join((A, B, C))}\n" for _ in range(12))
    with pytest.raises(InputError, match=r"may be the header as well|has no name and holds references|header"):
        references(above + rows)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"Name,Reference\nSmith,\nJones,{A}\n", [A]),
        (f"Order,Reference\n1,pending\n2,{A}\n", ["pending", A]),
        (f"Name,Reference\nSmith,n/a\nJones,{A}\n", ["n/a", A]),
        (f"Order,Reference,Town\n1,{A},Leeds\n", [A]),
        (f"| Old | Reference |\n|:--|--:|\n| {A} | {B} |\n", ["--:", B]),
        (f"Old | Reference\n----|----------\n{A} | {B}\n", ["----------", B]),
        (f"Report of today\n\nOrder,Reference\n1,{A}\n", [A]),
    ],
)
def test_an_honest_header_is_taken(text, wanted):
    assert [value.strip() for value in references(text) if value.strip()] == wanted
