"""What is sent to create a consignment anew: its details, and nothing that the platform makes; or what it lacks."""

import json
from dataclasses import replace

import pytest

from cancellist.jobs.safety.reinstatement import (
    MARKER,
    addressee,
    creation_of,
    differs,
    has_marker,
    is_marked,
    marked,
    rank,
    search_filters,
    was_cancelled,
)
from cancellist.jobs.safety.snapshot import Entry, chosen

OLD = "EC-000-05D-1NS"
NOW_MS = 1_796_000_000_000  # 2026-11-29
SIZE = {"Unit": "Cm", "Width": 20.0, "Length": 30.0, "Height": 10.0}
PACKAGE = {
    "Reference": "EP-000-000-001", "ConsignmentLegs": [], "Charges": [{"Amount": 1}], "Weight": {"Value": 1.5},
    "Dimensions": SIZE, "Description": "Socks", "PackageSizeReference": None, "Barcode": None,
    "Items": [{"Reference": "EI-1", "Sku": "S1", "Model": None}], "MetaData": [],
}  # fmt: skip
ORIGIN = {"AddressType": "Origin", "ShippingLocationReference": "Leeds_DC1", "Contact": None, "IsCached": False}
TO = {
    "AddressType": "Destination", "Contact": {"FirstName": "Zoë", "LastName": "Roe", "Title": None},
    "AddressLine1": "13 Porter Street", "Town": "Köln", "Postcode": "M1 5WG", "LatLong": None,
}  # fmt: skip
RECORD = {
    "Reference": OLD, "ConsignmentState": "Allocated", "DateCreated": "2026-11-01T00:00:00Z", "Allocation": {"Net": 4},
    "LabelsPrinted": True, "CustomerReference": "guid", "Weight": {"Value": 1.5}, "Value": {"Amount": 5},
    "ConsignmentReferenceProvidedByCustomer": "ORD-1", "Source": "Api", "Direction": "Outbound", "Tags": ["cold"],
    "CustomsDocumentation": None, "MetaData": [{"KeyValue": "Picker", "StringValue": "Ann", "IntValue": None}],
    "ShippingDate": "2026-12-24T00:00:00+00:00", "RequestedDeliveryDate": {"Date": "2026-12-27T00:00:00+00:00"},
    "Addresses": [ORIGIN, TO], "Packages": [PACKAGE],
}  # fmt: skip
BODY = {
    "ConsignmentReferenceProvidedByCustomer": "ORD-1", "Source": "Api", "Direction": "Outbound", "Tags": ["cold"],
    "ShippingDate": "2026-12-24T00:00:00+00:00", "RequestedDeliveryDate": {"Date": "2026-12-27T00:00:00+00:00"},
    "MetaData": [{"KeyValue": "Picker", "StringValue": "Ann"}],
    "Addresses": [
        {"AddressType": "Origin", "ShippingLocationReference": "Leeds_DC1", "IsCached": False},
        {
            "AddressType": "Destination", "Contact": {"FirstName": "Zoë", "LastName": "Roe"},
            "AddressLine1": "13 Porter Street", "Town": "Köln", "Postcode": "M1 5WG",
        },
    ],
    "Packages": [{"Weight": {"Value": 1.5}, "Dimensions": SIZE, "Description": "Socks", "Items": [{"Sku": "S1"}]}],
}  # fmt: skip


def made(**changed):
    return creation_of({**RECORD, **changed}, NOW_MS)


def entry(state="Allocated", at_ms=1, called=False):
    return Entry("j", OLD, at_ms, "default", "host", "w", called, {"ConsignmentState": state})


def test_all_details_are_sent_and_nothing_that_the_platform_makes():
    creation = made()
    assert creation.body == BODY
    assert (creation.lacks, creation.passed, creation.left_out) == ((), (), ())


def test_names_in_another_case_are_the_same_fields():
    small = json.loads(json.dumps(RECORD), object_hook=lambda one: {k[:1].lower() + k[1:]: v for k, v in one.items()})
    creation = creation_of(small, NOW_MS)
    assert (creation.lacks, creation.left_out) == ((), ())
    assert list(creation.body) == list(BODY)
    assert "reference" not in creation.body["Packages"][0]


