"""Whole records, searches by pages, counts: in the shapes of the vendor's examples, over real HTTP."""

from collections import Counter
from datetime import datetime

import pytest

from tests.support.local_platform import platform

TEXT, MAYBE_TEXT, FLAG, NUMBER, LIST = str, (str, type(None)), bool, (int, float), list
MONEY = {"Amount": NUMBER, "Currency": {"Name": MAYBE_TEXT, "IsoCode": TEXT}}
WEIGHT = {"Value": NUMBER, "Unit": TEXT}
CONTACT = dict.fromkeys(("Title", "FirstName", "LastName", "Telephone", "Mobile", "LandLine"), MAYBE_TEXT)
ADDRESS = {
    "AddressType": TEXT,
    "Contact": CONTACT | {"Email": TEXT},
    "AddressLine1": TEXT,
    "Town": MAYBE_TEXT,
    "Region": MAYBE_TEXT,
    "Postcode": MAYBE_TEXT,
    "Country": {"Name": TEXT, "IsoCode": {"TwoLetterCode": TEXT}},
    "ShippingLocationReference": MAYBE_TEXT,
    "IsCached": FLAG,
}
PACKAGE = {
    "Reference": TEXT,
    "Weight": WEIGHT,
    "Dimensions": {"Unit": TEXT, "Width": NUMBER, "Length": NUMBER, "Height": NUMBER},
    "Description": TEXT,
    "Value": MONEY,
    "Items": LIST,
    "MetaData": LIST,
}
RECORD = {
    "Reference": TEXT,
    "ConsignmentState": TEXT,
    "DateCreated": datetime,
    "ShippingDate": datetime,
    "RequestedDeliveryDate": {"Date": datetime, "IsToBeExactlyOnTheDateSpecified": FLAG},
    "ConsignmentReferenceProvidedByCustomer": TEXT,
    "Source": TEXT,
    "Direction": TEXT,
    "Tags": LIST,
    "MetaData": LIST,
    "ConsignmentLegs": LIST,
    "LabelsPrinted": FLAG,
    "IsLate": FLAG,
    "Weight": WEIGHT,
    "Value": MONEY,
    "CustomsDocumentation": type(None),
    "Addresses": [ADDRESS],
    "Packages": [PACKAGE],
}
SUMMARY = {
    "Reference": TEXT,
    "State": TEXT,
    "DateCreated": datetime,
    "RequestedDeliveryDate": datetime,
    "RequestedDeliveryDateIsToBeExactlyOnTheDateSpecified": FLAG,
    "DestinationAddressCountry": TEXT,
    "DestinationAddressPostcode": TEXT,
    "LabelsPrinted": FLAG,
    "Value": MONEY,
    "Weight": WEIGHT,
    "ApiLink": {"Rel": TEXT, "Href": TEXT},
}
GIVEN = {
    "ConsignmentReferenceProvidedByCustomer": "MYCONS-098998",
    "Source": "Api",
    "ShippingDate": "2026-12-02T00:00:00+00:00",
    "RequestedDeliveryDate": {"Date": "2026-12-05T00:00:00+00:00", "IsToBeExactlyOnTheDateSpecified": True},
    "Direction": "Inbound",
    "Tags": ["Flammables"],
    "MetaData": [{"KeyValue": "Restock_Date", "DateTimeValue": "2026-12-18T00:00:00+00:00"}],
    "CustomsDocumentation": {"DesignatedPersonResponsible": "Peter McPetersson"},
    "Packages": [
        {
            "PackageReferenceProvidedByCustomer": "PACK-1",
            "Weight": {"Value": 0.5, "Unit": "Kg"},
            "Dimensions": {"Unit": "Cm", "Length": 10.0, "Width": 11.0, "Height": 12.0},
            "Description": "Socks",
            "Value": {"Amount": 5.99, "Currency": {"IsoCode": "GBP"}},
            "Items": [{"Sku": "SKU093434", "Quantity": 1}],
        },
        {"PackageSizeReference": "small"},
    ],
    "Addresses": [
        {"AddressType": "Origin", "ShippingLocationReference": "Mars_DC9"},
        {
            "AddressType": "Destination",
            "Contact": {"FirstName": "Peter", "Email": "peter@example.com"},
            "AddressLine1": "13 Porter Street",
            "Postcode": "M1 5WG",
            "Country": {"IsoCode": {"TwoLetterCode": "GB"}},
        },
    ],
}


