from collections import Counter
from datetime import UTC, datetime

import pytest

from cancellist.sandbox.world.consignments import (
    DEFAULT_MIX,
    Rules,
    State,
    initial_state,
    parse_mix,
    refuse_cancelling,
    refuse_deallocating,
)
from cancellist.sandbox.world.filters import matching, parse_filters
from cancellist.sandbox.world.references import reference
from cancellist.sandbox.world.world import World


def a_world(mix=DEFAULT_MIX, consignments=1000):
    return World(seed=1, consignments=consignments, mix=parse_mix(mix))


def test_a_mix_is_met_and_the_same_for_the_same_seed():
    mix = parse_mix("Allocated=90, manifested=6,Cancelled=3,Lost=1,Missing=0")
    states = [initial_state(5, index, mix) for index in range(20_000)]
    shares = Counter(states)
    assert shares[State.MISSING] == 0
    for state, share in ((State.ALLOCATED, 0.90), (State.MANIFESTED, 0.06), (State.CANCELLED, 0.03)):
        assert shares[state] / len(states) == pytest.approx(share, abs=0.01)
    assert states == [initial_state(5, index, mix) for index in range(20_000)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Allocatd=1", "unknown state 'Allocatd'"),
        ("", "unknown state ''"),
        ("Allocated", "not a number"),
        ("Allocated=-1", "0 or more"),
        ("Allocated=nan", "0 or more"),
        ("Allocated=0", "at least one"),
        ("Allocated=1,allocated=2", "twice"),
    ],
)
def test_a_wrong_mix_is_refused_by_name(text, words):
    with pytest.raises(ValueError, match=words):
        parse_mix(text)


@pytest.mark.parametrize("state", list(State))
def test_a_consignment_can_be_cancelled_only_before_it_is_manifested(state):
    before = {
        State.UNALLOCATED,
        State.ALLOCATION_FAILED,
        State.ALLOCATED,
        State.READY_TO_SHIP,
        State.MANIFEST_FAILED,
    }
    assert (refuse_cancelling(state, Rules()) is None) == (state in before)


@pytest.mark.parametrize("state", list(State))
def test_under_the_older_rule_only_what_deallocation_cannot_help_is_cancelled(state):
    if refuse_cancelling(state, Rules(deallocate_first=True)) is None:
        assert refuse_deallocating(state) is not None


def test_the_record_tells_which_call_cancelled_and_how_many_named():
    world = a_world("Allocated=1")
    named = [world.resolve(reference(1, index).lower()) for index in (0, 700)]
    for _ in range(3):
        world.name(set(named))
    assert world.cancel(named[0], 7, Rules(), at=100.0) is None
    assert world.cancel(named[0], 8, Rules(), at=101.0) is not None
    assert world.row(reference(1, 0)) == {
        "reference": reference(1, 0),
        "state": "Cancelled",
        "initial_state": "Allocated",
        "changed_at": 100.0,
        "cancelled_by_call": 7,
        "cancel_calls": 3,
    }
    assert [row["reference"] for part in world.rows() for row in part] == [reference(1, 0), reference(1, 700)]


def test_a_reference_past_the_last_index_is_unknown_until_it_is_created():
    world = a_world(consignments=10)
    text = reference(1, 10)
    assert world.find(text) is None
    world.name({world.resolve(text)})
    assert world.row(text.lower()) == {
        "reference": text,
        "state": None,
        "initial_state": None,
        "changed_at": None,
        "cancelled_by_call": None,
        "cancel_calls": 1,
    }
    world.create({}, datetime.now(UTC))
    assert world.state(10) is State.UNALLOCATED


def test_ten_million_consignments_cost_nothing_until_they_are_touched():
    world = a_world(consignments=10_000_000)
    text = reference(1, 9_999_999)
    assert world.cancel(world.resolve(text), 1, Rules(), at=1.0) is None or world.row(text)["state"]
    assert len(world.record._pages) <= 1


@pytest.mark.parametrize(
    "query",
    [
        {"State": "manifested"},
        {"shippinglocationreference": "leeds_dc1", "State": "Allocated"},
        {"CreatedDateFrom": "2026-08-10T00:00:00Z", "CreatedDateTo": "2026-08-20"},
        {"ValueFrom": "100", "ValueTo": "200.5"},
        {"WeightInGramsTo": "5000"},
        {"LabelsPrinted": "true", "Direction": "Inbound"},
        {"DestinationCountryCode": "ie"},
        {"Reference": reference(1, 5).lower()},
    ],
)
def test_filters_split_the_world_in_those_that_match_and_those_that_do_not(query):
    world = a_world()
    found = [index for part in matching(world, parse_filters(query)) for index in part]
    assert 0 < len(found) < 1000
    predicates = parse_filters(query)
    assert found == [index for index in range(1000) if all(test(world, index) for test in predicates)]


@pytest.mark.parametrize(
    "query",
    [{"Colour": "red"}, {"State": "Nowhere"}, {"CreatedDateFrom": "soon"}, {"ValueTo": "x"}, {"LabelsPrinted": "1"}],
)
def test_an_unknown_filter_or_value_is_refused_by_name(query):
    with pytest.raises(ValueError, match=next(iter(query))):
        parse_filters(query)


def test_filters_see_what_a_created_consignment_was_given():
    world = a_world(consignments=3)
    addresses = [{"AddressType": "Origin", "ShippingLocationReference": "Mars_DC9"}]
    document = {"Addresses": addresses, "ConsignmentReferenceProvidedByCustomer": "MINE"}
    index = world.create(document, datetime(2026, 12, 1, tzinfo=UTC))
    queries = [
        {"ShippingLocationReference": "mars_dc9"},
        {"ReferenceProvidedByCustomer": "mine"},
        {"CreatedDateFrom": "2026-12-01T00:00:00+00:00"},
        {"CreatedDateFrom": "2026-12-01T00:00:00 00:00"},
    ]
    for query in queries:
        assert list(matching(world, parse_filters(query))) == [[index]]
    assert world.document(index)["ConsignmentReferenceProvidedByCustomer"] == "MINE"
    assert world.document(index)["ConsignmentState"] == "Unallocated"
