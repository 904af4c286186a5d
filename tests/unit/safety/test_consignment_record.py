"""What a record shows: a state only where it surely is that of the reference, and fresh."""

import pytest

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.status_read import KNOWN_STATES
from cancellist.jobs.safety.consignment_record import SOON_MS, Seen, Standing, judge_record, standing_of
from cancellist.jobs.safety.open_count import OPEN_STATES, count_of, honours_state
from cancellist.jobs.times import rfc3339

REFERENCE = "EC-000-05D-1NS"
NOW_MS = 1_790_000_000_000
UNKNOWN_TO_IT = {"Code": "consignment_not_found", "Message": "no", "CorrelationId": "1"}


def record(state="Allocated", **fields):
    addresses = [
        {"AddressType": "Origin", "Contact": {"FirstName": "Goods", "LastName": "Out"}, "Town": "Leeds"},
        {"AddressType": "Destination", "Contact": {"FirstName": "Ann", "LastName": "Other"}, "Town": "Lyon"},
    ]
    return {"Reference": REFERENCE, "ConsignmentState": state, "Addresses": addresses, **fields}


def seen(body, status=200, **answer) -> Seen:
    return judge_record(REFERENCE, Answer(status, body, **answer), NOW_MS)


def test_a_record_shows_its_state_and_who_gets_it():
    at = "2026-10-30T02:05:00+00:00"
    found = seen(record(ShippingDate=at))
    assert found == Seen(REFERENCE, Standing.OPEN, "Allocated", False, "Ann Other", "Lyon", None, at)
    assert seen(record() | {"Reference": REFERENCE.lower()}).standing is Standing.OPEN


@pytest.mark.parametrize("state", KNOWN_STATES)
def test_each_state_that_is_known_has_one_meaning(state):
    standing = standing_of(state)
    early = {
        "Unallocated",
        "Allocating",
        "AllocationFailed",
        "Allocated",
        "ReadyToShip",
        "Manifesting",
        "ManifestFailed",
    }
    if state in early:
        assert standing is Standing.OPEN
        assert state in OPEN_STATES
    elif state in {"Cancelled", "Cancelling"}:
        assert standing is (Standing.ALREADY_CANCELLED if state == "Cancelled" else Standing.UNKNOWN)
    else:
        assert standing is Standing.MANIFESTED


LIES = {
    "the record of another": Answer(200, record() | {"Reference": "EC-000-05D-1NT"}),
    "nobody's record": Answer(200, {"ConsignmentState": "Allocated"}),
    "no state": Answer(200, record(state=None)),
    "a blank state": Answer(200, record(state=" ")),
    "a state that nobody knows": Answer(200, record(state="Vaporised")),
    "a number": Answer(200, record(state=7)),
    "an old answer": Answer(200, record(), age_s=61.0),
    "an old 404": Answer(404, UNKNOWN_TO_IT, age_s=61.0),
    "somebody's 404": Answer(404, "<html>"),
    "no JSON": Answer(200, UNREADABLE),
    "a list": Answer(200, [record()]),
    "a promise": Answer(202, record()),
    "an outage": Answer(503),
    "a refused key": Answer(401),
    "no answer": Failure("no answer in time", written=True, timed_out=True),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_not_surely_its_state_is_unknown_and_says_why(lie):
    found = judge_record(REFERENCE, LIES[lie], NOW_MS)
    assert found.standing is Standing.UNKNOWN
    assert found.why
    assert not found.near


def test_only_the_platforms_own_404_says_that_there_is_none():
    assert seen(UNKNOWN_TO_IT, 404).standing is Standing.NOT_FOUND


@pytest.mark.parametrize(
    ("state", "fields", "near"),
    [
        ("ReadyToShip", {}, True),
        ("Ready To Ship", {}, True),
        ("Manifesting", {}, True),
        ("ManifestFailed", {}, True),
        ("Allocated", {}, False),
        ("Allocated", {"CollectionDate": rfc3339(NOW_MS + SOON_MS)}, True),
        ("Allocated", {"ShippingDate": rfc3339(NOW_MS)}, True),
        ("Allocated", {"CollectionDate": rfc3339(NOW_MS + SOON_MS + 1)}, False),
        ("Allocated", {"CollectionDate": rfc3339(NOW_MS - 1)}, False),
        ("Allocated", {"ShippingDate": "2026-10-30T00:00:00+00:00"}, False),
        ("Allocated", {"ShippingDate": "soon"}, False),
        ("Manifested", {"ShippingDate": rfc3339(NOW_MS)}, False),
    ],
)
def test_what_comes_before_manifesting_or_is_collected_within_an_hour_is_near(state, fields, near):
    assert seen(record(state, **fields)).near is near


def test_foreign_text_cannot_move_the_cursor_and_is_cut():
    who = {"AddressType": "Destination", "Contact": {"FirstName": "\x1b[2J\nA\u202e" * 50}, "Town": "B\0" * 99}
    found = seen(
        record(
            "Allo\x1b[1mcated",
            Addresses=[who],
            Packages=[{"Description": "\x1b]0;x\x07" * 99}],
            ShippingDate="\x07" * 99,
        )
    )
    for text in (found.state, found.name, found.town, found.goods, found.ships):
        assert text.isprintable()
        assert len(text) <= 40


@pytest.mark.parametrize(
    ("packages", "goods"),
    [
        ([{"Description": "Shoes"}, {"Description": " Shoes "}, {"Description": "Hats"}], "Shoes, Hats"),
        ([{"Description": one} for one in "abcde"], "a, b, c and 2 more"),
        ([{"Description": None, "Items": [{"Description": "Lamp"}, {}, 3]}, {"Description": "Box"}], "Lamp, Box"),
        ([{"Description": "Box", "Items": [{"Description": "Lamp"}]}], "Box"),
        ([{"Description": ["Box"]}, "Box", None], None),
        ("Box", None),
        (None, None),
    ],
)
def test_what_is_sent_is_told_as_the_platform_describes_it(packages, goods):
    assert seen(record(Packages=packages)).goods == goods


@pytest.mark.parametrize("addresses", [None, "x", [], [None, 3], [{"AddressType": "Origin"}], 2 * [
    {"AddressType": "Destination", "Contact": {"FirstName": "A"}, "Town": "B"}]])  # fmt: skip
def test_who_gets_it_is_not_guessed(addresses):
    found = seen(record(Addresses=addresses))
    assert (found.standing, found.name, found.town) == (Standing.OPEN, None, None)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (Answer(200, {"Count": 12, "ConsignmentSummaries": []}), 12),
        (Answer(200, {"count": 0}), 0),
        (Answer(404, UNKNOWN_TO_IT), 0),
        (Answer(404, "gone"), None),
        (Answer(200, {"Count": "12"}), None),
        (Answer(200, {"Count": True}), None),
        (Answer(200, {"Count": -1}), None),
        (Answer(200, []), None),
        (Answer(200, {"Count": 12}, age_s=99.0), None),
        (Answer(500), None),
        (Failure("away", written=False), None),
    ],
)
def test_a_count_is_believed_only_where_it_is_one(answer, count):
    found = count_of(answer)
    assert found == count if count is not None else isinstance(found, str)
    assert honours_state(answer) is (count == 0)


def test_a_platform_that_refuses_a_state_that_there_is_none_of_honours_the_filter():
    assert honours_state(Answer(400, UNKNOWN_TO_IT))
    assert not honours_state(Answer(400, "<html>"))
