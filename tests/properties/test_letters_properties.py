"""References of letters alone look like words; in whatever form they come, none is lost."""

import json

import hypothesis.strategies as st
from hypothesis import given

from tests.support.documents import entries

PART = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=3, max_size=3) | st.text("ABC123", min_size=3, max_size=3)
REFERENCES = st.lists(st.builds("EC-{}-{}-{}".format, PART, PART, PART), min_size=1, max_size=6, unique=True)
FORMS = [
    "\n".join,
    lambda refs: "".join(f"{one},\n" for one in refs),
    lambda refs: "\n".join(refs).lower(),
    json.dumps,
    lambda refs: "\n".join(map(json.dumps, refs)),
    lambda refs: "Sendung\n" + "\n".join(refs) + "\n",
    lambda refs: "Order,Reference\n" + "".join(f"{n},{one}\n" for n, one in enumerate(refs)),
    lambda refs: "Town,Consignment,Note\n" + "".join(f"Leeds,{one},fragile\n" for one in refs),
]


@given(REFERENCES, st.sampled_from(FORMS))
def test_every_reference_is_taken_and_nothing_else(references, form):
    _, valid, invalid = entries(form(references))
    assert [value.strip(" ,").upper() for _, value in valid] == references
    assert invalid == {}
