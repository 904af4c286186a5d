"""The form of snapshots: what is read back is what was written, and nothing else is."""

import io

import pytest

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.safety import snapshot
from cancellist.jobs.safety.snapshot import Entry, Header, chosen, fit

A = "EC-000-05D-1NS"
RECORD = {"Reference": A, "ConsignmentState": "Allocated", "Value": 4.5, "Contact": "Zoë 東"}


def entry(at_ms, *, called=False):
    return Entry("job", A, at_ms, "default", "host", "worker", called, RECORD)


def test_an_entry_is_read_back_as_it_was():
    assert snapshot.decoded(snapshot.encoded(entry(5))) == entry(5)


@pytest.mark.parametrize("text", [b"", b"[]", b'{"job": "x"}', b"\xff"])
def test_other_text_is_no_entry(text):
    with pytest.raises(ValueError, match=r"."):
        snapshot.decoded(text)


def test_a_header_that_was_altered_is_refused():
    line = Header("job", "worker", "key").line()
    assert snapshot.parse_header(line) == Header("job", "worker", "key")
    for wrong in (line[:-1], line.replace(b":1,", b":2,"), line.replace(b",", b", "), b"EC-000-05D-1NS\n"):
        with pytest.raises(ValueError, match=r"."):
            snapshot.parse_header(wrong)


def test_a_cut_of_any_length_loses_only_the_record_that_it_cuts():
    one, two = bytes(40), bytes(range(50))
    whole = snapshot.framed(one) + snapshot.framed(two)
    for size in range(len(whole) + 1):
        file, found, torn = io.BytesIO(whole[:size]), [], False
        try:
            while (sealed := snapshot.next_frame(file.read)) is not None:
                found.append(sealed)
        except EOFError:
            torn = True
        assert found == [one, two][: (size >= 44) + (size >= 98)]
        assert torn == (size not in {0, 44, 98})


@pytest.mark.parametrize(
    "answer",
    [
        Failure("no answer in time", written=True),
        Answer(404, {"Code": "x", "Message": "no", "CorrelationId": "c"}),
        Answer(200, None),
        Answer(200, UNREADABLE),
        Answer(200, [RECORD]),
        Answer(200, {**RECORD, "Reference": "EC-000-05D-1NT"}),
        Answer(200, {"Reference": A}),
        Answer(200, {**RECORD, "ConsignmentState": " "}),
        Answer(200, RECORD, age_s=61),
        Answer(203, RECORD),
    ],
)
def test_only_a_fresh_record_of_the_very_reference_is_kept(answer):
    assert fit(A, answer) is None


def test_a_record_is_kept_whatever_its_state():
    assert fit(A, Answer(200, {**RECORD, "Reference": " ec-000-05d-1ns"}))
    assert fit(A, Answer(200, {**RECORD, "ConsignmentState": "Never Heard Of"}))


def test_the_newest_before_the_first_call_that_may_have_acted_counts():
    assert chosen([]) is None
    assert chosen([entry(3), entry(5), entry(9, called=True)]) == entry(5)
    assert chosen([entry(9, called=True), entry(7, called=True)]) == entry(7, called=True)


def test_a_name_of_a_file_says_its_job_and_leaves_the_folder_in_no_case():
    assert snapshot.job_of(snapshot.file_name("6w4h0v2m1x3q", "a/../b:é-1", "0a1b2c3d")) == "6w4h0v2m1x3q"
    assert "/" not in snapshot.file_name("6w4h0v2m1x3q", "a/../b", "0a1b2c3d")
    assert snapshot.job_of("6w4h0v2m1x3q.txt") is None
