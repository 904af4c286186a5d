import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cancellist_client.event_stream import Event, EventParser

NAMES = st.sampled_from(["snapshot", "change", "end"])
DATA = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3).map(json.dumps)
LITERAL = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(NAMES, DATA | LITERAL)), st.lists(st.integers(0, 400)), st.sampled_from(["\n", "\r\n"]))
def test_events_are_the_same_wherever_the_bytes_are_cut(events, cuts, end) -> None:
    lines = [
        f"event: {name}{end}id: {n}{end}data: {data}{end}{end}: alive{end}{end}"
        for n, (name, data) in enumerate(events)
    ]
    raw = "".join(lines).encode()
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    parser = EventParser()
    found = [event for a, b in pairwise(places) for event in parser.feed(raw[a:b])]
    assert found == [Event(name, data, str(n)) for n, (name, data) in enumerate(events)]


def test_lines_of_data_are_joined_and_other_fields_passed_over() -> None:
    raw = b"retry: 2000\n\nevent: x\n\ndata: a\ndata:b\nfoo: c\n\ndata: \xe2\x80\xa8\n\ndata: cut"
    assert list(EventParser().feed(raw)) == [Event("message", "a\nb", None), Event("message", "\u2028", None)]
