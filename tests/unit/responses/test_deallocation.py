import pytest

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.deallocation import is_allocated, judge_deallocation
from cancellist.jobs.responses.verdicts import Confirmed, Unclear, Untaken

A, B = "EC-000-05D-1NS", "EC-000-05D-1NT"
DONE_ITEM = {"IsSuccess": True, "Data": A}
BAD = {"Code": "x", "Message": "one of them is unknown", "CorrelationId": "c"}


@pytest.mark.parametrize(
    ("answer", "stopped", "done"),
    [
        (Answer(200, [DONE_ITEM, {"IsSuccess": False, "Data": B, "Message": "not allocated"}]), set(), {A}),
        (Answer(200, {"data": [{"isSuccess": True, "data": A}, {"isSuccess": True, "data": B}]}), set(), {A, B}),
        (Answer(201, [DONE_ITEM]), {B}, {A, B}),
        (Answer(200, UNREADABLE), {A, B}, {A, B}),
        (Answer(202, [DONE_ITEM]), {A, B}, {A, B}),
        (Answer(204), {A, B}, {A, B}),
        (Answer(302), {A, B}, {A, B}),
        (Answer(400, BAD), {A, B}, set()),
        (Answer(408), {A, B}, {A, B}),
        (Answer(503), {A, B}, {A, B}),
        (Answer(429), {A, B}, {A, B}),
        (Failure("reset", written=True), {A, B}, {A, B}),
        (Failure("refused", written=False), {A, B}, set()),
    ],
)
def test_a_deallocation_stops_what_it_did_not_surely_see_to_and_remembers_what_it_may_have_done(answer, stopped, done):
    deallocation = judge_deallocation([A, B], answer)
    assert set(deallocation.stopped) == stopped
    assert deallocation.done == done
    assert not any(isinstance(verdict, Unclear | Confirmed) for verdict in deallocation.stopped.values())


def test_a_deallocation_that_was_one_call_too_many_burns_nothing():
    verdict = judge_deallocation([A, B], Answer(429, UNREADABLE)).stopped[A]
    assert isinstance(verdict, Untaken)
    assert not verdict.counted


def test_one_alone_that_cannot_be_deallocated_is_left_to_the_cancelling_call():
    assert not judge_deallocation([A], Answer(404, BAD)).stopped


def test_what_a_deallocation_stopped_joins_the_judgement_of_the_others():
    deallocation = judge_deallocation([A, B], Answer(200, [DONE_ITEM]))
    joined = deallocation.joined(judge([A], Answer(200), single=True))
    assert isinstance(joined.of(A), Confirmed)
    assert isinstance(joined.of(B), Untaken)


@pytest.mark.parametrize(
    ("state", "allocated"),
    [
        ("Allocated", True), ("Manifest Failed", True), ("Unallocated", False), ("Manifested", False),
        ("Delivered", False), ("Cancelled", False), ("ReadyToShip", True), ("Manifesting", False), ("Odd", False),
    ],
)  # fmt: skip
def test_only_what_is_allocated_and_has_no_carrier_yet_is_deallocated(state, allocated):
    assert is_allocated(state) is allocated