async def get(http, path, **query):
    async with http.get(path, params=query) as answer:
        return answer.status, await answer.json()


async def create(http, document):
    async with http.post("/consignments", json=document) as answer:
        assert answer.status == 201
        (link,) = await answer.json()
        return link["Href"].rpartition("/")[2]


def fits(value, shape, where="record"):
    """Says where a value has another shape than the vendor's example."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [where]
        return [at for name, inner in shape.items() for at in fits(value.get(name, ...), inner, f"{where}.{name}")]
    if isinstance(shape, list):
        return (
            [at for item in value for at in fits(item, shape[0], f"{where}[]")] if isinstance(value, list) else [where]
        )
    if shape is datetime:
        return [] if datetime.fromisoformat(value).tzinfo else [where]
    return [] if isinstance(value, shape) else [where]


def lacks(value, given, where="record"):
    """Says what of something given is not there any more."""
    if isinstance(given, dict) and isinstance(value, dict):
        return [at for name, inner in given.items() for at in lacks(value.get(name, ...), inner, f"{where}.{name}")]
    if isinstance(given, list) and isinstance(value, list) and len(given) == len(value):
        return [at for one, other in zip(value, given, strict=True) for at in lacks(one, other, f"{where}[]")]
    return [] if value == given else [where]


async def test_a_record_has_the_shape_of_the_vendors_example():
    async with platform() as (server, http):
        for name in server.references(50):
            status, record = await get(http, f"/consignments/{name}")
            assert status == 200
            assert fits(record, RECORD) == []
            assert record["Packages"][0]["Reference"].startswith("EP-")
            assert record["Allocation"]["Price"]["Currency"]["IsoCode"] == "GBP"


async def test_a_created_consignment_keeps_all_that_was_given():
    async with platform() as (_, http):
        name = await create(http, GIVEN)
        _, record = await get(http, f"/consignments/{name}")
        assert lacks(record, GIVEN) == []
        assert (record["Reference"], record["ConsignmentState"]) == (name, "Unallocated")
        assert (record["Weight"], record["Value"]["Amount"]) == ({"Value": 0.5, "Unit": "Kg"}, 5.99)
        references = [package["Reference"] for package in record["Packages"]]
        assert len(set(references)) == 2
        assert all(reference.startswith("EP-") for reference in references)
        other = await create(http, GIVEN)
        _, another = await get(http, f"/consignments/{other}")
        assert {package["Reference"] for package in another["Packages"]}.isdisjoint(references)


async def test_a_record_created_from_another_is_its_like():
    async with platform() as (server, http):
        _, record = await get(http, f"/consignments/{server.reference(0)}")
        name = await create(http, record)
        _, copy = await get(http, f"/consignments/{name}")
        own = {"Reference", "ConsignmentState", "DateCreated", "Allocation"}
        assert lacks(copy, {field: value for field, value in record.items() if field not in own}) == []
        assert (copy["Reference"], copy["ConsignmentState"], copy["Allocation"]) == (name, "Unallocated", None)


@pytest.mark.parametrize(
    "query",
    [
        {"ReferenceProvidedByCustomer": "mycons-098998"},
        {"searchTerm": "098998"},
        {"PostCode": "m1 5wg"},
        {"ShippingLocationReference": "Mars_DC9"},
        {"WeightInGramsFrom": "499", "WeightInGramsTo": "501", "PostCode": "M1 5WG"},
        {"ValueFrom": "5.98", "ValueTo": "6", "PostCode": "M1 5WG"},
        {"ShippedDateFrom": "2026-12-01", "ShippedDateTo": "2026-12-03", "PostCode": "M1 5WG"},
        {"Direction": "Inbound", "State": "Unallocated"},
        {"LabelsPrinted": "false", "DestinationCountryCode": "GB", "State": "un allocated"},
    ],
)
async def test_searches_find_a_created_consignment_by_what_it_was_given(query):
    async with platform() as (_, http):
        name = await create(http, GIVEN)
        assert await get(http, "/consignments/getConsignmentReferences", **query) == (200, [name])
        status, page = await get(http, "/consignments/10/0", **query)
        assert (status, page["Count"], page["ConsignmentSummaries"][0]["Reference"]) == (200, 1, name)


async def test_pages_tell_how_many_match_and_show_each_once():
    async with platform(mix="Allocated=9,Dispatched=1") as (server, http):
        shown = []
        for skip in range(0, 1000, 300):
            status, page = await get(http, f"/consignments/300/{skip}/")
            assert (status, page["Count"]) == (200, 1000)
            shown += page["ConsignmentSummaries"]
        assert [summary["Reference"] for summary in shown] == server.references(1000)
        assert [at for summary in shown for at in fits(summary, SUMMARY)] == []
        _, page = await get(http, "/consignments/1000/0", State="Dispatched")
        assert {summary["State"] for summary in page["ConsignmentSummaries"]} == {"Dispatched"}
        assert page["Count"] == len(page["ConsignmentSummaries"])
        assert await get(http, "/consignments/5/0", State="Lost") == (200, {"Count": 0, "ConsignmentSummaries": []})
        for path, query in (("1001/0", {}), ("5/0", {"Colour": "red"})):
            status, body = await get(http, f"/consignments/{path}", **query)
            assert (status, set(body)) == (400, {"Code", "Message", "CorrelationId", "Details"})


async def test_a_summary_counts_states_and_those_reserved_words_are_no_references():
    async with platform(mix="Allocated=8,Manifested=1,Cancelled=1") as (server, http):
        async with http.put("/consignments/cancellist", json=server.references(100)) as answer:
            assert answer.status == 200
        status, summary = await get(http, "/Consignments/Summary")
        counts = {item["Key"]: item["Value"] for item in summary["Summary"]}
        states = Counter(row["state"] for row in server.record(server.references(1000)))
        assert (status, summary["NumberOfConsignments"], counts) == (200, 1000, dict(states))
        assert datetime.fromisoformat(summary["StartFrom"]) < datetime.fromisoformat(summary["EndTo"])
        _, none = await get(http, "/consignments/summary", startFrom="2100-01-01T00:00:00+00:00")
        assert (none["NumberOfConsignments"], none["Summary"]) == (0, [])
        assert (await get(http, "/consignments/summary", startFrom="soon"))[0] == 400
        for path in ("count", "count/status", "summary/status"):
            status, body = await get(http, f"/consignments/{path}")
            assert (status, set(body)) == (404, {"statusCode", "message"})
        async with http.put("/consignments/summary/cancel") as answer:
            assert answer.status == 404
        assert server.record(["SUMMARY"])[0]["cancel_calls"] == 0


async def test_a_new_consignment_of_odd_parts_is_refused_or_kept_and_breaks_nothing():
    async with platform(consignments=0) as (_, http):
        addresses = [{"AddressType": "Origin", "Country": "GB"}, {"AddressType": "Destination", "Contact": "Sam"}]
        odd = {"Packages": [{"PackageSizeReference": "small", "Weight": 3}], "Addresses": addresses, "Tags": None}
        name = await create(http, odd | {"RequestedDeliveryDate": "tomorrow"})
        status, record = await get(http, f"/consignments/{name}")
        assert (status, lacks(record, odd)) == (200, [])
        assert (await get(http, "/consignments/5/0"))[1]["Count"] == 1
        query = {"RequestedDeliveryDateFrom": "2026-01-01", "WeightInGramsFrom": "0", "DestinationCountryCode": "GB"}
        assert (await get(http, "/consignments/5/0", **query))[1]["Count"] == 0
        async with http.post("/consignments", json={"Packages": ["box"], "Addresses": addresses}) as answer:
            assert answer.status == 400
