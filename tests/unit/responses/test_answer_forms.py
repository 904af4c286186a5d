"""What was asked is found in an answer whose envelope has changed, and nothing is found in what says nothing of it."""

import pytest

from cancellist.jobs.responses.answer import UNREADABLE, Answer
from cancellist.jobs.responses.answer_forms import field, is_error, items_of, letters
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.status_read import Found, Unknown, Unread, judge_reading
from cancellist.jobs.responses.verdicts import Confirmed, Refused

A, B = "EC-000-05D-1NS", "EC-000-05D-1NT"
ITEMS = [{"IsSuccess": True, "Message": "ok", "Data": A}, {"IsSuccess": False, "Message": "no", "Data": B}]
STATUS = {"ConsignmentReferenceForAllLegsAssignedByMpd": A, "Status": "Manifested"}
ERROR = {"Code": "x", "Message": "no", "CorrelationId": "c"}


def camel(name):
    return name[0].lower() + name[1:]


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


NAMES = [str, str.lower, str.upper, camel, snake, lambda name: f" {name} "]


def renamed(value, by):
    match value:
        case dict():
            return {by(key): renamed(inner, by) for key, inner in value.items()}
        case list():
            return [renamed(inner, by) for inner in value]
        case _:
            return value


@pytest.mark.parametrize("by", NAMES)
def test_names_are_accepted_in_any_case_of_letters(by):
    judgement = judge([A, B], Answer(200, renamed(ITEMS, by)), single=False)
    assert [judgement.of(A), judgement.of(B)] == [Confirmed(200, "ok"), Refused(200, "no")]
    assert judgement.changed == (by is not str)
    assert judge_reading(A, Answer(200, renamed(STATUS, by))) == Found("Manifested", 200)
    assert judge_reading(A, Answer(404, renamed(ERROR, by))) == Unknown(404)
    assert judge([A], Answer(400, renamed(ERROR, by)), single=True).of(A) == Refused(400, "no")


@pytest.mark.parametrize(
    "wrapped",
    [
        {"data": ITEMS}, {"results": ITEMS, "count": 2}, {"value": ITEMS, "@odata.context": "x"},
        {"Items": ITEMS, "meta": {"page": 1}, "errors": None}, {"data": ITEMS, "errors": []},
        {"Results": ITEMS, "Links": ["x"]}, {"Data": {"Items": ITEMS}}, {"a": {"b": {"c": ITEMS}}},
    ],
)  # fmt: skip
def test_a_list_is_found_in_the_object_that_wraps_it(wrapped):
    judgement = judge([A, B], Answer(200, wrapped), single=False)
    assert [type(judgement.of(r)) for r in (A, B)] == [Confirmed, Refused]
    assert judgement.changed


def test_of_two_lists_in_one_object_none_is_chosen():
    assert items_of({"done": ITEMS, "failed": ITEMS}) is None


@pytest.mark.parametrize("success", [True, False, None, ITEMS])
def test_a_list_in_an_object_with_a_success_of_its_own_says_nothing(success):
    assert not items_of({"items": ITEMS, "is_success": success})
    assert not items_of({"data": {"items": ITEMS, "IsSuccess": success}})


@pytest.mark.parametrize(
    "wrapped",
    [
        {"data": STATUS, "meta": {}}, {"data": {**STATUS, "Extra": 1}}, [STATUS], {"data": {"consignment": STATUS}},
        {"results": [STATUS]}, {"status": "ok", "data": STATUS},
    ],
)  # fmt: skip
def test_a_state_is_found_in_what_wraps_it(wrapped):
    assert judge_reading(A, Answer(200, wrapped)) == Found("Manifested", 200)


def test_an_error_is_found_in_what_wraps_it():
    wrapped = {"error": renamed(ERROR, camel)}
    assert judge([A], Answer(400, wrapped), single=True).of(A) == Refused(400, "no")
    assert judge_reading(A, Answer(404, wrapped)) == Unknown(404)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "maintenance", "message": "we are back at 10:00"}, {"Status": "Down"}, {"state": "Allocated"},
        {}, [], [STATUS, STATUS], "Manifested", UNREADABLE, None, {"Status": None}, {**STATUS, "Status": " "},
        {**STATUS, "ConsignmentReferenceForAllLegsAssignedByMpd": B}, {"a": STATUS, "b": STATUS},
    ],
)  # fmt: skip
def test_what_is_no_state_of_this_reference_is_no_state(body):
    reading = judge_reading(A, Answer(200, body))
    assert isinstance(reading, Unread)
    assert not reading.answered


@pytest.mark.parametrize(
    "body",
    [
        {"status": "maintenance", "message": "back soon"}, {"data": []}, {"data": [{"IsSuccess": True}]}, [], {},
        [{"IsSuccess": True, "Data": "EC-999-999-999"}], {A: {"IsSuccess": True}}, "ok", 1, None, UNREADABLE,
        [{"IsSuccess": "true", "Data": A}], {"Data": [A, B], "IsSuccess": True},
    ],
)  # fmt: skip
def test_a_success_that_names_nothing_asked_answers_nothing_and_burns_nothing(body):
    judgement = judge([A, B], Answer(200, body), single=False)
    assert not judgement.answered
    assert not judgement.common.counted


@pytest.mark.parametrize(
    ("body", "is_it"),
    [
        (ERROR, True), ({**ERROR, "Details": []}, True), ({"Code": None, "Message": "", "CorrelationId": None}, True),
        ({"Code": "x", "Message": "no"}, False), ({"Message": "No HTTP resource was found"}, False),
        ({"statusCode": 404, "message": "Resource not found"}, False), ({"code": "404", "message": "m"}, False),
        ({"type": "about:blank", "title": "Bad Request", "status": 400, "traceId": "t"}, False),
        ([ERROR, ERROR], False), ("no", False), (None, False), (UNREADABLE, False), ({}, False),
    ],
)  # fmt: skip
def test_an_error_is_the_platforms_own_by_all_three_of_its_fields(body, is_it):
    assert is_error(body) is is_it


def test_a_name_that_two_fields_have_has_no_value_but_the_documented_one_wins():
    assert field({"data": 1, "DATA": 2}, "Data") is None
    assert field({"Data": 1, "data": 2}, "Data") == 1
    assert letters("In Transit - Waiting") == letters("IN_TRANSIT_WAITING") == "intransitwaiting"
    assert letters("In_" * 1000) == "in" * 1000  # however long it is