def test_a_field_that_nobody_knows_is_told_and_not_sent():
    creation = made(Insurance={"Amount": 3}, Empty=None, Nothing=[])
    assert creation.left_out == ("Insurance",)
    assert creation.body == BODY


@pytest.mark.parametrize(
    ("written", "passed"),
    [
        ("2026-11-20T00:00:00+00:00", True), ("2026-11-20T00:00:00", True), ("2026-11-20T00:00:00.1234567Z", True),
        ("2026-11-30T06:00:00+00:00", False), ("2027-01-01T00:00:00", False), ("soon", False), (7, False),
    ],
)  # fmt: skip
def test_a_date_that_has_passed_is_left_out_and_told(written, passed):
    for name, value in (("ShippingDate", written), ("RequestedDeliveryDate", {"Date": written})):
        creation = made(**{name: value})
        assert (creation.passed, name in creation.body) == ((name,) if passed else (), not passed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Packages": []}, ["no package"]),
        ({"Packages": None, "Addresses": None}, ["no package", "of its origin", "of its destination"]),
        ({"Packages": [PACKAGE, {"Weight": {"Value": 1}}]}, ["package 2 has neither"]),
        ({"Packages": [{"Dimensions": SIZE}]}, ["package 1 has neither"]),
        ({"Packages": [{"PackageSizeReference": "S"}]}, []),
        ({"Addresses": [TO]}, ["no address of its origin"]),
        ({"Addresses": [ORIGIN]}, ["no address of its destination"]),
        ({"Addresses": "somewhere"}, ["of its origin", "of its destination"]),
    ],
)
def test_what_is_lacking_of_the_least_is_told(changed, words):
    lacks = made(**changed).lacks
    assert len(lacks) == len(words)
    assert all(word in lack for word, lack in zip(words, lacks, strict=True))


def test_a_new_one_is_marked_with_the_old_reference_alone():
    first = marked(BODY, OLD, "a1")
    assert first["MetaData"] == [*BODY["MetaData"], {"KeyValue": MARKER, "StringValue": f"{OLD} a1"}]
    assert is_marked(first, OLD)
    assert not is_marked(first, "EC-000-05D-1N")
    assert not has_marker(BODY)
    again = marked(creation_of({**RECORD, "MetaData": first["MetaData"]}, NOW_MS).body, "EC-NEW-NEW-NEW", "b2")
    assert (is_marked(again, OLD), is_marked(again, "EC-NEW-NEW-NEW")) == (False, True)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"ConsignmentReferenceProvidedByCustomer": "ORD-2"}, "customer's reference"),
        ({"Packages": [PACKAGE, PACKAGE]}, "number of its packages"),
        ({"Addresses": [ORIGIN, {**TO, "Postcode": "M1 5WX"}]}, "destination"),
        ({"Addresses": [ORIGIN, {**TO, "Postcode": "m15wg", "AddressLine1": "13 PORTER STREET"}]}, None),
        ({"Addresses": [ORIGIN]}, "destination"),
    ],
)
def test_what_matters_most_is_compared_with_what_was_asked_for(changed, words):
    told = differs(BODY, {**RECORD, **changed})
    assert words in told if words else told is None


@pytest.mark.parametrize(
    ("state", "called", "before"), [("Cancelled", False, True), ("Cancelled", True, False), ("Allocated", False, False)]
)
def test_what_was_cancelled_before_the_job_is_told_from_what_it_has_cancelled(state, called, before):
    assert was_cancelled(entry(state, called=called)) is before


def test_the_best_entry_is_that_which_snapshots_show():
    entries = [entry(at_ms=at_ms, called=called) for at_ms, called in ((3, True), (1, False), (2, False), (4, True))]
    for some in (entries, entries[:1] + entries[3:], entries[2:]):
        assert max(some, key=rank) == chosen(some)
    cancelled = replace(entry("Cancelled", at_ms=9))
    assert max([*entries, cancelled], key=rank) == entries[2]


def test_it_is_found_by_the_customers_reference_or_by_where_it_goes():
    assert search_filters(BODY) == (("ReferenceProvidedByCustomer", "ORD-1"),)
    assert search_filters(made(ConsignmentReferenceProvidedByCustomer="").body) == (("PostCode", "M1 5WG"),)
    assert search_filters({}) == ()
    assert addressee(BODY) == "Zoë Roe, Köln"
