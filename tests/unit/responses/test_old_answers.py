"""An answer that is older than our last call of a reference is not read."""

import pytest

from cancellist.jobs.responses.answer import Answer
from cancellist.jobs.responses.status_read import Found, Unknown, Unread, judge_reading

A = "EC-000-05D-1NS"
ERROR = {"Code": "x", "Message": "no", "CorrelationId": "c"}


def status(state, **ages):
    return Answer(200, {"ConsignmentReferenceForAllLegsAssignedByMpd": A, "Status": state}, **ages)


@pytest.mark.parametrize("state", ["Allocated", "Manifested", "Cancelling", "Odd"])
@pytest.mark.parametrize(("age_s", "since_s", "read"), [(0.0, 0.0, True), (4.0, 5.0, True), (6.0, 5.0, False)])
def test_a_state_counts_only_where_it_is_not_older_than_the_last_call(state, age_s, since_s, read):
    reading = judge_reading(A, status(state, age_s=age_s), since_call_s=since_s)
    assert isinstance(reading, Found if read else Unread)
    if isinstance(reading, Unread):
        assert reading.answered
        assert reading.counted


def test_an_old_404_does_not_count_either():
    assert judge_reading(A, Answer(404, ERROR, age_s=300.0), since_call_s=1.0) != Unknown(404)
    assert judge_reading(A, Answer(404, ERROR, age_s=0.0), since_call_s=1.0) == Unknown(404)


def test_cancelled_is_final_however_old_the_answer_is():
    old = status("Cancelled", age_s=300.0, unmodified_s=300.0)
    assert judge_reading(A, old, since_call_s=0.0, doubted=True) == Found("Cancelled", 200)


@pytest.mark.parametrize(
    ("state", "doubted", "read"),
    [("Allocated", False, False), ("Allocated", True, False), ("Manifested", False, True), ("Manifested", True, False)],
)
def test_what_was_last_modified_before_the_call_may_have_been_kept_since_then(state, doubted, read):
    reading = judge_reading(A, status(state, unmodified_s=300.0), since_call_s=1.0, doubted=doubted)
    assert isinstance(reading, Found) is read
    fresh = judge_reading(A, status(state, unmodified_s=2.5), since_call_s=1.0, doubted=doubted)
    assert isinstance(fresh, Found)


def test_where_no_call_is_known_any_state_counts():
    assert isinstance(judge_reading(A, status("Allocated", age_s=300.0)), Found)
